"""Launchers other than the processes of this machine, and the jobs that they leave in a scheduler's queue."""

import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from importlib import import_module
from math import ceil
from pathlib import Path
from typing import Any

from naga.errors import NagaError, UsageError
from naga.launch import Launch, slurm
from naga.launch.executor import Through


@contextmanager
def elsewhere(name: str, how: Launch) -> Iterator[Executor]:
    """Open the executor of a name; leaving the block ends its jobs, or leaves them in a scheduler's queue."""
    executor = _opened(name, options_of(how.options), how)
    ends = True
    try:
        yield executor
        ends = not how.leave
    finally:
        executor.shutdown(wait=ends, cancel_futures=ends)


def _opened(name: str, options: Mapping[str, str], how: Launch) -> Executor:
    if name == "slurm":
        limit = {"time": str(ceil(how.timeout / 60))} if how.timeout else {}
        return slurm.Slurm(
            how.sweep, limit | {key.replace("_", "-"): value for key, value in options.items()}, how.jobs
        )
    if name == "dask":
        from naga.launch.dask import dask

        return dask(options, how)
    return Through(_made(name, options), timeout=how.timeout)


def _made(name: str, options: Mapping[str, str]) -> Executor:
    """Call a factory with the options; numbers are given as numbers."""
    module, colon, factory = name.partition(":")
    if not colon:
        raise UsageError(f"no launcher '{name}'", hint="local, slurm, dask or module:factory")
    given: dict[str, Any] = {key: int(value) if value.isdecimal() else value for key, value in options.items()}
    try:
        made = getattr(import_module(module), factory)(**given)
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise UsageError(f"--launcher {name}: {error}", hint="concurrent.futures:ThreadPoolExecutor") from error
    if not isinstance(made, Executor):
        raise UsageError(f"--launcher {name} gives a {type(made).__name__}", hint="a concurrent.futures.Executor")
    return made


def options_of(words: Sequence[str]) -> dict[str, str]:
    """Read ``-l key=value``; a key alone is a switch.

    Examples
    --------
    >>> options_of(["partition=gpu", "exclusive"])
    {'partition': 'gpu', 'exclusive': 'true'}
    """
    parts = [word.partition("=") for word in words]
    return {key: value if equals else "true" for key, equals, value in parts}


def mark_of(sweep: str, root: Path) -> str:
    """Name the jobs of a sweep: the same sweep in another folder has another name.

    Examples
    --------
    >>> mark_of("1", Path("/a")) == mark_of("1", Path("/b"))
    False
    """
    return hashlib.sha256(f"{sweep} {os.path.realpath(root)}".encode()).hexdigest()[:16]


def job_states(mark: str) -> dict[str, str]:
    """Ask the scheduler for the states of a sweep's jobs; empty where there is none, or it does not answer."""
    try:
        return slurm.states(mark) if shutil.which("squeue") else {}
    except NagaError:
        return {}


def cancel_jobs(mark: str) -> list[str]:
    """Cancel the jobs that have the name of a sweep in the scheduler itself."""
    return slurm.cancel(mark) if shutil.which("scancel") else []
