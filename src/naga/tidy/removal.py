"""Which runs below a folder could be removed, and removing them."""

import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from naga.capture.code.git import GitError, Repository
from naga.errors import NagaError, UsageError
from naga.frozen import dataclass
from naga.layout import ARCHIVE, GOING
from naga.process.identity import this_process
from naga.record.schema import Code
from naga.runs.find import Run, each_known_run, each_run
from naga.save_dir.archive import home_of
from naga.save_dir.claim import set_aside

_ENDED_BADLY = ("failed", "killed", "lost")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A run that could be removed: why, its size, and what needs it, if anything."""

    run: Run
    why: str
    size_bytes: int
    needed_by: str = ""


def candidates(root: Path, *, older: timedelta, failed: bool, archived: bool) -> list[Candidate]:
    """List the runs below a folder that could be removed: archived ones, and those that did not finish.

    Without ``failed`` and ``archived`` both kinds are meant.
    """
    both = failed == archived
    runs = list(each_run(root, archived=True))
    meant = []
    for run in runs:
        is_archived = ARCHIVE in run.save_dir.parts and home_of(run.save_dir, run.run_id)[1]
        why = "archived" if is_archived and (both or archived) else ""
        if not why and run.status in _ENDED_BADLY and not is_archived and (both or failed):
            why = run.status
        if why and _age(run) >= older:
            meant.append((run, why))
    staying = _staying({run.folder: run for run in (*runs, *each_known_run())}, [run for run, _ in meant], root)
    return [Candidate(run, why, _size(run.save_dir), staying.get(run.folder, "")) for run, why in meant]


def _staying(runs: Mapping[str, Run], meant: Iterable[Run], root: Path) -> dict[str, str]:
    """Name by folder what needs the runs that are meant to go; a run needed by one that stays, stays too."""
    holding = {str(above): folder for folder, run in runs.items() for above in run.save_dir.parents}
    going = {run.folder: run for run in meant}
    staying: dict[str, str] = {}
    while True:
        needed = {up.run_id: at for at, run in runs.items() if at not in going for up in run.summary.upstream}
        found = {at: why for at, run in going.items() if (why := _keeper(run, root, needed, holding))}
        if not found:
            return staying
        staying |= found
        going = {at: run for at, run in going.items() if at not in found}


def _keeper(run: Run, root: Path, needed: Mapping[str, str], holding: Mapping[str, str]) -> str:
    if run.save_dir.resolve() != root.resolve() / run.save_dir.relative_to(root):
        return "it is behind a link"
    if run.status == "running":
        return "it is running"
    if run.tags:
        return f"tagged {', '.join(run.tags)}"
    if run.run_id in needed:
        return f"'{needed[run.run_id]}' was made from it"
    return f"'{holding[run.folder]}' is in it" if run.folder in holding else ""


def _age(run: Run) -> timedelta:
    with suppress(ValueError, OverflowError):
        return datetime.now(UTC) - datetime.fromisoformat(run.summary.started)
    return timedelta()


def _size(folder: Path) -> int:
    """Add up what a folder holds; what links lead to is not counted."""
    sizes = (os.lstat(os.path.join(at, name)).st_size for at, _, names in os.walk(folder) for name in names)  # noqa: PTH118
    return sum(sizes)


def remove_all(going: Sequence[Candidate], root: Path) -> Iterator[tuple[Candidate, list[str] | NagaError]]:
    """Remove runs, and the refs that only they need; return for each what was done, or why nothing was."""
    places: dict[str, set[str]] = {one.run.run_id: set() for one in going}
    for run in (*each_run(root, archived=True), *each_known_run()):
        places.setdefault(run.run_id, set()).add(run.folder)
    needed: dict[str, str] = {}
    for one in sorted(going, key=lambda one: one.run.summary.started, reverse=True):  # what was made before its source
        run = one.run
        try:
            if run.run_id in needed:
                raise NagaError(
                    f"'{run.folder}' stays: '{needed[run.run_id]}' was made from it, and could not be removed"
                )
            codes = run.record.code
            _remove(run)
        except NagaError as error:
            needed |= {up.run_id: run.folder for up in run.summary.upstream}
            yield one, error
            continue
        places[run.run_id].discard(run.folder)
        yield one, [f"removed {run.folder}", *(_refs_removed(codes, run.run_id) if not places[run.run_id] else ())]


def _remove(run: Run) -> None:
    def renamed(save_dir: Path, _: str) -> Path:
        return save_dir.rename(save_dir.with_name(f"{GOING}{os.urandom(6).hex()}"))

    try:
        # Renamed first: a removal that is interrupted leaves no half of a run that could be taken for one.
        shutil.rmtree(set_aside(run.save_dir, this_process(), run_id=run.run_id, move=renamed))
    except OSError as error:
        where = error.filename or run.folder
        raise NagaError(f"'{where}' cannot be removed: {error.strerror or error}", hint="chmod -R u+w") from error


def _refs_removed(codes: Iterable[Code], run_id: str) -> Iterator[str]:
    for code in codes:
        # The ref of another run is not this one's to remove, whatever its run.lock says.
        if code.ref and code.commit and re.fullmatch(rf"refs/naga/\w+/{re.escape(run_id)}(\+\d+)?", code.ref):
            with suppress(GitError, OSError):
                Repository.find(Path(code.path)).run("update-ref", "-d", code.ref, code.commit)
                yield f"removed {code.ref}"


def finish_removals(root: Path) -> Iterator[str]:
    """Finish removals that were interrupted."""
    for folder, names, _ in os.walk(root):
        for name in [name for name in names if name.startswith(GOING)]:
            names.remove(name)
            shutil.rmtree(Path(folder, name), ignore_errors=True)
            yield f"removed what was left of a removal: {folder}/{name}"


def age_of(text: str) -> timedelta:
    """Read an age: ``30d``, ``12h``, ``2w``.

    Examples
    --------
    >>> age_of("30d").days, age_of("2w").days
    (30, 14)
    """
    read = re.fullmatch(r"(\d+)\s*([hdw])", text.strip())
    if not read:
        raise UsageError(f"--older {text}: not an age", hint="--older 30d")
    return timedelta(hours=int(read[1]) * {"h": 1, "d": 24, "w": 168}[read[2]])
