"""Laying out what a run needs to be computed again: its code, and its inputs where its relative paths find them.

Nothing of the user's is written: the code is a copy in a folder of Naga's, and inputs are links to where they lie.
"""

import glob
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from naga.capture.code.checkout import lay_out, real_folder
from naga.capture.code.git import GitError, Repository
from naga.capture.data.inputs import hash_again
from naga.compare.lineage import base_of, find_upstream
from naga.errors import NagaError
from naga.frozen import dataclass
from naga.process.entry_point import is_called, script_module
from naga.record.schema import Code, Record
from naga.runs.find import Run


@dataclass(frozen=True, slots=True)
class Restored:
    """Where a run can be computed again: the folder that it starts in, and its script."""

    cwd: Path
    script: Path


class NotRestoredError(NagaError):
    """What a run needs is not there any more; ``reasons`` name all of it."""

    def __init__(self, message: str, *, hint: str = "", reasons: Sequence[str] = ()) -> None:
        super().__init__(message, hint=hint)
        self.reasons = tuple(reasons or (message,))


def why_not(run: Run) -> list[str]:
    """Name, without running anything, what keeps a run from being computed again; its inputs are read."""
    return lacks(run) or list(changed_inputs(run.record))


def lacks(run: Run) -> list[str]:
    """Name what a run lacks for being computed again, but for its inputs."""
    record = run.record
    if record.status != "finished":
        return [f"the run is {run.status}, not finished"]
    if not record.outputs or not record.outputs.hash:
        return [f"its outputs are not known: {record.outputs.reason if record.outputs else 'no @runlock'}"]
    reasons = list(_lacking_code(record))
    if any(record.process.argv[1:2] == ("-m",) and "ipykernel" in word for word in record.process.argv):
        reasons.append("it ran in a notebook")
    return reasons


def _lacking_code(record: Record) -> Iterator[str]:
    if not record.code:
        yield "code: it has no snapshot (@snapshot)"
    for code in record.code:
        if not code.commit:
            yield f"code: {code.name}: {code.reason}"
        else:
            try:
                _repository(code).run("cat-file", "-e", f"{code.commit}^{{tree}}")
            except (GitError, OSError):
                yield f"code: commit {code.commit[:12]} of {code.name} is not in {code.path}"


def changed_inputs(record: Record) -> Iterator[str]:
    """Name the inputs and upstream runs that are not as they were; all are read."""
    base = base_of(record)
    for key, data in record.data.items():
        if not data.hash:
            yield f"data: {key}: {data.reason}"
            continue
        try:
            if hash_again(key, data, base, record.upstream).hash != data.hash:
                yield f"data: {key} = {data.path} has changed"
        except NagaError as error:
            yield f"data: {error.message}"
    for upstream in record.upstream:
        if find_upstream(upstream, base) is None:
            yield f"upstream: {upstream.save_dir} is no longer run {upstream.run_id} as it was"


def restore(run: Run, folder: Path, *, current: bool = False) -> Restored:
    """Lay out a run's code and inputs below a folder; with ``current``, find today's code where the run's was."""
    record = run.record
    if reasons := why_not(run):
        raise NotRestoredError(f"run {run.run_id} cannot be computed again: {reasons[0]}", reasons=reasons)
    if current:
        start, top = base_of(record), Path(record.code[0].path)
        return Restored(start, _script(record, start, top if top.is_dir() else start))
    places = lay_out_code(record.code, folder)
    top = places[0]
    start = _moved(Path(record.process.cwd), record.code, places) or top
    start.mkdir(parents=True, exist_ok=True)
    script = _script(record, start, top)
    link_inputs(record, start, base_of(record))
    return Restored(start, script)


def lay_out_code(codes: Sequence[Code], folder: Path) -> list[Path]:
    """Lay out the commits of a run, those that lay in others at their places in them, and give where each is."""
    places: list[Path] = []
    for code in codes:
        if code.name == ".." or "/" in code.name:
            raise NotRestoredError(f"code: {code.name!r} is no name of a repository")
        inside = _moved(Path(code.path), codes[: len(places)], places)
        is_first = all(one.name != code.name for one in codes[: len(places)])
        place = inside or folder / (code.name if is_first else f"{code.name}-{len(places)}")
        if inside:
            real_folder(folder, inside)
        try:
            lay_out(_repository(code), str(code.commit), place)
        except (GitError, OSError) as error:
            raise NotRestoredError(f"code: {code.name} cannot be laid out: {error}") from error
        places.append(place)
    return places


def _moved(path: Path, codes: Sequence[Code], places: Sequence[Path]) -> Path | None:
    """Say where a path of the run's machine is among the laid-out repositories."""
    for code, place in reversed(list(zip(codes, places, strict=True))):
        if path.is_relative_to(code.path):
            return place / path.relative_to(code.path)
    return None


def _repository(code: Code) -> Repository:
    """Find the repository that has a commit: where it was, or the one that we are in."""
    place = Path(code.path)
    return Repository.find(place if place.is_dir() else Path.cwd())


def _script(record: Record, start: Path, top: Path) -> Path:
    """Find the file that the task is in: the one that was typed, or the only one of its name."""
    module, _, _ = record.task.rpartition(".")
    typed = [start / word for word in record.process.argv[1:] if word.endswith(".py")]
    named = [file for file in typed if file.is_file() and is_called(module, script_module(file))]
    found = named or [file for file in top.rglob(f"{module.rpartition('.')[2]}.py") if file.is_file()]
    found = found or [file for file in top.rglob("__main__.py") if script_module(file) == module]
    if len(found) != 1:
        what = "is in no file of the snapshot" if not found else f"may be in {len(found)} files of the snapshot"
        raise NotRestoredError(f"code: the task {record.task} {what}")
    return found[0]


def link_inputs(record: Record, start: Path, base: Path) -> None:
    """Lay links to inputs and upstream runs where the recorded relative paths find them."""
    for upstream in record.upstream:
        _link(upstream.save_dir, start, find_upstream(upstream, base))
    for data in record.data.values():
        for word in _paths(data.path):
            is_pattern = glob.has_magic(word)
            # Not Path.glob: names that begin with a dot, and absolute patterns, are another matter there.
            for found in glob.glob(word, root_dir=base, recursive=True) if is_pattern else [word]:  # noqa: PTH207
                _link(found, start, base / found)


def _link(path: str, start: Path, target: Path | None) -> None:
    place = start / path
    if os.path.isabs(path) or target is None or os.path.lexists(place):  # noqa: PTH117  # what the code brought stays
        return
    if any(parent.is_symlink() for parent in place.parents if parent != start and parent.is_relative_to(start)):
        return  # it lies in what was linked as a whole
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(target.resolve() if target.exists() else target)


def _paths(held: Any) -> Iterator[str]:
    if isinstance(held, str):
        yield held
    elif isinstance(held, Iterable):
        for item in held.values() if isinstance(held, dict) else held:
            yield from _paths(item)
