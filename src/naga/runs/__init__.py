"""Finding and reading runs. Nothing here writes."""

from naga.runs.find import Run, find_runs, load_run

__all__ = ["Run", "find_runs", "load_run"]
