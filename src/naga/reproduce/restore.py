"""Restoring what a run needs to be computed again: its code, and its inputs where its relative paths lead.

Nothing of the user's is written: the code is a copy in a folder of Naga's, and so are inputs that are not too large.
"""

import glob
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import field, replace
from pathlib import Path
from typing import Any

from naga.capture.code.checkout import lay_out, real_folder
from naga.capture.code.git import GitError, Repository
from naga.capture.data.inputs import hash_again
from naga.compare.lineage import base_of, find_upstream
from naga.errors import NagaError
from naga.frozen import dataclass
from naga.paths import relocated
from naga.process.entry_point import is_called, script_module
from naga.project import top_of
from naga.record.schema import Code, Data, Record, Upstream
from naga.reproduce.inputs import Inputs
from naga.reproduce.verdict import files_of
from naga.runs.find import Run, load_run


@dataclass(frozen=True, slots=True)
class Restored:
    """Where a run can be computed again.

    ``script`` is the file that the task is in, ``folders`` where each repository is laid out, and ``moved`` where
    upstream runs are now that the configuration names elsewhere.
    """

    cwd: Path
    script: Path
    folders: Mapping[str, str] = field(default_factory=dict)
    moved: Mapping[str, str] = field(default_factory=dict)


class NotRestoredError(NagaError):
    """Something that a run needs is no longer there; ``reasons`` name all of it."""

    def __init__(self, message: str, *, hint: str = "", reasons: Sequence[str] = ()) -> None:
        super().__init__(message, hint=hint)
        self.reasons = tuple(reasons or (message,))


def lacks(run: Run) -> list[str]:
    """Name what is missing for computing a run again, apart from its inputs."""
    record = run.record
    if record.status != "finished":
        return [f"the run is {run.status}, not finished"]
    if not record.outputs or not record.outputs.hash:
        return [f"its outputs are not known: {record.outputs.reason if record.outputs else 'no @runlock'}"]
    if record.outputs.files and not files_of(run):
        return ["its outputs are not known: they have changed, and .naga/outputs.json is gone"]
    reasons = list(_lacking_code(record))
    if any("ipykernel" in word or "kernel_launcher" in word for word in record.process.argv):
        reasons.append("it ran in a notebook")
    if (record.process.ranks or 1) > 1:
        reasons.append(f"{record.process.ranks} processes computed it together, and this is one")
    system = record.environment.platform.partition("-")[0] if record.environment else ""
    if system not in ("", os.uname().sysname):
        reasons.append(f"environment: it ran on {system}, and this is {os.uname().sysname}")
    return reasons


def _lacking_code(record: Record) -> Iterator[str]:
    if not record.code:
        yield "code: it has no snapshot (@snapshot)"
    for code in record.code:
        if not code.commit:
            yield f"code: {code.name}: {code.reason}"
        elif repository_of(code, record.code) is None:
            get = "git fetch origin 'refs/naga/*:refs/naga/*'"
            yield f"code: commit {code.commit[:12]} of {code.name} is neither in {code.path} nor here ({get})"


def changed_inputs(record: Record, *, fresh: bool = True, code: Path | None = None) -> Iterator[str]:
    """Name the inputs and upstream runs that have changed, and how; files are read, or known to the hash cache.

    ``code`` is the folder in which the laid-out code starts: an input that it brings as it was has not changed.
    """
    base = base_of(record)
    places = {upstream.save_dir: place_of_upstream(upstream, base) for upstream in record.upstream}
    runs = [replace(upstream, save_dir=str(places[upstream.save_dir])) for upstream in record.upstream]
    found = {old: str(new) for old, new in places.items() if new}
    for key, data in record.data.items():
        now = replace(data, path=relocated(data.path, found))
        change = _change(key, now, base, runs, fresh=fresh)
        if change and not (code and not _change(key, data, code, (), fresh=fresh)):
            yield change
    for upstream in record.upstream:
        if places[upstream.save_dir] is None:
            yield f"upstream: {upstream.save_dir} is no longer run {upstream.run_id} as it was"


def _change(key: str, data: Data, base: Path, runs: Sequence[Upstream], *, fresh: bool) -> str:
    if not data.hash:
        return f"data: {key}: {data.reason}"
    try:
        is_same = hash_again(key, data, base, runs, fresh=fresh).hash == data.hash
    except NagaError as error:
        return f"data: {error.message}"
    return "" if is_same else f"data: {key} = {data.path} has changed"


def place_of_upstream(upstream: Upstream, base: Path) -> Path | None:
    """Find an unchanged upstream run: at its place, in the archive, or wherever its run_id is found."""
    found = find_upstream(upstream, base)
    if found is None:
        with suppress(NagaError):
            run = load_run(upstream.run_id, base)
            found = run.save_dir if run.lock_hash == upstream.lock_hash else None
    return found


