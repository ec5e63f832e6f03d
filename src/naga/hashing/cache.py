"""The hashes of files from before, used only where the files cannot have changed since.

One row of a SQLite table stands for a block of the files of one folder: the files as `naga.hashing.listing` lists them
(name, device, inode, size, mtime_ns, ctime_ns) and their digests. A digest is used if all of that is the same, and
stored only if the file had been left alone for a while before it was hashed: otherwise a filesystem with coarse
timestamps could show a later change under the same ones.

The cache may be lost, broken, locked or read-only at any moment. That costs time and is not reported.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from itertools import compress
from typing import TYPE_CHECKING, Self, TypeVar

from naga.cache_dir import cache_folder
from naga.hashing.listing import split_rows, touched_ns

if TYPE_CHECKING:
    import sqlite3


_QUIET_NS = 3 * 10**9  # above the coarsest timestamps in use, the 2 s of FAT
_PATIENCE_S = 2.0  # for other processes that write
_WRITE_AFTER_S = 5.0  # so that an interrupted hash is not lost as a whole
_WRITE_AFTER_FILES = 100_000  # so that they do not fill the memory
_DIGEST = 32
_FILE = "hashes-1.sqlite"  # the number changes with the meaning of the rows
_TABLE = """
CREATE TABLE IF NOT EXISTS blocks
(path BLOB, start INTEGER, rows BLOB NOT NULL, digests BLOB NOT NULL, seal BLOB NOT NULL, PRIMARY KEY (path, start))
"""

T = TypeVar("T")
Key = tuple[bytes, int]  # the folder, the place of the first file of the block


class HashCache:
    """The digests that one hash finds and stores; a context."""

    def __init__(self, *, fresh: bool) -> None:
        self._fresh = fresh
        self._began_ns = time.time_ns()
        self._new: dict[Key, tuple[bytes, bytes]] = {}
        self._new_files = 0
        self._written = time.monotonic()
        self._database = _connect()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self._attempt(self._write)
        self._close()

    def known(self, key: Key, rows: Sequence[bytes]) -> list[bytes | None]:
        """Find the digests of the rows of a block, None where there is none that can be used."""
        found = None if self._fresh else self._attempt(partial(self._read, key))
        if not found:
            return [None] * len(rows)
        former, joined = found
        digests = [joined[start : start + _DIGEST] for start in range(0, len(joined), _DIGEST)]
        if former == b"".join(rows):
            return list(digests)
        table = dict(zip(split_rows(former), digests, strict=True))
        return [table.get(row) for row in rows]

    def keep(self, key: Key, rows: Sequence[bytes], digests: Sequence[bytes]) -> None:
        """Store the digests of rows whose files had been unchanged for long enough before the hash began."""
        until = self._began_ns - _QUIET_NS
        quiet = [touched_ns(row) < until for row in rows]
        if any(quiet):
            self._new[key] = b"".join(compress(rows, quiet)), b"".join(compress(digests, quiet))
            self._new_files += len(rows)
        if self._new_files > _WRITE_AFTER_FILES or time.monotonic() > self._written + _WRITE_AFTER_S:
            self._attempt(self._write)

    def _read(self, key: Key, database: "sqlite3.Connection") -> tuple[bytes, bytes] | None:
        query = "SELECT CAST(rows AS BLOB), CAST(digests AS BLOB), seal FROM blocks WHERE path = ? AND start = ?"
        found = database.execute(query, key).fetchone()
        return found[:2] if found and found[2] == _checksum(key, *found[:2]) else None

    def _write(self, database: "sqlite3.Connection") -> None:
        rows = [(*key, *blobs, _checksum(key, *blobs)) for key, blobs in self._new.items()]
        if rows:
            database.execute("BEGIN IMMEDIATE")
            database.executemany("INSERT OR REPLACE INTO blocks VALUES (?, ?, ?, ?, ?)", rows)
            database.execute("COMMIT")
        self._new.clear()
        self._new_files = 0
        self._written = time.monotonic()

    def _attempt(self, act: "Callable[[sqlite3.Connection], T]") -> T | None:
        """Use the database; after the first failure it is not tried again."""
        if self._database is None:
            return None
        from sqlite3 import DatabaseError

        try:
            return act(self._database)
        except DatabaseError as error:
            self._close()
            _remove_if_broken(error)
            return None

    def _close(self) -> None:
        if self._database:
            self._database.close()
            self._database = None


def _connect() -> "sqlite3.Connection | None":
    try:
        import sqlite3

        file = cache_folder() / _FILE
        file.parent.mkdir(parents=True, exist_ok=True)
    except (ImportError, OSError, RuntimeError):  # a Python without SQLite, a user without a home
        return None
    database = None
    try:
        database = sqlite3.connect(file, timeout=_PATIENCE_S, isolation_level=None)
        database.execute("PRAGMA synchronous = OFF")  # what a power cut leaves shows in its checksum
        database.execute(_TABLE)
    except sqlite3.DatabaseError as error:
        if database:
            database.close()
        _remove_if_broken(error)
        return None
    return database


def _remove_if_broken(error: Exception) -> None:
    """Remove a file that SQLite cannot read, so that the next hash has a cache again; a busy one stays."""
    from sqlite3 import OperationalError

    if not isinstance(error, OperationalError):
        with suppress(OSError):
            (cache_folder() / _FILE).unlink()


def _checksum(key: Key, rows: bytes, digests: bytes) -> bytes:
    """Compute the checksum of a row, which shows whether it is damaged."""
    from blake3 import blake3

    path, start = key
    hasher = blake3(b"%d %d %d " % (len(path), start, len(rows)))
    return bytes(hasher.update(path).update(rows).update(digests).digest())
