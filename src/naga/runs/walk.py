"""The folders below a root that hold a run.

The names in a folder are taken from an index while the folder's identity and times are the same: adding, removing or
renaming an entry sets them. That holds on the disks of this machine. A server may report them late, and other file
systems never: folders there, folders on other devices than the root, and folders that hold links, whose targets come
and go unseen, are listed each time.
"""

import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from naga.layout import ARCHIVE, GOING, LOCK_NAME, OWN_FOLDER, REPRODUCED

if TYPE_CHECKING:
    from naga.runs.index import Index

_NOT_SEARCHED = frozenset({".git", OWN_FOLDER, REPRODUCED, ".venv", "__pycache__", "mlruns", "node_modules"})
_LOCAL = frozenset({"ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "f2fs", "bcachefs", "jfs", "tmpfs", "overlay"})
_RUN = b"*"  # before the names of a folder that holds a run.lock


def run_folders(root: str, index: "Index", *, archived: bool) -> Iterator[str]:
    """Yield the folders that hold a run.lock, each before those below it, in the order of their names."""
    searched = [os.path.realpath(root)]
    device = os.stat(root).st_dev if os.path.isdir(root) and is_local(root) else None  # noqa: PTH112, PTH116
    waiting = [root]
    while waiting:
        folder = waiting.pop()
        try:
            has_run, names, links = _entries(folder, index, device)
        except OSError:
            continue
        if has_run:
            yield folder
        base = folder.rstrip("/")
        below = [f"{base}/{name}" for name in names if archived or name != ARCHIVE]
        waiting += reversed([path for path in below if path not in links or _is_new(path, searched)])


def _entries(folder: str, index: "Index", device: int | None) -> tuple[bool, list[str], frozenset[str]]:
    """Return whether a folder holds a run.lock, the folders in it, and those of them that are links."""
    from naga.runs.index import packed

    about = os.stat(folder)  # noqa: PTH116  # a hundred thousand of them
    state = packed(about) if about.st_dev == device else b""
    known = index.names(folder, state)
    if known is not None:
        return known[:1] == _RUN, [*filter(None, os.fsdecode(known[1:]).split("/"))], frozenset()
    has_run, names, links = False, [], set()
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name == LOCK_NAME and not entry.is_dir():
                has_run = True
            elif entry.name not in _NOT_SEARCHED and not entry.name.startswith(GOING) and entry.is_dir():
                names.append(entry.name)
            if entry.is_symlink():
                links.add(f"{folder.rstrip('/')}/{entry.name}")
    names.sort()
    noted = (_RUN if has_run else b"-") + os.fsencode("/".join(names))
    index.note_names(folder, b"" if links else state, noted, has_run=has_run)
    return has_run, names, frozenset(links)


def _is_new(folder: str, searched: list[str]) -> bool:
    """Return whether a linked folder is not searched already: it may lead back, or above the root of the search."""
    real = os.path.realpath(folder)
    if any(f"{real}/".startswith(f"{known}/") or f"{known}/".startswith(f"{real}/") for known in searched):
        return False
    searched.append(real)
    return True


@cache
def _mounts() -> tuple[tuple[str, str], ...]:
    """Return the mount points of file systems and their types, as Linux lists them; the longest first."""
    try:
        lines = Path("/proc/self/mountinfo").read_text(errors="surrogateescape").splitlines()
    except OSError:
        return ()
    found = [(line.split()[4], line.partition(" - ")[2].split()[0]) for line in lines]
    return tuple(sorted(found, key=lambda mount: len(mount[0]), reverse=True))


def is_local(path: str) -> bool:
    """Say whether a path is on a disk of this machine; False where that is not known."""
    real = os.path.realpath(path).translate({ord(sign): f"\\{ord(sign):03o}" for sign in " \t\n\\"})
    return next((kind in _LOCAL for place, kind in _mounts() if f"{real}/".startswith(f"{place.rstrip('/')}/")), False)
