"""What is left of runs that died, and how to mend it."""

import os
from collections.abc import Iterator
from pathlib import Path

from naga.capture.code.git import GitError, Repository
from naga.layout import OWN_FOLDER
from naga.record.final import put_back_all
from naga.runs.find import Run, find_runs
from naga.save_dir.chain import clear_torn


def repair_runs(root: Path) -> Iterator[str]:
    """Put run.locks back that could not be written, and name what only a person can judge."""
    yield from put_back_all()
    for folder, names, _ in os.walk(root):
        if OWN_FOLDER in names:
            for file in clear_torn(Path(folder)):
                yield f"'{file}' was removed: a claim that was not written to its end (a full disk?)"
    runs = list(find_runs(root, archived=True))
    for run in runs:
        if run.status == "lost":
            process = run.record.process
            yield (
                f"'{run.save_dir}': run {run.run_id} is lost: process {process.pid} on {process.host} "
                f"disappeared (killed or crashed); a new run in the same folder continues there"
            )
    yield from _orphans(root, runs)


def _orphans(root: Path, runs: list[Run]) -> Iterator[str]:
    """Name the snapshots whose runs are not to be found; they may lie elsewhere, so that nothing is removed."""
    known = {run.run_id for run in runs}
    known |= {file.stem.partition("-")[2] for run in runs for file in run.save_dir.glob(".naga/attempts/*.lock")}
    for ref in _refs(root):
        run_id = ref.removeprefix("refs/naga/runs/")
        if run_id not in known:
            yield f"{ref}: no run {run_id} below '{root}'; if it is gone: git update-ref -d {ref}"


def _refs(root: Path) -> list[str]:
    try:
        return Repository.find(root).text("for-each-ref", "--format=%(refname)", "refs/naga/runs").splitlines()
    except GitError:
        return []
