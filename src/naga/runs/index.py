"""An index of the runs below a folder: what was read of thousands of run.locks is not read again while they stay.

It is a cache in Naga's cache folder, one file for each root, host and user. What it says of a run is believed only if
the run's files have the identity, size and times that they had when they were read, and were older than a few seconds
then: a file system's clock may be too coarse to see a change of the same moment. A run that says ``running`` is never
believed. An index that is broken, locked or cannot be written costs nothing but time.
"""

import hashlib
import json
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

from naga.cache_dir import cache_folder
from naga.layout import LOCK_NAME, OWN_FOLDER
from naga.runs.summary import Summary

_FILES = (LOCK_NAME, f"{OWN_FOLDER}/metrics.json", f"{OWN_FOLDER}/notes.yaml")
_SETTLED_S = 3.0
_FORM = 1  # of the rows; another one is read as nothing
_TABLES = """
CREATE TABLE IF NOT EXISTS runs (folder TEXT PRIMARY KEY, state TEXT NOT NULL, row TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS about (root TEXT NOT NULL);
"""


def state_of(folder: str) -> str:
    """Write what changes whenever a run's files do; empty where that cannot be seen."""
    words = []
    for name in _FILES:
        try:
            about = os.stat(f"{folder}/{name}", follow_symlinks=False)  # noqa: PTH116  # thousands of them
        except OSError:
            words.append("-")
        else:
            words.append(f"{about.st_dev}.{about.st_ino}.{about.st_size}.{about.st_mtime_ns}.{about.st_ctime_ns}")
    return "" if words[0] == "-" else " ".join(words)


def _youngest_s(state: str) -> float:
    """Give the age of the youngest of the files that a state is of."""
    times = [int(number) for word in state.split() if word != "-" for number in word.split(".")[3:]]
    return time.time() - max(times) / 1e9


class Index:
    """The index of one root: a context, which writes what was learned when it is left."""

    def __init__(self, database: sqlite3.Connection | None) -> None:
        self._database = database
        self._new: list[tuple[str, str, str]] = []
        self._seen: set[str] = set()

    @classmethod
    def of(cls, root: str) -> Self:
        """Open the index of a root; one that cannot be opened is empty, and stays so."""
        try:
            return cls(_opened(index_file(root), root))
        except (OSError, RuntimeError, sqlite3.Error):  # RuntimeError: there is no home folder
            return cls(None)

    def summary(self, folder: str, state: str) -> Summary | None:
        """Give what is known of a run whose files have a state."""
        self._seen.add(folder)
        if not self._database or not state:
            return None
        try:
            found = self._database.execute("SELECT state, row FROM runs WHERE folder = ?", (folder,)).fetchone()
            return _from_row(found[1]) if found and found[0] == state else None
        except (sqlite3.Error, ValueError, TypeError):
            return None

    def put(self, folder: str, state: str, summary: Summary) -> None:
        """Remember what was read of a run, where it may be believed the next time."""
        if self._database and summary.status != "running" and _youngest_s(state) > _SETTLED_S:
            self._new.append((folder, state, json.dumps([_FORM, *summary], default=str)))

    def forget_others(self, *, within: str, archived: bool) -> None:
        """Forget the runs that were not found where they were looked for."""
        if not self._database or not archived:  # the archived ones are only looked for sometimes
            return
        with suppress(sqlite3.Error):
            known = {folder for (folder,) in self._database.execute("SELECT folder FROM runs")}
            gone = [(folder,) for folder in known - self._seen if f"{folder}/".startswith(f"{within}/")]
            with self._database:
                self._database.executemany("DELETE FROM runs WHERE folder = ?", gone)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if not self._database:
            return
        with suppress(sqlite3.Error), self._database:
            if self._new:
                self._database.executemany("INSERT OR REPLACE INTO runs VALUES (?, ?, ?)", self._new)
        self._database.close()


def _from_row(text: str) -> Summary | None:
    form, *values = json.loads(text)
    if form != _FORM or len(values) != len(Summary._fields):
        return None
    summary = Summary(*values)
    return summary._replace(tags=tuple(summary.tags))


def index_file(root: str) -> Path:
    """Name the file of a root's index."""
    about = "\n".join([os.path.realpath(root), os.uname().nodename, str(os.getuid())])
    name = hashlib.sha256(about.encode(errors="surrogateescape")).hexdigest()[:32]
    return cache_folder() / "runs" / f"{name}.sqlite"


def _opened(file: Path, root: str) -> sqlite3.Connection:
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    os.close(descriptor)
    try:
        return _with_tables(file, root)
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError):  # locked, or a full disk: the next one may have more luck
            raise
        file.unlink()  # broken: it is a cache
        return _with_tables(file, root)


def _with_tables(file: Path, root: str) -> sqlite3.Connection:
    # A rollback journal, which sqlite begins with, works on network file systems, too.
    database = sqlite3.connect(file, timeout=1.0)
    with database:
        database.executescript(_TABLES)
        if not database.execute("SELECT 1 FROM about").fetchone():
            database.execute("INSERT INTO about VALUES (?)", (os.path.realpath(root),))
    return database


def known_roots() -> Iterator[Path]:
    """Give every root that has an index: where runs have been looked for."""
    with suppress(OSError, RuntimeError):
        for file in sorted((cache_folder() / "runs").glob("*.sqlite")):
            with suppress(sqlite3.Error), _reading(file) as database:
                (root,) = database.execute("SELECT root FROM about").fetchone() or ("",)
                if root and Path(root).is_dir():
                    yield Path(root)


@contextmanager
def _reading(file: Path) -> Iterator[Any]:
    database = sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=1.0)
    try:
        yield database
    finally:
        database.close()