def restore(run: Run, folder: Path, *, current: bool = False) -> Restored:
    """Lay out a run's code and inputs below a folder; with ``current``, use today's code where the run's was."""
    record, base = run.record, base_of(run.record)
    _refuse(run, lacks(run))
    found = {upstream.save_dir: place_of_upstream(upstream, base) for upstream in record.upstream}
    # One at a relative path is laid out there.
    moved = {old: str(new) for old, new in found.items() if new and os.path.isabs(old) and Path(old) != new}  # noqa: PTH117
    if current:
        _refuse(run, list(changed_inputs(record, fresh=False)))
        top = Path(record.code[0].path)
        return Restored(base, _script(record, base, top if top.is_dir() else base, Path("/")), moved=moved)
    places = lay_out_code(record.code, folder, mirrored=True)
    for place in places:
        (place / ".git").touch()  # what searches for the root of the project stops here
    start = at_its_place(folder, record.process.cwd)
    start.mkdir(parents=True, exist_ok=True)
    _refuse(run, list(changed_inputs(record, fresh=False, code=start)))
    script = _script(record, start, places[0], folder)
    link_inputs(record, start, base, top=folder)
    folders = {code.path: str(place) for code, place in zip(record.code, places, strict=True)}
    return Restored(start, script, folders, moved)


def _refuse(run: Run, reasons: Sequence[str]) -> None:
    if reasons:
        raise NotRestoredError(f"run {run.run_id} cannot be computed again: {reasons[0]}", reasons=reasons)


def at_its_place(folder: Path, path: str) -> Path:
    """Return the place of an absolute path below a folder, so that relative paths between them still lead there."""
    return folder / os.path.normpath(f"/{path}").lstrip("/")


def lay_out_code(codes: Sequence[Code], folder: Path, *, mirrored: bool = False) -> list[Path]:
    """Lay out the commits of a run, nested repositories inside their outer ones; return the folder of each.

    They are named as their repositories are, or, ``mirrored``, are where those were.
    """
    places: list[Path] = []
    for code in codes:
        if code.name == ".." or "/" in code.name:
            raise NotRestoredError(f"code: {code.name!r} is not the name of a repository")
        place = at_its_place(folder, code.path) if mirrored else _named_place(code, codes, places, folder)
        try:
            if (repository := repository_of(code, codes)) is None:
                raise GitError(f"no repository with commit {code.commit} is here")
            folder.mkdir(parents=True, exist_ok=True)
            real_folder(folder, place)
            lay_out(repository, str(code.commit), place)
        except (GitError, OSError) as error:
            raise NotRestoredError(f"code: {code.name} cannot be laid out: {error}") from error
        places.append(place)
    return places


def _named_place(code: Code, codes: Sequence[Code], places: Sequence[Path], folder: Path) -> Path:
    path = Path(os.path.normpath(code.path))
    for outer, place in reversed(list(zip(codes, places, strict=False))):
        if path.is_relative_to(outer.path):
            return place / path.relative_to(outer.path)
    is_first = all(one.name != code.name for one in codes[: len(places)])
    return folder / (code.name if is_first else f"{code.name}-{len(places)}")


def repository_of(code: Code, codes: Sequence[Code]) -> Repository | None:
    """Find the repository of a commit: in its place, here, or in the same place relative to the one that is here."""
    here = top_of(Path.cwd()) or Path.cwd()
    beside = Path(os.path.normpath(here / os.path.relpath(code.path, codes[0].path)))
    for place in dict.fromkeys((Path(code.path), here, beside)):
        with suppress(GitError, OSError, ValueError):
            found = Repository.find(place)
            found.run("cat-file", "-e", f"{code.commit}^{{tree}}")
            return found
    return None


def _script(record: Record, start: Path, top: Path, root: Path) -> Path:
    """Find the file of the task: the one that was typed, absolute ones below ``root``, or the only one of its name."""
    module, _, _ = record.task.rpartition(".")
    words = [word for word in record.process.argv[1:] if word.endswith(".py")]
    typed = [at_its_place(root, word) if Path(word).is_absolute() else start / word for word in words]
    named = [file for file in typed if file.is_file() and is_called(module, script_module(file))]
    found = named or [file for file in top.rglob(f"{module.rpartition('.')[2]}.py") if file.is_file()]
    found = found or [file for file in top.rglob("__main__.py") if script_module(file) == module]
    if len(found) != 1:
        what = "is in no file of the snapshot" if not found else f"may be in {len(found)} files of the snapshot"
        raise NotRestoredError(f"code: the task {record.task} {what}")
    return found[0]


def link_inputs(record: Record, start: Path, base: Path, *, top: Path | None = None) -> None:
    """Put inputs and upstream runs below ``top`` where the recorded relative paths lead from ``start``."""
    inputs = Inputs(top or start)
    found = {upstream.save_dir: place_of_upstream(upstream, base) for upstream in record.upstream}
    for key, data in record.data.items():
        words = list(texts(data.path))
        is_relative = not any(map(os.path.isabs, words))
        if is_relative and not _change(key, data, start, (), fresh=False):
            continue  # the code has brought it
        for word in words:
            is_pattern = glob.has_magic(word)
            # Not Path.glob: names that begin with a dot, and absolute patterns, are another matter there.
            names = glob.glob(word, root_dir=base, recursive=True) if is_pattern else [word]  # noqa: PTH207
            found |= {name: base / name for name in names if name not in found}
    for path, source in sorted(found.items(), key=lambda pair: Path(pair[0]).parts):
        if not os.path.isabs(path) and source and source.exists():  # noqa: PTH117
            inputs.lay(source, Path(os.path.normpath(start / path)))


def texts(held: Any) -> Iterator[str]:
    """Yield the texts in a plain value: the paths of inputs."""
    if isinstance(held, str):
        yield held
    elif isinstance(held, Iterable):
        for item in held.values() if isinstance(held, dict) else held:
            yield from texts(item)
