"""One repository, from its worktree to a commit that holds it.

::

    copy of the index ── one walk ──> changes ── less what is left out ──> tree ──> commit ──> refs
"""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from naga.capture.git import GitError, Repository, names
from naga.capture.leftout import LeftOut, matching, named, run_folders
from naga.capture.refs import Kept, commit_tree, is_ancestor, is_complete, keep, wait_for_gc
from naga.capture.worktree import Change, KeptIndex, Status, add, clear_flags, put, read_status, scratch
from naga.record.schema import Code, Skipped

__all__ = ["Asked", "Held", "Taken", "take"]

_GC_TRIES = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What to take from a repository and under which names.

    ``pathspecs_at`` is the repository at whose top the patterns are read, and where in it this one lies. ``nested``
    takes a repository that lies in this one, or says why not.
    """

    ref: str
    branch: str | None
    message: str
    folders: dict[Path, str]
    include: tuple[str, ...]
    exclude: tuple[str, ...]
    script: Path | None
    pathspecs_at: tuple[Repository, str]
    nested: Callable[[str], Code | Skipped]


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What was taken, what was not although it should have been, what else to tell, and the index that it made."""

    code: Code
    missing: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    held: "Held | None" = None


@dataclass(frozen=True, slots=True)
class Held:
    """What a snapshot holds, as the index that made it: git compares it with the worktree by times of change alone."""

    repository: Repository
    index: KeptIndex
    skipped: frozenset[str]

    def changed(self) -> list[str]:
        """Return the files that are no longer as the snapshot has them."""
        question = ("diff", "--name-only", "-z", "--no-ext-diff", "--no-renames", "--ignore-submodules=all")
        return [path for path in self._ask(*question) if path not in self.skipped]

    def lacks(self, paths: list[str]) -> list[str]:
        """Return those of the paths that the snapshot does not hold as they were."""
        held = set(self._ask("--literal-pathspecs", "ls-files", "-z", "--", *paths)) - self.skipped
        return [path for path in paths if path not in held]

    def _ask(self, *question: str) -> list[str]:
        with scratch() as folder:
            index = folder / "index"
            self.index.write(index)
            return names(self.repository.run(*question, index=index).stdout)


@dataclass(slots=True)
class _Plan:
    """What to do to the copy of the index, and what is left out."""

    entries: list[tuple[str, str, str]] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    staged: bool = False
    skipped: list[Skipped] = field(default_factory=list)
    missing: list[Skipped] = field(default_factory=list)


def take(repository: Repository, asked: Asked) -> Taken:
    """Take a repository; where it cannot be taken, say why in ``code.reason``."""
    code = Code(name=repository.top.name, path=str(repository.top))
    try:
        with scratch() as folder:
            return _take_beside_gc(repository, asked, code, folder)
    except (GitError, OSError) as error:
        return _refused(code, str(error))


def _take_beside_gc(repository: Repository, asked: Asked, code: Code, folder: Path) -> Taken:
    """Take it again while a garbage collection takes away what was just written and not yet kept by a ref."""
    for left in reversed(range(_GC_TRIES)):
        try:
            taken = _take(repository, asked, code, folder)
        except GitError:
            if not left or not wait_for_gc(repository):
                raise
            continue
        commit = taken.code.commit
        if not wait_for_gc(repository) or commit is None or is_complete(repository, commit, taken.code.base_commit):
            return taken
    return _refused(code, "garbage collection of the repository removed it, again and again")


def _take(repository: Repository, asked: Asked, code: Code, folder: Path) -> Taken:
    index = folder / "index"
    index.unlink(missing_ok=True)
    KeptIndex.read(repository.git_dir / "index").write(index)
    clear_flags(repository, index)
    status = read_status(repository, index)
    code = replace(code, base_commit=status.head, branch=status.branch, remote=_remote(repository))
    plan = _planned(repository, asked, status, folder)
    try:
        tree, dirty = _tree(repository, index, status, plan)
        kept = _kept(repository, asked, status.head, tree, dirty)
    except GitError as error:
        if wait_for_gc(repository, seconds=0):
            raise
        return _refused(replace(code, dirty=True, skipped=named(plan.skipped)), str(error))
    skipped = plan.skipped + plan.missing
    missing = [f"{code.name}: {one.path} {one.reason}" for one in plan.missing]
    warning = [f"{code.name}: {kept.warning}"] if kept.warning else []
    return Taken(
        code=replace(
            code,
            commit=kept.commit,
            tree=tree,
            dirty=dirty,
            ref=kept.ref,
            log_branch=kept.log_branch,
            skipped=named(skipped),
        ),
        missing=tuple(missing if kept.ref else missing + warning),
        notes=tuple(warning if kept.ref else ()),
        held=Held(repository, KeptIndex.read(index), frozenset(one.path for one in skipped)),
    )


