"""Diagnosing many runs by jobs of a launcher: each job diagnoses its share, one run after the other.

A SQLite store takes one writer well, and over a network none but one: there, a single job has all runs.
"""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import as_completed
from contextlib import suppress
from pathlib import Path
from typing import Any

from naga.diagnose.batch.outcome import BatchOptions, Outcome
from naga.diagnose.batch.worker import diagnose
from naga.errors import DiagError, UsageError
from naga.launch import Launch, open_launcher
from naga.launch.elsewhere import mark_of
from naga.terminal import say
from naga.tracking.store import store_of

_PER_JOB = 4  # shares of each: a slow one is not waited for by the others


def diagnose_launched(
    order: BatchOptions, folders: Sequence[Path], *, jobs: int, launcher: str, options: tuple[str, ...]
) -> Iterator[Outcome]:
    """Diagnose runs through a launcher, and report each share as soon as it is done."""
    if order.check or order.recorded or order.scratch:
        option = "--check" if order.check else "--code recorded" if order.recorded else "--dry-run"
        raise UsageError(
            f"{option} reads the runs here, not with --launcher {launcher}", hint=f"{option} --jobs {jobs}"
        )
    uri = order.uri or store_of(order.script.parent)
    if jobs > 1 and uri.startswith("sqlite:"):
        say(f"one job publishes all runs, not {jobs}: {uri} is a SQLite store")
        jobs = 1
    count = 1 if jobs == 1 else min(len(folders), jobs * _PER_JOB)
    shares = [folders[start::count] for start in range(count)]
    how = Launch(jobs=jobs, forks=False, timeout=None, options=options, sweep=mark_of("diag", order.script))
    with open_launcher(launcher, how) as executor:
        sent = {executor.submit(diagnose_share, _point(order, share, uri)): share for share in shares}
        for future in as_completed(sent):
            yield from _outcomes(future.result(), sent[future])


def _point(order: BatchOptions, share: Sequence[Path], uri: str) -> dict[str, Any]:
    words = {name: getattr(order, name) for name in ("function", "only_stale", "strict")}
    return {
        "order": {**words, "uri": order.uri},
        "script": str(order.script),
        "runs": [str(folder.absolute()) for folder in share],
        "uri": uri,
        "cwd": os.getcwd(),  # noqa: PTH109  # as text
    }


def diagnose_share(point: dict[str, Any]) -> dict[str, Any]:
    """Diagnose the runs of a share, inside the job, and return the outcome of each."""
    os.chdir(point["cwd"])
    os.environ.setdefault("MLFLOW_TRACKING_URI", point["uri"])
    order = BatchOptions(script=Path(point["script"]), **point["order"])
    said: list[dict[str, Any]] = []
    with suppress(KeyboardInterrupt):
        for folder in point["runs"]:
            try:
                outcome = diagnose(order, order.script, Path(folder))
            except DiagError as error:  # of the script, hence of every run
                return {"error": error.message, "hint": error.hint, "outcomes": said}
            said.append({name: getattr(outcome, name) for name in ("kind", "reason", "printed", "lost", "misfit")})
    return {"outcomes": said}


def _outcomes(said: dict[str, Any], share: Sequence[Path]) -> Iterator[Outcome]:
    if "error" in said:
        raise DiagError(said["error"], hint=said["hint"])
    done = said.get("outcomes", [])
    for folder, fields in zip(share, done, strict=False):
        yield Outcome(save_dir=folder, **fields)
    for folder in share[len(done) :]:
        yield Outcome(save_dir=folder, kind="failed", reason=said.get("died", "interrupted"))
