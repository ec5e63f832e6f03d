"""Repairing what runs that died have left behind."""

import os
from collections.abc import Iterator
from pathlib import Path

from naga.capture.code.git import GitError, Repository
from naga.capture.data.manifest import compare, listed, write_outputs
from naga.capture.data.outputs import hash_outputs
from naga.errors import DataError, LockError
from naga.layout import OUTPUTS_LIST, OWN_FOLDER, naga_folder
from naga.record.final import put_back_all
from naga.record.lockfile import ANOTHER_TOOL, read_lock, replace_outputs
from naga.record.opener import read_json
from naga.record.schema import FINAL, Outputs
from naga.runs.find import Run, look_for_runs
from naga.save_dir.chain import clear_torn
from naga.save_dir.heartbeat import is_living
from naga.wording import Unrepaired, first_of


def repair_runs(root: Path) -> Iterator[str]:
    """Write the run.locks that could not be written before, and name what only a person can decide."""
    yield from put_back_all()
    for folder, names, _ in os.walk(root):
        if OWN_FOLDER in names:
            for file in clear_torn(Path(folder)):
                yield f"'{file}' was removed: a claim that was not written to its end (a full disk?)"
    found = list(look_for_runs(root, archived=True))
    for error in found:
        if isinstance(error, LockError) and error.hint != ANOTHER_TOOL:
            yield Unrepaired(f"left as it is: {error.message}")
    runs = [run for run in found if isinstance(run, Run)]
    for run in runs:
        if run.status == "lost":
            process = run.record.process
            yield (
                f"'{run.save_dir}': run {run.run_id} is lost: process {process.pid} on {process.host} "
                f"disappeared (killed or crashed); a new run in the same folder continues there"
            )
    yield from _orphans(root, runs)


def record_outputs(run: Run) -> str:
    """Hash and record the outputs that the end of a run did not finish hashing; return the hash."""
    record = run.record
    if record.status not in FINAL or (record.is_being_hashed and is_living(run.save_dir, run.run_id, record.process)):
        raise LockError(f"run {run.run_id} has not ended: it is {run.status}", hint=f"naga show '{run.save_dir}'")
    if record.outputs and record.outputs.hash:
        raise LockError(f"the outputs of run {run.run_id} are recorded already", hint=f"naga verify '{run.save_dir}'")
    tree, outputs_list = hash_outputs(run.save_dir), naga_folder(run.save_dir) / OUTPUTS_LIST
    # A list of this run's own, with what was small enough: it must not have changed since.
    if record.outputs and record.outputs.files is not None:
        changed = first_of(compare(listed(read_json(run.save_dir, outputs_list)), tree), 3)
        if changed:
            raise DataError(f"the outputs of run {run.run_id} have changed since its end: {changed}")
    if read_lock(run.save_dir) != record:
        raise LockError(f"'{run.save_dir}' got another run.lock while its outputs were hashed")
    write_outputs(outputs_list, tree.entries())
    replace_outputs(run.save_dir, Outputs(hash=tree.hash, size_bytes=tree.size_bytes, files=tree.files))
    return tree.hash


def _orphans(root: Path, runs: list[Run]) -> Iterator[str]:
    """Name the snapshots whose runs are not found; nothing is removed, since those may be elsewhere."""
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
