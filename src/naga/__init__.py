"""Compute once, diagnose for ever.

A decorated ``main(cfg)`` computes once and leaves a folder with its results and a ``run.lock`` that says exactly what
ran. A ``diag(cfg)`` decorated with `naga.mlflow_log.mlflow_log_run` turns that folder into an MLflow run, as often as
its author changes his mind.
"""

import os
from typing import TYPE_CHECKING, Any

if os.name == "nt":
    raise ImportError("Naga runs on Linux and macOS; on Windows use WSL: https://learn.microsoft.com/windows/wsl")

from naga import errors
from naga.process.fail import fail
from naga.process.seeding import seed_everything
from naga.runs.find import Run, load_run
from naga.runs.sequence import Runs, find_runs
from naga.task import clicfg, load_stage, runlock, snapshot, track_data

if TYPE_CHECKING:
    from naga.compare.diff import diff
    from naga.diagnose.diag_dir import diag_dir

__all__ = [
    "Run",
    "Runs",
    "clicfg",
    "diag_dir",
    "diff",
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

__version__ = "0.2.0.dev0"


def __getattr__(name: str) -> Any:
    """Import what belongs to diags and comparisons at its first use: a script that only computes need not wait."""
    if name == "diag_dir":
        from naga.diagnose.diag_dir import diag_dir

        return diag_dir
    if name == "diff":
        from naga.compare.diff import diff

        return diff
    raise AttributeError(f"module 'naga' has no attribute {name!r}")
