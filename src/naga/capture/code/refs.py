"""Commits, the refs that protect them, and the branch that is the log of the runs.

``refs/naga/runs/<run_id>`` is the truth. The log branch, for reading, moves only from a value that was looked at, in
one transaction with the run's own ref, and never where that could be seen in a worktree.
"""

import os
import random
import time
from collections.abc import Callable
from contextlib import suppress

from naga.capture.code.git import GitError, Repository
from naga.frozen import dataclass

_STALE_S = 3600.0  # a lock on a ref lives for milliseconds; after this long, its owner is dead
_BUSY_S = 10.0  # ... and after this long it is not waited for
_MOVES = 200  # how often the branch may move under our hands


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchored:
    """A commit, and what protects it from being deleted."""

    commit: str
    ref: str | None  # where it could be written
    log_branch: str | None = None  # where it stands at the commit
    warning: str | None = None


class BlockedError(Exception):
    """The log branch cannot be moved; the text says why."""


@dataclass(frozen=True, slots=True)
class Tip:
    """Where the log branch stands."""

    commit: str
    has_head: bool  # in its history


@dataclass(frozen=True, slots=True)
class LogBranch:
    """The branch that is the log of the runs."""

    repository: Repository
    name: str
    head: str | None  # the commit that HEAD is

    @property
    def ref(self) -> str:
        """Its full name."""
        return f"refs/heads/{self.name}"

    def look(self) -> Tip | None:
        """Return where it stands, None where there is none; `BlockedError` where it must not be moved."""
        if self.name.startswith("-") or "\0" in self.name:  # what a user could not get rid of again
            raise BlockedError("it is not a valid branch name")
        _sweep_locks(self.repository, self.ref)
        commit = self._commit()
        if commit is None:
            return None
        return Tip(commit, self.head is not None and is_ancestor(self.repository, self.head, commit))

    def _commit(self) -> str | None:
        form = "%(refname)%00%(objectname)%00%(worktreepath)%00%(symref)"
        listed = self.repository.text("for-each-ref", f"--format={form}", "--end-of-options", self.ref)
        for line in listed.splitlines():
            name, commit, worktree, symbolic = line.split("\0")
            if name != self.ref:
                raise BlockedError(f"{name.removeprefix('refs/heads/')!r} exists")
            if worktree:
                raise BlockedError(f"it is checked out in {worktree}")
            if symbolic:
                raise BlockedError(f"it is a symbolic ref to {symbolic}")
            return commit
        if f"branch {self.ref}" in self.repository.text("worktree", "list", "--porcelain").splitlines():
            raise BlockedError("it is checked out, before its first commit")
        return None


def commit_tree(repository: Repository, tree: str, parents: list[str], message: str) -> str:
    """Write one commit."""
    given = [word for parent in parents for word in ("-p", parent)]
    written = message.replace("\0", "").encode(errors="backslashreplace")
    return repository.text("commit-tree", *given, "-F", "-", tree, stdin=written)


def is_ancestor(repository: Repository, older: str, newer: str) -> bool:
    """Return whether one commit is the other, or is in its history."""
    try:
        return older == newer or bool(repository.run("merge-base", "--is-ancestor", older, newer))
    except GitError as error:
        if error.status != 1:
            raise
        return False


def keep(
    repository: Repository,
    ref: str,
    log: LogBranch | None,
    first: Callable[[], Tip | None],
    commit_on: Callable[[Tip | None], str | None],
) -> Anchored:
    """Point the run's ref at its commit and, where that is possible, the log branch with it."""
    warning = None
    try:
        if log is not None and (advanced := _advance(log, ref, first, commit_on)):
            return Anchored(commit=advanced, ref=ref, log_branch=log.name)
    except BlockedError as error:
        warning = f"the branch {log.name!r} was left as it is: {error}" if log else None
    alone = commit_on(None)
    assert alone is not None  # noqa: S101  # a commit can always stand alone
    try:
        _transact(repository, f"update {ref}\0{alone}\0\0")
    except GitError as error:
        return Anchored(
            commit=alone, ref=None, warning=f"no ref keeps commit {alone[:12]}: git may delete it ({error})"
        )
    return Anchored(commit=alone, ref=ref, warning=warning)


def _advance(
    log: LogBranch, ref: str, look: Callable[[], Tip | None], commit_on: Callable[[Tip | None], str | None]
) -> str | None:
    """Move the branch and the run's ref together; None where the branch cannot include the commit."""
    failed_at: list[Tip | None] = []
    for _ in range(_MOVES):
        tip, look = look(), log.look
        commit = commit_on(tip)
        if commit is None:
            return None
        move = f"update {log.ref}\0{commit}\0{tip.commit}\0" if tip else f"create {log.ref}\0{commit}\0"
        try:
            _transact(log.repository, f"{move}update {ref}\0{commit}\0\0")
        except GitError as error:
            failed_at.append(tip)
            if failed_at[-3:] == [tip] * 3:  # no one moved it, and still it fails
                raise BlockedError(str(error)) from None
            time.sleep(random.uniform(0, 0.02))  # noqa: S311  # so that those who wait do not all come back at once
        else:
            return commit
    raise BlockedError("other runs moved it again and again")


def _transact(repository: Repository, commands: str) -> None:
    repository.run("update-ref", "-z", "--stdin", stdin=os.fsencode(commands))


def _sweep_locks(repository: Repository, branch: str) -> None:
    """Remove locks whose owner is dead: git never removes the lock of a killed process."""
    own = repository.common_dir / f"{branch}.lock"
    for lock in (own, *repository.common_dir.glob("refs/naga/*/*.lock")):
        with suppress(OSError):
            age = time.time() - lock.stat().st_mtime
            if age > _STALE_S:
                lock.unlink()
            elif age > _BUSY_S and lock == own:
                raise BlockedError(f"a killed process left a lock; remove {lock}")
