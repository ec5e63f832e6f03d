"""An index of the runs below a folder: a run.lock that has not changed is not read again.

It is a cache in Naga's cache folder, one file for each root, host and user. What it says of a run is used only if
the run's files have the identity, size and times that they had when they were read, and were older than a few seconds
before: a file system's clock may be too coarse to see a change of the same moment. A run that says ``running`` is
always read again. What it says of the names in a folder is used under the conditions of `naga.runs.walk`. An index
that is broken, locked or cannot be written costs nothing but time.
"""

import hashlib
import os
import sqlite3
import struct
import time
import zlib
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Self

from naga.cache_dir import cache_folder
from naga.layout import ARCHIVE, LOCK_NAME, OWN_FOLDER
from naga.runs.summary import Summary
from naga.runs.walk import is_local

_FILES = (LOCK_NAME, f"{OWN_FOLDER}/metrics.json", f"{OWN_FOLDER}/notes.yaml")
_SETTLED_S = 3.0
_PATIENCE_S = 1.0
_FORM = 2  # of the file; one of another form is made anew
_ABOUT = struct.Struct("<QQqqq")  # device, inode, size, mtime_ns, ctime_ns
_MISSING = b"\0" * _ABOUT.size
_TABLES = f"""
DROP TABLE IF EXISTS runs;
DROP TABLE IF EXISTS about;
CREATE TABLE folders (path BLOB PRIMARY KEY, listing BLOB, names BLOB, files BLOB, row BLOB, seal INT) WITHOUT ROWID;
CREATE TABLE about (root BLOB);
PRAGMA user_version = {_FORM};
"""
_Entry = tuple[bytes, bytes, bytes, bytes]
_NOTHING: _Entry = (b"", b"", b"", b"")
_ARCHIVED = f"/{ARCHIVE}/".encode()


def state_of(*paths: str) -> bytes:
    """Return a value that changes whenever one of some files does; b"" where the first does not exist."""
    state = b""
    for path in paths:
        try:
            state += packed(os.stat(path, follow_symlinks=False))  # noqa: PTH116  # thousands of them
        except OSError:
            if not state:
                return b""
            state += _MISSING
    return state


def packed(about: os.stat_result) -> bytes:
    """Pack what identifies a file in its present state."""
    return _ABOUT.pack(about.st_dev, about.st_ino, about.st_size, about.st_mtime_ns, about.st_ctime_ns)


