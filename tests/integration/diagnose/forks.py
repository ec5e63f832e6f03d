"""Processes that begin with MLflow imported: importing it takes longer than most of what they do."""

import multiprocessing
import os
import runpy
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

_FORKS = multiprocessing.get_context("forkserver")  # children have no thread of ours
_FORKS.set_forkserver_preload(["mlflow", "mlflow.store.tracking.sqlalchemy_store", "naga.mlflow_log", "pytest"])


@dataclass(frozen=True)
class _Body:
    """What a process does, and where."""

    target: Callable[..., None]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    environment: Mapping[str, str]  # all of it: that of the server is of the test that happened to start it
    output: Path | None
    cwd: Path = field(default_factory=Path.cwd)

    def __call__(self) -> None:
        os.chdir(self.cwd)
        os.environ.clear()
        os.environ.update(self.environment)
        if self.output is not None:
            file = os.open(self.output, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            os.dup2(file, 1)
            os.dup2(file, 2)
        self.target(*self.args, **self.kwargs)


def start(
    target: Callable[..., None],
    *args: Any,
    environment: Mapping[str, str] | None = None,
    output: Path | None = None,
    **kwargs: Any,
) -> ForkServerProcess:
    """Start a process that calls a function; what it says on the terminal goes to a file, if one is named."""
    process = _FORKS.Process(target=_Body(target, args, kwargs, {**os.environ, **(environment or {})}, output))
    process.start()
    return process


def start_script(script: Path, *words: str, output: Path) -> ForkServerProcess:
    """Start a process that runs a script as ``python script words...`` does."""
    return start(_run_script, [str(script), *words], output=output)


def _run_script(words: list[str]) -> None:
    sys.argv = words
    runpy.run_path(words[0], run_name="__main__")
