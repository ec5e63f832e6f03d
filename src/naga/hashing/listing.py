"""Listing a folder of any depth and size, without reading its files.

The list is flat and each folder names its parent, so nothing here or in the hash recurses. Folders are opened relative
to the first one and in pieces, because a path 5,000 levels deep is longer than the kernel takes in one call.

A million files are a million rows, so a row is one `bytes` object: the name, a zero byte, and the file's state.
"""

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import field
from pathlib import Path
from struct import Struct
from typing import Self

from naga.frozen import dataclass

LeaveOut = Callable[[bytes, int], bool]  # (path below the root, its st_mode) -> is it left out
Advance = Callable[[int, int], object]  # (files, bytes) done since the last call
Refused = list[tuple[bytes, str]]  # path below the root, why

_STATE = Struct("<QQQqq")  # device, inode, size, mtime_ns, ctime_ns: what changes when the content does
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_RECENT = 16  # folders that stay open
_LONGEST = 4000  # bytes of a path that the kernel takes in one call
_SPECIAL = {
    stat.S_IFIFO: "fifo",
    stat.S_IFSOCK: "socket",
    stat.S_IFCHR: "character device",
    stat.S_IFBLK: "block device",
}


@dataclass(slots=True)
class Folder:
    """One folder of a listing: what is directly in it, sorted by name."""

    path: bytes  # below the root; the root's own is empty
    parent: int  # its place in the listing; the root is its own
    rows: list[bytes] = field(default_factory=list)  # one for each file
    links: list[tuple[bytes, bytes]] = field(default_factory=list)  # name, target
    size_bytes: int = 0
    hides: bool = False  # something in it was left out
    shares: bool = False  # a file in it has other names, perhaps in this listing


def bare_row(name: bytes, size_bytes: int) -> bytes:
    """Make a row of something whose only state is its size."""
    return name + b"\0" + _STATE.pack(0, 0, size_bytes, 0, 0)


def row_of(name: bytes, status: os.stat_result) -> bytes:
    """Make the row of a file."""
    return name + b"\0" + pack_state(status)


def pack_state(status: os.stat_result) -> bytes:
    """Pack the state of a file, which differs before and after a change."""
    return _STATE.pack(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def name_of(row: bytes) -> bytes:
    """Read the name in a row."""
    return row[: -_STATE.size - 1]


def state_of(row: bytes) -> bytes:
    """Read the state in a row: equal for two names of one file."""
    return row[-_STATE.size :]


def size_of(row: bytes) -> int:
    """Read the size in a row."""
    size: int = _STATE.unpack_from(row, len(row) - _STATE.size)[2]
    return size


def touched_ns(row: bytes) -> int:
    """Read when the file of a row was last touched."""
    newest: int = max(_STATE.unpack_from(row, len(row) - _STATE.size)[3:])
    return newest


def split_rows(rows: bytes) -> Iterator[bytes]:
    """Split joined rows."""
    start = 0
    while start < len(rows):
        end = rows.index(b"\0", start) + 1 + _STATE.size
        yield rows[start:end]
        start = end


def join(*names: bytes) -> bytes:
    """Join the parts of a path, empty ones left out."""
    return b"/".join(name for name in names if name)


class Root:
    """A folder, and what opens the folders below it; a context."""

    def __init__(self, path: Path) -> None:
        self._root = os.open(path, _FOLDER)
        self._recent: dict[bytes, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for descriptor in (self._root, *self._recent.values()):
            os.close(descriptor)

    def open(self, path: bytes) -> int:
        """Open a folder below; the descriptor stays good until some others were asked for."""
        if not path:
            return self._root
        if path not in self._recent:
            self._recent[path] = self._open(path)
            if len(self._recent) > _RECENT:
                os.close(self._recent.pop(next(iter(self._recent))))
        return self._recent[path]

    def _open(self, path: bytes) -> int:
        above, _, name = path.rpartition(b"/")
        if above in self._recent:  # else a folder 5,000 levels deep costs 5,000 steps
            return os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=self._recent[above])
        here = os.dup(self._root)
        while path:
            cut = len(path) if len(path) <= _LONGEST else path.rindex(b"/", 0, _LONGEST)
            try:
                deeper = os.open(path[:cut], _FOLDER | os.O_NOFOLLOW, dir_fd=here)
            finally:
                os.close(here)
            here, path = deeper, path[cut + 1 :]
        return here


def scan(root: Root, leave_out: LeaveOut | None, advance: Advance) -> tuple[list[Folder], Refused]:
    """List everything below an open folder, each folder after its parent; links are not followed."""
    folders: list[Folder] = [Folder(b"", 0)]
    refused: Refused = []
    for place, folder in enumerate(folders):  # which grows meanwhile
        try:
            for name, status in _list_one(root.open(folder.path), folder, leave_out):
                if stat.S_ISDIR(status.st_mode):
                    folders.append(Folder(join(folder.path, name), place))
                else:
                    refused.append((join(folder.path, name), kind_of(status)))
            advance(len(folder.rows), folder.size_bytes)
        except OSError as error:
            refused.append((folder.path, str(error.strerror)))
    return folders, refused


def _list_one(descriptor: int, folder: Folder, leave_out: LeaveOut | None) -> Iterator[tuple[bytes, os.stat_result]]:
    """Fill in the files and links of a folder; yield everything else in it."""
    with os.scandir(descriptor) as entries:
        for entry in entries:
            try:
                name, status = os.fsencode(entry.name), entry.stat(follow_symlinks=False)
                if leave_out is not None and leave_out(join(folder.path, name), status.st_mode):
                    folder.hides = True
                elif stat.S_ISREG(status.st_mode):
                    folder.rows.append(row_of(name, status))
                    folder.size_bytes += status.st_size
                    folder.shares |= status.st_nlink > 1
                elif stat.S_ISLNK(status.st_mode):
                    folder.links.append((name, os.readlink(name, dir_fd=descriptor)))
                else:
                    yield name, status
            except FileNotFoundError:  # removed since it was listed
                continue
    # The zero byte sorts before any byte of a longer name, so rows sort as their names do.
    folder.rows.sort()
    folder.links.sort()


def kind_of(status: os.stat_result) -> str:
    """Name what is neither a file, a folder nor a link."""
    return _SPECIAL.get(stat.S_IFMT(status.st_mode), "something unknown")


def ignored_by_patterns(patterns: Sequence[str]) -> LeaveOut | None:
    """Read gitignore patterns; they count from the tracked folder."""
    if not patterns:
        return None
    from pathspec import GitIgnoreSpec

    spec = GitIgnoreSpec.from_lines(patterns)

    def leave_out(path: bytes, mode: int) -> bool:
        return spec.match_file(os.fsdecode(path) + "/" * stat.S_ISDIR(mode))

    return leave_out