class Index:
    """The index of one root: a context, which writes what is new when it is left."""

    def __init__(self, file: Path | None, root: str) -> None:
        self._file, self._root = file, root
        self._known: dict[bytes, _Entry] = {}  # ... and not seen until now
        self._new: dict[bytes, _Entry] = {}
        self._last = _NOTHING
        self._gone: list[bytes] = []
        # Every look at a file comes later: what was changed after this moment may change once more, unseen.
        self._began_ns = time.time_ns()
        with suppress(OSError, sqlite3.OperationalError):  # locked by another process: it is done without
            self._read()

    @classmethod
    def of(cls, root: str) -> Self:
        """Read the index of a root; one that cannot be read is empty."""
        try:
            return cls(index_file(root), root)
        except RuntimeError:  # there is no home folder
            return cls(None, root)

    def names(self, folder: str, state: bytes) -> bytes | None:
        """Return the names in a folder, if it has not changed since they were noted."""
        path = os.fsencode(folder)
        self._last = self._known.pop(path, _NOTHING)
        listing, names, files, row = self._last
        if state and listing == state:
            return names
        self._new[path] = (b"", b"", files, row)
        return None

    def note_names(self, folder: str, state: bytes, names: bytes, *, has_run: bool) -> None:
        """Note the names in a folder, if they can be relied on the next time."""
        path = os.fsencode(folder)
        of_names = (state, names) if self._is_settled(state) else (b"", b"")
        self._new[path] = (*of_names, *(self._new[path][2:] if has_run else (b"", b"")))

    def summary(self, folder: str) -> Summary | None:
        """Return the summary of the run in the folder that was looked up last, if its files have not changed."""
        path, state = os.fsencode(folder), state_of(*(f"{folder}/{name}" for name in _FILES))
        listing, names, files, row = self._new.get(path, self._last)
        if state and row and files == state:
            return Summary.from_bytes(row)
        self._new[path] = (listing, names, state, b"")
        return None

    def note(self, folder: str, summary: Summary) -> None:
        """Note what was read of a run after the look-up, if it can be relied on the next time."""
        path = os.fsencode(folder)
        listing, names, files, _ = self._new[path]
        if summary.status != "running" and self._is_settled(files):
            self._new[path] = (listing, names, files, summary.to_bytes())

    def forget_others(self, *, archived: bool) -> None:
        """Forget the runs that were not seen in a search for all runs, or for all but the archived ones."""
        self._gone = [path for path in self._known if archived or _ARCHIVED not in path]

    def _is_settled(self, state: bytes) -> bool:
        times = [moment for about in _ABOUT.iter_unpack(state) for moment in about[3:]]
        return bool(times) and max(times) < self._began_ns - _SETTLED_S * 1e9

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None and (self._new or self._gone):
            with suppress(OSError, sqlite3.Error):
                self._write(self._file)

    def _read(self) -> None:
        if self._file is None or not self._file.exists():
            return
        try:
            with closing(sqlite3.connect(self._file, timeout=_PATIENCE_S)) as database:
                if _form(database) == _FORM:
                    rows = database.execute("SELECT path, listing, names, files, row, seal FROM folders")
                    self._known = {row[0]: row[1:5] for row in rows if _seal(*row[:5]) == row[5]}
        except sqlite3.OperationalError:
            raise
        except (sqlite3.DatabaseError, TypeError):  # broken
            self._known = {}
            for ending in ("-wal", "-shm", "-journal", ""):
                Path(f"{self._file}{ending}").unlink(missing_ok=True)

    def _write(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        with closing(sqlite3.connect(file, timeout=_PATIENCE_S)) as database:
            # With a write-ahead log no reader waits for a writer; it needs memory that all who use the file share.
            database.execute(f"PRAGMA journal_mode = {'WAL' if is_local(str(file.parent)) else 'DELETE'}")
            if _form(database) != _FORM:
                database.executescript(_TABLES)
                database.execute("INSERT INTO about VALUES (?)", (os.fsencode(os.path.realpath(self._root)),))
            with database:
                database.executemany("DELETE FROM folders WHERE path = ?", ((path,) for path in self._gone))
                rows = ((path, *entry, _seal(path, *entry)) for path, entry in self._new.items())
                database.executemany("INSERT OR REPLACE INTO folders VALUES (?, ?, ?, ?, ?, ?)", rows)


def _form(database: sqlite3.Connection) -> int:
    return int(database.execute("PRAGMA user_version").fetchone()[0])


def _seal(path: bytes, *parts: bytes) -> int:
    """Compute the checksum of a row: SQLite itself does not notice a damaged one."""
    return zlib.crc32(b"\0".join((path, *parts)))


def index_file(root: str) -> Path:
    """Name the file of a root's index."""
    about = "\n".join([os.path.realpath(root), os.uname().nodename, str(os.getuid())])
    name = hashlib.sha256(about.encode(errors="surrogateescape")).hexdigest()[:32]
    return cache_folder() / "runs" / f"{name}.sqlite"


def known_roots() -> Iterator[Path]:
    """Return every root that has an index, that is, every folder that has been searched."""
    with suppress(OSError, RuntimeError):
        for file in sorted((cache_folder() / "runs").glob("*.sqlite")):
            with suppress(sqlite3.Error), closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as database:
                root = Path(os.fsdecode(database.execute("SELECT root FROM about").fetchone()[0]))
                if root.is_dir():
                    yield root
