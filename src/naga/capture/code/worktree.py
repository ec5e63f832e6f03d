"""What is in a worktree: one walk of it by git, and the files that differ from HEAD as git would store them.

The user's index is only read; what has to be written is written to a copy.
"""

import os
import re
from collections.abc import Iterable
from pathlib import Path

from naga.capture.code.git import GitError, Repository, names
from naga.frozen import dataclass
from naga.record.schema import Skipped

TreeEntry = tuple[str, str]
"""A mode and an object, as git writes them."""

_GITLINK = "160000"
_ABSENT = "000000"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A path that is not as in HEAD."""

    path: str
    index: TreeEntry | None = None  # what the user's index has for it; None where that is nothing, or several
    untracked: bool = False
    staged: bool = False  # the worktree has the same as the index
    removed: bool = False
    repository: bool = False  # it is a repository of its own


@dataclass(frozen=True, slots=True, kw_only=True)
class WorktreeStatus:
    """What one walk found."""

    head: str | None  # None before the first commit
    branch: str | None  # None where HEAD is detached
    changes: tuple[Change, ...]
    ignored: tuple[str, ...]
    unreadable: tuple[Skipped, ...]


@dataclass(frozen=True, slots=True)
class IndexCopy:
    """An index in memory, with its time of change."""

    content: bytes
    # git takes a file for unchanged only if it is older than the index: a younger copy would hide edits of its second.
    time_ns: int

    @classmethod
    def read(cls, path: Path) -> "IndexCopy":
        """Read an index."""
        try:
            # git may be replacing it at this moment: time and bytes come from one open file.
            with path.open("rb") as file:
                return cls(file.read(), os.fstat(file.fileno()).st_mtime_ns)
        except FileNotFoundError:
            return cls(b"", 0)

    def hides_nothing(self) -> bool:
        """Return whether it is certain, without git, that no entry asks git not to look at its file."""
        # Versions 2 and 3 with names of SHA-1 (gitformat-index(5)): anything else does not lead from entry to entry,
        # and then from extension to extension to the checksum at the end. git itself takes a fifth of its walk for it.
        content, place, end = self.content, 12, len(self.content) - 20
        try:
            for _ in range(int.from_bytes(content[8:12])):
                length = content[place + 61]
                if content[place + 60] or content[place + 62 + length]:  # flagged, unmerged, long or not understood
                    return False
                place += (length + 70) & ~7
            while place < end:
                if content[place : place + 4] == b"link":  # most entries are in another file
                    return False
                place += 8 + int.from_bytes(content[place + 4 : place + 8])
        except IndexError:
            return False
        return place == end

    def write(self, path: Path) -> None:
        """Write it where git will read it."""
        path.unlink(missing_ok=True)
        if self.content:
            path.write_bytes(self.content)
            os.utime(path, ns=(self.time_ns, self.time_ns))


def index_state(repository: Repository) -> tuple[int, ...]:
    """Return what changes whenever git replaces the user's index."""
    try:
        about = (repository.git_dir / "index").stat()
    except FileNotFoundError:
        return ()
    return about.st_ino, about.st_size, about.st_mtime_ns


def read_flags(repository: Repository) -> dict[str, list[bytes]]:
    """Find the files that the index asks git not to look at, by the option that undoes it."""
    listed = repository.run("ls-files", "-v", "-z").stdout
    flagged = re.findall(rb"\0([a-zS]) ([^\0]+)", b"\0" + listed)
    assumed = [path for tag, path in flagged if tag.islower()]
    # Files that are left out of a sparse checkout are none of them: they are not there to be looked at.
    skipped = [path for tag, path in flagged if tag in b"Ss" and os.path.lexists(repository.top / os.fsdecode(path))]
    flags = {"--no-assume-unchanged": assumed, "--no-skip-worktree": skipped}
    return {flag: paths for flag, paths in flags.items() if paths}


