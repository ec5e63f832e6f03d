"""Stopping sweeps and runs; a process is stopped only if its identity and owner are certain."""

import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from naga.launch.elsewhere import cancel_jobs, job_states
from naga.launch.slurm import has_ended
from naga.process.identity import is_alive, is_here
from naga.record.schema import Process, from_plain
from naga.runs.find import each_run
from naga.sweep.standing import marks, sweep_files

_PATIENCE_S = 10.0


def cancel(root: Path) -> tuple[list[str], list[str]]:
    """Stop the drivers of sweeps, whose processes end with them, and then single runs; return what was, and was not.

    A process is signalled only if its host, boot, start and user are those that were recorded: numbers are used again.
    """
    stopped: list[str] = []
    left: list[str] = []
    _stop_all(_drivers(root), stopped, left)
    stopped += [f"job {number} of Slurm" for mark in marks(root) for number in _cancel(mark)]
    _stop_all(_owners(root), stopped, left)
    return stopped, left


def _stop_all(processes: Iterator[tuple[str, Process]], stopped: list[str], left: list[str]) -> None:
    for place, process in processes:
        if is_alive(process) is not False:
            (stopped if _stop(process) else left).append(f"process {process.pid} on {process.host}: {place}")


def _cancel(mark: str) -> list[str]:
    """Cancel the jobs of a sweep, and wait until their runs have recorded their end."""
    numbers = cancel_jobs(mark)
    until = time.monotonic() + _PATIENCE_S
    while numbers and not all(map(has_ended, job_states(mark).values())) and time.monotonic() < until:
        time.sleep(0.2)
    return numbers


def _drivers(root: Path) -> Iterator[tuple[str, Process]]:
    for file in sweep_files(root):
        with suppress(OSError, ValueError, KeyError, TypeError):
            driver = from_plain(Process, json.loads(file.read_text(encoding="utf-8"))["driver"])
            yield f"sweep {file.stem}", driver


def _owners(root: Path) -> Iterator[tuple[str, Process]]:
    for run in each_run(root):
        if run.status == "running":
            yield str(run.save_dir), run.record.process


def _stop(process: Process) -> bool:
    """Ask a process to end, and wait until it has."""
    if not is_here(process) or not is_alive(process) or process.started_ticks is None:
        return False
    try:
        os.kill(process.pid, signal.SIGTERM)
    except (PermissionError, ProcessLookupError):
        return False
    until = time.monotonic() + _PATIENCE_S
    while is_alive(process) and time.monotonic() < until:
        time.sleep(0.05)
    return not is_alive(process)
