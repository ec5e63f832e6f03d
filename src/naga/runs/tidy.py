"""Making room: what of the runs below a folder could go, and removing it. Nothing else in Naga deletes a run."""

import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from naga.capture.code.git import GitError, Repository
from naga.errors import NagaError, UsageError
from naga.frozen import dataclass
from naga.layout import ARCHIVE
from naga.process.identity import this_process
from naga.runs.find import Run, each_run
from naga.runs.index import known_roots
from naga.save_dir.archive import home_of
from naga.save_dir.claim import set_aside

_ENDED_BADLY = ("failed", "killed", "lost")
_GOING = ".naga-going-"  # the name of a folder that is being removed


@dataclass(frozen=True, slots=True)
class Candidate:
    """A run that could go: why, how large it is, and, where it stays all the same, what keeps it."""

    run: Run
    why: str
    size_bytes: int
    kept_by: str = ""


def candidates(root: Path, *, older: timedelta, failed: bool, archived: bool) -> list[Candidate]:
    """List the runs below a folder that could go: archived ones, and those that did not finish.

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
    going = {run.run_id for run, _ in meant}
    needed = _needed(runs, going)
    return [Candidate(run, why, _size(run.save_dir), _keeper(run, needed)) for run, why in meant]


def _keeper(run: Run, needed: dict[str, str]) -> str:
    if run.tags:
        return f"tagged {', '.join(run.tags)}"
    if run.run_id in needed:
        return f"'{needed[run.run_id]}' was made from it"
    inside = next((one.save_dir for one in each_run(run.save_dir, archived=True) if one.save_dir != run.save_dir), None)
    return f"'{inside}' lies in it" if inside else ""


def _needed(runs: Sequence[Run], going: set[str]) -> dict[str, str]:
    """Name, of each run that others rest on, one that stays: here, and wherever runs have been looked for."""
    everywhere = [run for root in known_roots() for run in each_run(root, archived=True)]
    staying = {str(run.save_dir): run for run in (*runs, *everywhere) if run.run_id not in going}
    return {up.run_id: place for place, run in staying.items() for up in run.summary.upstream}


def _age(run: Run) -> timedelta:
    with suppress(ValueError, OverflowError):
        return datetime.now(UTC) - datetime.fromisoformat(run.summary.started)
    return timedelta()


def _size(folder: Path) -> int:
    """Add up what a folder holds; what lies behind links is not in it."""
    sizes = (os.lstat(os.path.join(at, name)).st_size for at, _, names in os.walk(folder) for name in names)  # noqa: PTH118
    return sum(sizes)


def remove(candidate: Candidate) -> Iterator[str]:
    """Remove a run, and the refs that only it needs; give what was done."""
    run = candidate.run
    codes = [code for code in run.record.code if code.ref]
    place = run.save_dir if candidate.why == "archived" else set_aside(run.save_dir, this_process())
    # Renamed first: a removal that is interrupted leaves no half of a run that could be taken for one.
    going = place.with_name(f"{_GOING}{os.urandom(6).hex()}")
    try:
        place.rename(going)
        shutil.rmtree(going)
    except OSError as error:
        raise NagaError(
            f"'{place}' cannot be removed: {error.strerror or error}", hint=f"chmod -R u+w '{place}'"
        ) from error
    yield f"removed {run.save_dir}"
    if any(other.run_id == run.run_id for root in known_roots() for other in each_run(root, archived=True)):
        return
    for code in codes:
        with suppress(GitError, OSError):
            Repository.find(Path(code.path)).run("update-ref", "-d", str(code.ref), str(code.commit))
            yield f"removed {code.ref}"


def finish_removals(root: Path) -> Iterator[str]:
    """Go on with what a removal that was interrupted has left."""
    for folder, names, _ in os.walk(root):
        for name in [name for name in names if name.startswith(_GOING)]:
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
