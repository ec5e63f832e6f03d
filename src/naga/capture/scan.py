"""Listing a folder, however deep, wide or odd, without reading a byte of its files.

The list is flat and each folder names its parent, so nothing here or in the hash recurses. Folders are opened relative
to the first one and in pieces, because a path 5,000 levels deep is longer than the kernel takes in one call.
"""

import os
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

__all__ = ["Folder", "LeaveOut", "Listing", "ignored", "kind_of", "open_below", "scan"]

LeaveOut = Callable[[bytes, int], bool]  # (path below the root, its st_mode) -> is it left out

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_LONGEST = 4000  # bytes of a path that the kernel takes in one call
_SPECIAL = {
    stat.S_IFIFO: "fifo",
    stat.S_IFSOCK: "socket",
    stat.S_IFCHR: "character device",
    stat.S_IFBLK: "block device",
}


@dataclass(slots=True)
class Folder:
    """One folder of a listing: what lies directly in it."""

    path: bytes  # below the root; the root's own is empty
    parent: int  # its place in the listing; the root is its own
    names: list[bytes] = field(default_factory=list)  # of the files
    stats: list[os.stat_result] = field(default_factory=list)  # of the files, in the same order
    links: list[tuple[bytes, bytes]] = field(default_factory=list)  # name, target
    hides: bool = False  # something in it was left out


@dataclass(frozen=True, slots=True)
class Listing:
    """The folders below a root, each after its parent, and what could not be listed: path and why."""

    folders: list[Folder]
    refused: list[tuple[bytes, str]]


def scan(root: int, leave_out: LeaveOut | None) -> Listing:
    """List everything below an open folder; links are not followed."""
    listing = Listing([Folder(b"", 0)], [])
    for place, folder in enumerate(listing.folders):  # which grows meanwhile
        try:
            descriptor = open_below(root, folder.path, _FOLDER)
        except OSError as error:
            listing.refused.append((folder.path, str(error.strerror)))
            continue
        try:
            _list_one(descriptor, place, listing, leave_out)
        finally:
            os.close(descriptor)
    return listing


def _list_one(descriptor: int, place: int, listing: Listing, leave_out: LeaveOut | None) -> None:
    folder = listing.folders[place]
    below = folder.path + b"/" if folder.path else b""
    with os.scandir(descriptor) as entries:
        for entry in entries:
            name = os.fsencode(entry.name)
            try:
                status = entry.stat(follow_symlinks=False)
            except FileNotFoundError:  # removed since it was listed
                continue
            if leave_out is not None and leave_out(below + name, status.st_mode):
                folder.hides = True
                continue
            kind = stat.S_IFMT(status.st_mode)
            if kind == stat.S_IFREG:
                folder.names.append(name)
                folder.stats.append(status)
            elif kind == stat.S_IFDIR:
                listing.folders.append(Folder(below + name, place))
            elif kind == stat.S_IFLNK:
                folder.links.append((name, os.fsencode(os.readlink(entry.name, dir_fd=descriptor))))
            else:
                listing.refused.append((below + name, kind_of(status)))


def kind_of(status: os.stat_result) -> str:
    """Name what is neither a file, a folder nor a link."""
    return _SPECIAL.get(stat.S_IFMT(status.st_mode), "something unknown")


def open_below(root: int, path: bytes, flags: int) -> int:
    """Open what lies at `path` below an open folder, in as many steps as its length asks for."""
    here = root
    try:
        while len(path) > _LONGEST:
            cut = path.rindex(b"/", 0, _LONGEST)
            deeper = os.open(path[:cut], _FOLDER, dir_fd=here)
            if here != root:
                os.close(here)
            here, path = deeper, path[cut + 1 :]
        return os.open(path or b".", flags | os.O_CLOEXEC | os.O_NOFOLLOW, dir_fd=here)
    finally:
        if here != root:
            os.close(here)


def ignored(patterns: Sequence[str]) -> LeaveOut | None:
    """Read gitignore patterns; they count from the tracked folder."""
    if not patterns:
        return None
    from pathspec import GitIgnoreSpec

    spec = GitIgnoreSpec.from_lines(patterns)

    def leave_out(path: bytes, mode: int) -> bool:
        return spec.match_file(os.fsdecode(path) + "/" * stat.S_ISDIR(mode))

    return leave_out
