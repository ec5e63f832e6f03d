"""Putting inputs where a run finds them by its relative paths, protected against being written to.

They are copies that share the originals' blocks where the file system can do that, else copies up to a size in all, and
links beyond it: the originals are looked at again after the run.
"""

import filecmp
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from naga.capture.code.checkout import real_folder

COPIED = 64 * 2**20  # bytes, of all inputs of a run
_LEAST = 16 * 2**10  # what a file counts at least: many small ones take time, too
_FICLONE = 0x40049409  # ioctl_ficlone(2)


class Inputs:
    """Lays out inputs below a folder."""

    def __init__(self, top: Path) -> None:
        self._top = Path(os.path.realpath(top))
        self._left = COPIED

    def lay(self, source: Path, place: Path) -> None:
        """Put the content of a path in a place; an equal file that the code has put there stays."""
        place = Path(os.path.realpath(place.parent), place.name)
        if not place.is_relative_to(self._top):
            return  # through a link of the code: it is not in our hands
        real_folder(self._top, place.parent)
        source = source.resolve() if source.exists() else source
        size = sum(_sizes(source, self._left))
        if size > self._left and not _shares_blocks(source, place.parent):
            self._link(source, place)
        else:
            self._left -= size if size <= self._left else 0
            _copy(source, place, source)

    def _link(self, source: Path, place: Path) -> None:
        if place.is_dir() and not place.is_symlink() and source.is_dir():
            for child in source.iterdir():
                self.lay(child, place / child.name)
        elif not _is_same(source, place):
            place.unlink(missing_ok=True)
            place.symlink_to(source)


def _sizes(source: Path, most: int) -> Iterator[int]:
    """Yield the sizes of files until their sum exceeds a number."""
    files = (Path(folder, name) for folder, _, names in os.walk(source) for name in names)
    total = 0
    for file in [source] if source.is_file() else files:
        with suppress(OSError):
            size = max(file.lstat().st_size, _LEAST)
            yield size
            total += size
        if total > most:
            return


def _shares_blocks(source: Path, folder: Path) -> bool:
    """Find out, by trying, whether copies of a file can share its blocks: Btrfs, XFS and others."""
    files = (Path(above, name) for above, _, names in os.walk(source) for name in names)
    first = source if source.is_file() else next((file for file in files if file.is_file()), None)
    probe = folder / ".naga-probe"
    try:
        return first is not None and _clone(first, probe)
    finally:
        probe.unlink(missing_ok=True)


def _clone(source: Path, place: Path) -> bool:
    import fcntl

    try:
        with source.open("rb") as old, place.open("xb") as new:
            fcntl.ioctl(new.fileno(), _FICLONE, old.fileno())
    except OSError:
        place.unlink(missing_ok=True)
        return False
    return True


def _copy(source: Path, place: Path, top: Path) -> None:
    mode = source.lstat().st_mode
    if stat.S_ISDIR(mode):
        place.mkdir(exist_ok=True)
        for child in source.iterdir():
            _copy(child, place / child.name, top)
    elif stat.S_ISLNK(mode):
        leads_out = source.exists() and not source.resolve().is_relative_to(top)
        place.unlink(missing_ok=True)
        place.symlink_to(source.resolve() if leads_out else source.readlink())
    elif stat.S_ISREG(mode) and not _is_same(source, place):
        place.unlink(missing_ok=True)
        if not _clone(source, place):
            shutil.copyfile(source, place)
        shutil.copystat(source, place)


def _is_same(source: Path, place: Path) -> bool:
    return place.is_file() and not place.is_symlink() and filecmp.cmp(source, place, shallow=False)
