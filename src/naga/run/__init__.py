"""The life of one run; `naga.run.life` is the module to read first."""
