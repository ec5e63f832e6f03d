"""Finding and reading runs. Nothing here writes."""
