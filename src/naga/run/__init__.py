"""The life of one run; `naga.run.life` is the page to read first."""