def _refused(code: Code, reason: str) -> Taken:
    return Taken(code=replace(code, reason=reason), missing=(f"the code in {code.path} was not captured: {reason}",))


def _planned(repository: Repository, asked: Asked, status: Status, scratch: Path) -> _Plan:
    """Decide for every path that differs from HEAD."""
    changes = list(status.changes)
    if asked.include:
        listed = repository.run("ls-files", "-z", "--others", "--ignored", "--exclude-standard", "--", *asked.include)
        changes += [Change(path=path, untracked=True, repository=path.endswith("/")) for path in names(listed.stdout)]
    paths = [change.path for change in changes]
    root, below = asked.pathspecs_at
    left_out = LeftOut(
        top=repository.top,
        folders=run_folders(repository.top, (change.path for change in changes if change.untracked), asked.script)
        | asked.folders,
        include=matching(root, asked.include, paths, scratch, below=below),
        exclude=matching(root, asked.exclude, paths, scratch, below=below),
    )
    plan = _Plan()
    for change in changes:
        why = None if change.removed else left_out.why(change.path, untracked=change.untracked)
        if why is not None:
            _leave(plan, change, why)
        elif change.repository:
            _take_nested(plan, change, asked.nested(change.path))
        else:
            _take_file(plan, change)
    taken = set(plan.files)
    plan.skipped += [Skipped(path=path, reason="ignored by git") for path in status.ignored if path not in taken]
    plan.missing += status.unreadable
    return plan


def _leave(plan: _Plan, change: Change, why: Skipped) -> None:
    plan.skipped.append(why)
    if not change.untracked:  # the index may hold it, or an older content of it: HEAD's is what is left in the snapshot
        mode, blob = change.head
        plan.entries.append((change.path, "0" if mode == "000000" else mode, blob))


def _take_nested(plan: _Plan, change: Change, nested: Code | Skipped) -> None:
    if isinstance(nested, Skipped):
        plan.skipped.append(nested)
    elif nested.commit is not None:
        plan.entries.append((change.path.removesuffix("/"), "160000", nested.commit))
    else:
        plan.missing.append(Skipped(path=change.path, reason=f"is a repository of its own: {nested.reason}"))


def _take_file(plan: _Plan, change: Change) -> None:
    if change.staged_only:
        plan.staged = True
    elif change.removed:
        plan.entries.append((change.path, "0", change.head[1]))
    else:
        plan.files.append(change.path)


def _tree(repository: Repository, index: Path, status: Status, plan: _Plan) -> tuple[str, bool]:
    """Return the tree of what was taken, and whether it differs from HEAD's."""
    committed = repository.text("rev-parse", "--verify", f"{status.head}^{{tree}}") if status.head else None
    if committed and not (plan.entries or plan.files or plan.staged):
        return committed, False
    if not os.access(repository.common_dir / "objects", os.W_OK):
        raise GitError("the repository cannot be written")
    put(repository, index, plan.entries)
    plan.missing += add(repository, index, plan.files)
    tree = repository.run("write-tree", index=index).stdout.decode().strip()
    return tree, tree != committed


def _kept(repository: Repository, asked: Asked, head: str | None, tree: str, dirty: bool) -> Kept:
    def clean(tip: str | None) -> str | None:
        return head if tip is None or is_ancestor(repository, tip, str(head)) else None

    def changed(tip: str | None) -> str:
        parents = [tip] if tip else []
        if head and not (tip and is_ancestor(repository, head, tip)):
            parents.append(head)
        return commit_tree(repository, tree, parents, asked.message)

    return keep(repository, asked.ref, asked.branch, changed if dirty else clean)


def _remote(repository: Repository) -> str | None:
    """Return the address of origin, or else of the first remote."""
    try:
        listed = names(repository.run("config", "-z", "--get-regexp", r"^remote\..*\.url$").stdout)
    except GitError:
        return None
    addresses = dict(line.split("\n", 1) for line in listed if "\n" in line)
    address = addresses.get("remote.origin.url") or next(iter(addresses.values()), None)
    return without_credentials(address) if address else None


def without_credentials(address: str) -> str:
    """Take user names, passwords and queries out of an address; ssh needs its user name, which opens nothing.

    Examples
    --------
    >>> without_credentials("https://ghp_123:x-oauth@github.com/ada/engine.git?token=1")
    'https://github.com/ada/engine.git'
    >>> without_credentials("git@github.com:ada/engine.git"), without_credentials("ssh://git:pw@host/engine")
    ('git@github.com:ada/engine.git', 'ssh://git@host/engine')
    """
    scheme, separator, rest = address.partition("://")
    if not separator:
        return re.sub(r"^([^/@:]*):[^/@]*@", r"\1@", address)
    place, slash, path = rest.partition("/")
    user, _, host = place.rpartition("@")
    shown = f"{user.partition(':')[0]}@" if user and "ssh" in scheme else ""
    return f"{scheme}://{shown}{host}{slash}{re.split('[?#]', path)[0]}"
