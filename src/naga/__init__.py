"""Compute once, diagnose for ever.

A decorated ``main(cfg)`` computes once and leaves a folder with its results and a ``run.lock`` that says exactly what
ran. A ``diag(cfg)`` decorated with `naga.mlflow_log.mlflow_log_run` turns that folder into an MLflow run, as often as
its author changes his mind.
"""

from naga import errors
from naga.ending.fail import fail
from naga.runs import Run, find_runs, load_run
from naga.seeding import seed_everything
from naga.task import clicfg, load_stage, runlock, snapshot, track_data

__all__ = [
    "Run",
    "clicfg",
    "errors",
    "fail",
    "find_runs",
    "load_run",
    "load_stage",
    "runlock",
    "seed_everything",
    "snapshot",
    "track_data",
]

__version__ = "0.1.0"
