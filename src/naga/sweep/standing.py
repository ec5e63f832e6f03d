"""The states of a sweep's points: from their locks and heartbeats, never from the sweep's own file."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from naga.config.upgrade import config_digest
from naga.errors import LockError, RunNotFoundError, SaveDirError, UsageError
from naga.launch.elsewhere import job_states, mark_of
from naga.launch.slurm import has_ended
from naga.layout import LOCK_NAME
from naga.process.identity import this_process
from naga.record.atomic import write_atomic
from naga.record.schema import to_plain
from naga.runs.find import Run, each_run, load_run
from naga.sweep.points import Sweep

FOLDER = ".naga-sweep"
STATUSES = ("finished", "running", "failed", "killed", "lost", "waiting")


def in_words(counts: Mapping[str, int]) -> str:
    """Write counts of points or runs by their state: ``3 finished, 1 failed``."""
    return ", ".join(f"{counts[name]} {name}" for name in STATUSES if counts[name])


def finished_points(sweep: Sweep, task: str, before: Mapping[str, Any]) -> dict[str, Run]:
    """Find the finished runs below a sweep's root that are points of it, by digest."""
    wanted = {point.digest for point in sweep.points}
    found: dict[str, Run] = {}
    for run in each_run(sweep.root) if sweep.root.is_dir() else ():
        if run.summary.task == task and run.summary.status == "finished":
            digest = config_digest(run.summary.config, before)
            if digest in wanted:
                found.setdefault(digest, run)
    return found


def run_at(folder: Path) -> Run | None:
    """Return the run that is in a folder, if there is one and it can be read."""
    if not (folder / LOCK_NAME).exists():
        return None
    try:
        return load_run(folder)
    except (LockError, RunNotFoundError):
        return None


def write_asked(sweep: Sweep, name: str, task: str, launcher: str) -> None:
    """Record the points of a sweep, its driver, and its launchers so far, for `naga status` and `naga cancel`."""
    points = [
        {"label": point.label, "overrides": point.overrides, "digest": point.digest, "save_dir": str(point.save_dir)}
        for point in sweep.points
    ]
    file = sweep.root / FOLDER / f"{name}.json"
    launchers = sorted({launcher, *_launchers(file)})
    about = {"schema": "naga.sweep/1", "id": name, "task": task, "launchers": launchers}
    text = json.dumps({**about, "driver": to_plain(this_process()), "points": points}, indent=1)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(file, text.encode())
    except OSError as error:
        raise SaveDirError(
            f"'{sweep.root}' cannot be written: {error.strerror}", hint="save_dir=<a folder you can write>"
        ) from None


def _launchers(file: Path) -> list[str]:
    try:
        return [name for name in json.loads(file.read_text(encoding="utf-8"))["launchers"] if isinstance(name, str)]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return []


def sweep_files(root: Path) -> list[Path]:
    """Find the files of the sweeps that have their root in a folder, or are that folder."""
    return sorted((*root.glob(f"{FOLDER}/*.json"), *root.glob(f"*/{FOLDER}/*.json")))


def asked_points(root: Path) -> Iterator[dict[str, Any]]:
    """Read the records of every sweep that has its root below a folder."""
    for file in sweep_files(root):
        try:
            read = json.loads(file.read_text(encoding="utf-8"))
            points = [point for point in read["points"] if isinstance(point["save_dir"], str)]
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise UsageError(f"'{file}' is not the file of a sweep: {error}", hint=f"rm '{file}'") from None
        yield from points


def marks(root: Path) -> list[str]:
    """Return the names of the jobs of each sweep below a folder, as a scheduler knows them."""
    return [mark_of(file.stem, file.parent.parent) for file in sweep_files(root) if "slurm" in _launchers(file)]


def queued(root: Path) -> Counter[str]:
    """Count the jobs of the sweeps below a folder by their scheduler's states, except those that are done."""
    states = (state for mark in marks(root) for state in job_states(mark).values())
    return Counter(
        f"{'ended' if has_ended(state) else 'queue'}|{state}" for state in states if "COMPLETED" not in state
    )


def standing(root: Path) -> tuple[dict[str, int], list[Run]]:
    """Count the runs below a folder by their state; a point of a sweep that has no run yet is waiting."""
    runs = list(each_run(root))
    counts = Counter(run.status for run in runs)
    folders = {str(run.save_dir) for run in runs}
    asked = {point["save_dir"] for point in asked_points(root)}
    counts["waiting"] = len(asked - folders)
    return {"total": counts.total(), **{name: counts[name] for name in STATUSES}}, runs