def read_status(repository: Repository) -> WorktreeStatus:
    """Walk the worktree once."""
    walked, complaints = _walked(repository)
    records = [(record[:1], os.fsdecode(record[2:])) for record in walked.split(b"\0") if record]
    header = dict(record.split(" ", 1) for kind, record in records if kind == b"#")
    head, branch = header["branch.oid"], header["branch.head"]
    unreadable = re.findall(r"^warning: could not open directory '(.*)': (.*)$", complaints, re.MULTILINE)
    return WorktreeStatus(
        head=None if head == "(initial)" else head,
        branch=None if branch == "(detached)" else branch,
        changes=tuple(_change(kind, record) for kind, record in records if kind in b"1u?"),
        ignored=tuple(record for kind, record in records if kind == b"!"),
        unreadable=tuple(Skipped(path=path, reason=f"cannot be read: {why}") for path, why in unreadable),
    )


def _walked(repository: Repository) -> tuple[bytes, str]:
    """Let git walk the worktree; return what it found, and its warnings."""
    question = (
        *("status", "--porcelain=v2", "--branch", "-z", "--untracked-files=all", "--ignored=matching"),
        *("--ignore-submodules=none", "--no-renames", "--no-ahead-behind"),
    )
    try:
        done = repository.run(*question)
    except GitError as error:
        if "filter" not in error.words:
            raise
        # git must filter some file to compare it and cannot: seen as edited, that file is then named as not captured.
        keys = names(repository.run("config", "-z", "--name-only", "--get-regexp", r"^filter\..*\.required$").stdout)
        done = repository.run(*question, settings=[f"{key}=false" for key in keys])
    return done.stdout, os.fsdecode(done.stderr)


def _change(kind: bytes, record: str) -> Change:
    if kind == b"?":
        return Change(path=record, untracked=True, repository=record.endswith("/"))
    if kind == b"u":
        *_, here, _, _, _, path = record.split(" ", 9)
        return Change(path=path, removed=here == _ABSENT)
    states, _, _, mode, here, _, blob, path = record.split(" ", 7)
    staged = states[1] == "."
    return Change(
        path=path,
        index=(mode, blob) if mode != _ABSENT else None,
        staged=staged,
        removed=(mode if staged else here) == _ABSENT,
        repository=here == _GITLINK and not staged,
    )


def store(repository: Repository, changes: Iterable[Change]) -> tuple[dict[str, TreeEntry], list[Skipped]]:
    """Store the content of files through an index that holds only them; return entries, and what git cannot store."""
    # What the user's index knew of a file goes in first: git asks it which line ends and which mode to keep.
    known = {change.path: change.index for change in changes}
    lines = [b"%b %b\t%b\0" % (*map(str.encode, entry), os.fsencode(path)) for path, entry in known.items() if entry]
    if lines:
        repository.run("update-index", "-z", "--index-info", stdin=b"".join(lines))
    failed = _add(repository, list(known))
    entries = {}
    for line in names(repository.run("ls-files", "--stage", "-z").stdout):
        (mode, blob, _), path = line[: line.index("\t")].split(" "), line[line.index("\t") + 1 :]
        entries[path] = (mode, blob)
    for one in failed:
        entries.pop(one.path, None)
    return entries, failed


def _add(repository: Repository, paths: list[str]) -> list[Skipped]:
    """Add files to the index; return those that git could not add."""
    if not paths:
        return []
    lines = b"".join(os.fsencode(path) + b"\0" for path in paths)
    try:
        repository.run("update-index", "--add", "--remove", "-z", "--stdin", stdin=lines)
    except GitError as error:
        if len(paths) == 1:
            return [Skipped(path=paths[0], reason=f"cannot be captured: {_cause(error)}")]
        # git stops at the first file that it cannot add and keeps none: halving finds those files in few steps.
        middle = len(paths) // 2
        return _add(repository, paths[:middle]) + _add(repository, paths[middle:])
    return []


def _cause(error: GitError) -> str:
    said = [line for line in error.words.splitlines() if "Unable to process path" not in line]
    fatal = [line for line in said if line.startswith("fatal: ")]
    return (fatal or said or [str(error)])[0].removeprefix("error: ").removeprefix("fatal: ")
