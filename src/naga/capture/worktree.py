"""What lies in a worktree: one walk of it by git, and the tree that its files make.

All of it happens on a copy of the user's index. The copy keeps the index's time of change: git takes a file for
unchanged only if it is older than the index, and a younger copy would hide edits of the same second.
"""

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from naga.capture.git import GitError, Repository, names
from naga.record.schema import Skipped

__all__ = ["Change", "KeptIndex", "Status", "add", "clear_flags", "put", "read_status", "scratch"]

_PREFIX = "naga-snapshot-"
_GITLINK = "160000"
_ABSENT = "000000"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A path whose content is not that of HEAD.

    ``head`` is the mode and object in HEAD, both all zero where HEAD has none. ``removed`` says that the file is gone
    from the worktree or, where it is ``staged_only`` (the worktree has what the index has), from the index.
    ``repository`` says that the path is a repository of its own.
    """

    path: str
    head: tuple[str, str] = (_ABSENT, "")
    untracked: bool = False
    removed: bool = False
    staged_only: bool = False
    repository: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """What one walk found. ``head`` is None before the first commit, ``branch`` None where HEAD is detached."""

    head: str | None
    branch: str | None
    changes: tuple[Change, ...]
    ignored: tuple[str, ...]
    unreadable: tuple[Skipped, ...]


@dataclass(frozen=True, slots=True)
class KeptIndex:
    """An index in memory: its bytes, and the time of change without which they would be believed too much."""

    content: bytes
    time_ns: int

    @classmethod
    def read(cls, path: Path) -> "KeptIndex":
        """Read an index; git may be replacing it at this moment, so time and bytes come from one open file."""
        try:
            with path.open("rb") as file:
                return cls(file.read(), os.fstat(file.fileno()).st_mtime_ns)
        except FileNotFoundError:
            return cls(b"", 0)

    def write(self, path: Path) -> None:
        """Write it where git will read it."""
        if self.content:
            path.write_bytes(self.content)
            os.utime(path, ns=(self.time_ns, self.time_ns))


@contextmanager
def scratch() -> Iterator[Path]:
    """Give a folder of one's own for temporary files, after removing those of processes that were killed.

    Each folder is locked by its owner, and the system unlocks it however the owner ends.
    """
    import shutil
    import tempfile

    _sweep(Path(tempfile.gettempdir()))
    folder, lock = _own_folder()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def _own_folder() -> tuple[Path, int]:
    import tempfile

    while True:
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
        lock = _lock(folder)
        if lock is not None and folder.exists():
            return folder, lock
        if lock is not None:  # swept by another process before it was locked
            os.close(lock)


def _sweep(parent: Path) -> None:
    import shutil

    for folder in parent.glob(f"{_PREFIX}*"):
        lock = _lock(folder)
        if lock is not None:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)


def _lock(folder: Path) -> int | None:
    """Lock a folder, or return None where another process has done so, or it is not ours."""
    import fcntl

    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    return handle


def clear_flags(repository: Repository, index: Path) -> None:
    """Make git look at files that the index asks it not to look at, where they exist."""
    listed = repository.run("ls-files", "-v", "-z", index=index).stdout
    flagged = re.findall(rb"(?:\A|\0)([a-zS]) ([^\0]+)", listed)
    assumed = [path for tag, path in flagged if tag.islower()]
    skipped = [path for tag, path in flagged if tag in b"Ss" and os.path.lexists(repository.top / os.fsdecode(path))]
    for flag, paths in (("--no-assume-unchanged", assumed), ("--no-skip-worktree", skipped)):
        if paths:
            repository.run("update-index", flag, "-z", "--stdin", stdin=b"\0".join(paths), index=index)


def read_status(repository: Repository, index: Path) -> Status:
    """Walk the worktree once."""
    question = (
        *("status", "--porcelain=v2", "--branch", "-z", "--untracked-files=all", "--ignored=matching"),
        *("--ignore-submodules=none", "--no-renames", "--no-ahead-behind"),
    )
    try:
        done = repository.run(*question, index=index)
    except GitError as error:
        if "filter" not in error.words:
            raise
        # git must filter some file to compare it and cannot: seen as edited, that file is then named as not captured.
        done = repository.run(*question, index=index, settings=_no_filter_required(repository))
    return _parsed(done.stdout, os.fsdecode(done.stderr))


def _no_filter_required(repository: Repository) -> list[str]:
    keys = names(repository.run("config", "-z", "--name-only", "--get-regexp", r"^filter\..*\.required$").stdout)
    return [f"{key}=false" for key in keys]


def _parsed(output: bytes, complaints: str) -> Status:
    records = [(record[:1], record[2:]) for record in output.split(b"\0") if record]
    header = dict(record.split(b" ", 1) for kind, record in records if kind == b"#")
    head, branch = header[b"branch.oid"].decode(), os.fsdecode(header[b"branch.head"])
    unreadable = re.findall(r"^warning: could not open directory '(.*)': (.*)$", complaints, re.MULTILINE)
    return Status(
        head=None if head == "(initial)" else head,
        branch=None if branch == "(detached)" else branch,
        changes=tuple(_change(kind, os.fsdecode(record)) for kind, record in records if kind in b"1u?"),
        ignored=tuple(os.fsdecode(record) for kind, record in records if kind == b"!"),
        unreadable=tuple(Skipped(path=path, reason=f"cannot be read: {why}") for path, why in unreadable),
    )


def _change(kind: bytes, record: str) -> Change:
    if kind == b"?":
        return Change(path=record, untracked=True, repository=record.endswith("/"))
    if kind == b"u":  # stage 2 is ours: what HEAD has
        _, _, _, mode, _, here, _, blob, _, path = record.split(" ", 9)
        return Change(path=path, head=(mode, blob), removed=here == _ABSENT)
    states, _, mode, index_mode, here, blob, _, path = record.split(" ", 7)
    staged_only = states[1] == "."
    return Change(
        path=path,
        head=(mode, blob),
        removed=_ABSENT in (here, index_mode) if staged_only else here == _ABSENT,
        staged_only=staged_only,
        repository=here == _GITLINK and not staged_only,
    )


def put(repository: Repository, index: Path, entries: Iterable[tuple[str, str, str]]) -> None:
    """Set entries of the index to a mode and an object; a mode of 0 takes the path out."""
    lines = b"".join(b"%b %b\t%b\0" % (mode.encode(), blob.encode(), os.fsencode(path)) for path, mode, blob in entries)
    if lines:
        repository.run("update-index", "-z", "--index-info", stdin=lines, index=index)


def add(repository: Repository, index: Path, paths: list[str]) -> list[Skipped]:
    """Take the content of files into the index; return those that git could not take.

    git stops at the first file that it cannot take and keeps none: halving the list finds those files in few steps.
    """
    if not paths:
        return []
    lines = b"".join(os.fsencode(path) + b"\0" for path in paths)
    try:
        repository.run("update-index", "--add", "--remove", "--replace", "-z", "--stdin", stdin=lines, index=index)
    except GitError as error:
        if len(paths) == 1:
            return [Skipped(path=paths[0], reason=f"cannot be captured: {_cause(error)}")]
        middle = len(paths) // 2
        return add(repository, index, paths[:middle]) + add(repository, index, paths[middle:])
    return []


def _cause(error: GitError) -> str:
    said = [line for line in error.words.splitlines() if "Unable to process path" not in line]
    return said[0].removeprefix("error: ").removeprefix("fatal: ") if said else str(error)
