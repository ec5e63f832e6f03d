"""Where a finished run goes when its save_dir is needed again: ``<parent>/.archive/<name>~<run_id>``.

A copy of a run that was archived before gets ``~2``, ``~3``, ... behind that name. Whoever reads or writes such a name
asks here.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from naga.declarations import Existing
from naga.errors import SaveDirError
from naga.layout import ARCHIVE, LOCK_NAME, OWN_FOLDER, attempts_folder

_COPIES = ("", *(f"~{n}" for n in range(2, 100)))


def archived_places(save_dir: Path, run_id: str) -> Iterator[Path]:
    """Return the folders that a run of ``save_dir`` may have been moved to, in the order of their use."""
    for copy in _COPIES:
        yield save_dir.parent / ARCHIVE / f"{save_dir.name}~{run_id}{copy}"


def home_of(save_dir: Path, run_id: str) -> tuple[Path, bool]:
    """Return the folder that a run was computed in, and whether it is in the archive now."""
    name, mark, copy = save_dir.name.rpartition(f"~{run_id}")
    if save_dir.parent.name == ARCHIVE and mark and (not copy or copy.startswith("~")):
        return save_dir.parent.parent / name, True
    return save_dir, False


def former_runs(home: Path) -> frozenset[str]:
    """Name the runs that a folder held before, archived or tried again; a moved folder keeps its history."""
    archive, mine = home.parent / ARCHIVE, f"{home.name}~"
    moved = [entry for entry in archive.iterdir() if entry.name.startswith(mine)] if archive.is_dir() else []
    tried = (
        lock.stem.partition("-")[2] for folder in (home, *moved) for lock in attempts_folder(folder).glob("*.lock")
    )
    return frozenset((*(entry.name.removeprefix(mine).partition("~")[0] for entry in moved), *tried))


def check_movable(save_dir: Path) -> None:
    """Refuse to move a folder that holds other runs, or that somebody works in."""
    below = next(_other_runs(save_dir), None)
    if below is not None:
        raise SaveDirError(
            f"save_dir '{save_dir}' holds a finished run and other runs below it ('{below}'): it is not moved",
            hint=f"save_dir='{save_dir}-2', or move '{save_dir}' yourself",
        )
    real = save_dir.resolve()
    if real in (Path.cwd(), *Path.cwd().parents) or (save_dir / ".git").exists() or os.path.ismount(save_dir):
        raise SaveDirError(
            f"save_dir '{save_dir}' holds a finished run, and is the folder you work in: it is not moved",
            hint=f"save_dir='{save_dir / 'run-2'}'",
        )


def check_spared(save_dir: Path, needs: Iterable[Path], existing: Existing) -> None:
    """Refuse to move a folder from which the new run reads something."""
    inside = next((path for path in needs if path.resolve().is_relative_to(save_dir.resolve())), None)
    if inside is not None and existing == "archive":
        raise SaveDirError(
            f"save_dir '{save_dir}' holds a finished run, and '{inside}', which this run needs: it is not moved",
            hint="give this run another save_dir",
        )


def _other_runs(save_dir: Path) -> Iterator[Path]:
    for folder, names, files in os.walk(save_dir):
        if OWN_FOLDER in names:
            names.remove(OWN_FOLDER)
        if LOCK_NAME in files and Path(folder) != save_dir:
            yield Path(folder)


def move_to_archive(save_dir: Path, run_id: str) -> Path:
    """Rename a folder to the first free name in the archive, and return that name."""
    (save_dir.parent / ARCHIVE).mkdir(exist_ok=True)
    for target in archived_places(save_dir, run_id):
        # A rename onto an empty folder succeeds on POSIX, so what is there is asked first; two archivers of one run
        # cannot meet here, because only the owner of the claim comes this far.
        if not target.exists():
            with suppress(FileExistsError):
                save_dir.rename(target)
                return target
    archive = save_dir.parent / ARCHIVE
    raise SaveDirError(f"'{archive}' holds too many copies of run {run_id}", hint=f"ls '{archive}'")
