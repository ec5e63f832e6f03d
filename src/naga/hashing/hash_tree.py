"""Hashing a file or folder: list it, look up what is known, read the rest, and put it together.

Listing and hashing are two steps, so that a run can decide what its inputs are before it begins, and hash beside it.
What a hash is, `naga.hashing.format` says.
"""

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import field, replace
from pathlib import Path

from naga.errors import DataError
from naga.frozen import dataclass
from naga.hashing.cache import HashCache
from naga.hashing.file_reader import Open, Reader, Unreadable
from naga.hashing.format import Tree, assemble, one_file
from naga.hashing.listing import (
    Folder,
    LeaveOut,
    Refused,
    Root,
    ignored_by_patterns,
    join,
    kind_of,
    name_of,
    row_of,
    scan,
    size_of,
)
from naga.hashing.progress import Progress
from naga.wording import and_more

_SHOWN = 20  # names in one error
_BLOCK = 10_000  # files of one folder that are looked up at once


@dataclass(frozen=True, slots=True)
class Listed:
    """What is at a path, before it is hashed: a folder's listing, or one nameless file in a folder of its own."""

    path: Path
    kind: str
    folders: list[Folder]


def hash_path(
    path: Path, *, ignore: Sequence[str] = (), leave_out: LeaveOut | None = None, fresh: bool = False
) -> Tree:
    """Hash a file or folder, or the target of a link.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = (Path(folder) / "a.txt").write_bytes(b"")
    ...     hash_path(Path(folder) / "a.txt").hash
    'blake3:af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262'
    """
    return hash_listed(list_path(path, ignore=ignore, leave_out=leave_out), fresh=fresh)


def list_path(path: Path, *, ignore: Sequence[str] = (), leave_out: LeaveOut | None = None) -> Listed:
    """List what is to be hashed, without reading it; otherwise as `hash_path`."""
    path = path.absolute()
    try:
        status = path.stat()
        if stat.S_ISREG(status.st_mode):
            return Listed(path, "file", [Folder(b"", 0, rows=[row_of(b"", status)], size_bytes=status.st_size)])
        if stat.S_ISDIR(status.st_mode):
            with Root(path) as root, Progress(f"listing {path.name}") as progress:
                folders, refused = scan(root, leave_out or ignored_by_patterns(ignore), progress.advance)
            _refuse(path, refused)
            return Listed(path, "folder", folders)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        raise DataError(f"no file or folder {str(path)!r}") from None
    except OSError as error:
        raise DataError(f"cannot read {str(path)!r}: {error.strerror}") from None
    raise DataError(f"{str(path)!r} is a {kind_of(status)}, not a file or folder")


def hash_listed(listed: Listed, *, fresh: bool = False) -> Tree:
    """Hash what was listed; otherwise as `hash_path`."""
    files, size = sum(len(folder.rows) for folder in listed.folders), sum(f.size_bytes for f in listed.folders)
    try:
        with (
            _opening(listed) as opener,
            HashCache(fresh=fresh) as cache,
            Progress(f"hashing {listed.path.name}", files, size) as progress,
            Reader(progress.advance) as reader,
        ):
            work = _Work(listed, opener, cache, progress, reader)
            digests = [work.hash_files(folder) for folder in listed.folders]
    except OSError as error:
        raise DataError(f"cannot read {str(listed.path)!r}: {error.strerror}") from None
    _refuse(listed.path, work.refused)
    one = listed.kind == "file"
    tree = one_file(listed.folders[0].rows[0], digests[0]) if one else assemble(listed.folders, digests)
    source = "cached" if work.cached else "fresh"
    return replace(tree, source=source, changed=tuple(work.changed), leads_out=tuple(_leading_out(listed)))


@contextmanager
def _opening(listed: Listed) -> Iterator[Callable[[Folder], Open]]:
    """Return a function that, for a folder, returns the opener of its files."""
    if listed.kind == "file":
        yield lambda _: lambda _, flags: os.open(listed.path, flags)
        return
    with Root(listed.path) as root:

        def opener(folder: Folder) -> Open:
            descriptor = root.open(folder.path)
            return lambda name, flags: os.open(name, flags | os.O_NOFOLLOW, dir_fd=descriptor)

        yield opener


@dataclass(slots=True)
class _Work:
    """One hash in progress: its reader, cache and options, and the problems so far."""

    listed: Listed
    opener: Callable[[Folder], Open]
    cache: HashCache
    progress: Progress
    reader: Reader
    cached: bool = False
    changed: list[bytes] = field(default_factory=list)
    refused: Refused = field(default_factory=list)

    def hash_files(self, folder: Folder) -> bytes:
        """Find the digests of a folder's files, one after the other."""
        starts = range(0, len(folder.rows), _BLOCK)
        return b"".join(self._hash_block(folder, start) for start in starts)

    def _hash_block(self, folder: Folder, start: int) -> bytes:
        """Find the digests of one block of files: only a block at a time takes more memory than its rows."""
        key = join(os.fsencode(self.listed.path), folder.path), start
        rows = folder.rows[start : start + _BLOCK]
        digests = self.cache.known(key, rows)
        unknown = [place for place, digest in enumerate(digests) if digest is None]
        if len(unknown) < len(rows):
            self.cached = True
            self.progress.advance(len(rows) - len(unknown), folder.size_bytes if len(rows) == len(folder.rows) else 0)
        if unknown:
            self._read(folder, start, unknown, digests)
        found = [digest for digest in digests if digest is not None]
        if unknown and not self.refused:
            self.cache.keep(key, folder.rows[start : start + _BLOCK], found)
        return b"".join(found)

    def _read(self, folder: Folder, start: int, unknown: Sequence[int], digests: list[bytes | None]) -> None:
        """Fill in the digests that are not known."""
        rows = [folder.rows[start + place] for place in unknown]
        try:
            found = self.reader.hash_rows(rows, self.opener(folder), shares=folder.shares)
            for place, (row, digest) in zip(unknown, found, strict=True):
                if isinstance(digest, Unreadable):
                    self.refused.append((join(folder.path, name_of(row)), str(digest)))
                    continue
                digests[place] = digest
                if row != folder.rows[start + place]:
                    self._correct(folder, start + place, row)
        except OSError as error:  # the folder itself
            self.refused.append((folder.path, str(error.strerror)))

    def _correct(self, folder: Folder, place: int, row: bytes) -> None:
        self.changed.append(join(folder.path, name_of(row)))
        folder.size_bytes += size_of(row) - size_of(folder.rows[place])
        folder.rows[place] = row


def _leading_out(listed: Listed) -> Iterator[bytes]:
    """Find the links to something that exists and has no record in the hash."""
    root = os.fsencode(listed.path)
    for folder in listed.folders:
        for name, target in folder.links:
            path = os.path.normpath(os.path.join(root, folder.path, target))  # noqa: PTH118  # bytes
            if path != root and not path.startswith(root + b"/") and os.path.lexists(path):
                yield join(folder.path, name)


def _refuse(path: Path, refused: Refused) -> None:
    """Raise an error that names what cannot be hashed, if anything."""
    if not refused:
        return
    first = ", ".join(f"{os.fsdecode(name)} ({why})" if name else why for name, why in refused[:_SHOWN])
    hint = "@track_data(..., ignore=[...]) leaves files out" if any(name for name, _ in refused) else ""
    raise DataError(f"cannot hash {str(path)!r}: {first}{and_more(len(refused) - _SHOWN)}", hint=hint)
