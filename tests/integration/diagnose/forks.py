"""Processes that begin with MLflow imported: importing it takes longer than most of what they do."""

import multiprocessing
import os
from collections.abc import Callable, Mapping
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

_FORKS = multiprocessing.get_context("forkserver")  # children have no thread of ours
_FORKS.set_forkserver_preload(["mlflow", "mlflow.store.tracking.sqlalchemy_store", "naga.mlflow_log", "pytest"])


def start(
    target: Callable[..., None],
    *args: Any,
    environment: Mapping[str, str] | None = None,
    output: Path | None = None,
    **kwargs: Any,
) -> ForkServerProcess:
    """Start a process that calls a function; what it says on the terminal goes to a file, if one is named."""
    process = _FORKS.Process(target=_call, args=(target, environment or {}, output, Path.cwd(), args, kwargs))
    process.start()
    return process


def _call(
    target: Callable[..., None],
    environment: Mapping[str, str],
    output: Path | None,
    cwd: Path,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
) -> None:
    os.chdir(cwd)
    os.environ.update(environment)
    if output is not None:
        file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(file, 1)
        os.dup2(file, 2)
    target(*args, **kwargs)
