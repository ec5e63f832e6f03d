"""One repository, from its worktree to a commit that holds it.

::

    copy of the index ── one walk ──> changes ── less what is left out ──> tree ──> commit ──> refs
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import field, replace
from pathlib import Path

from naga.capture.code.cells import FOLDER, Cells
from naga.capture.code.exclusions import IGNORED, Exclusions, identity, ignored_by_git, matching, named, run_folders
from naga.capture.code.git import GitError, Meanwhile, Repository, names
from naga.capture.code.objects import bring, is_collected, secure
from naga.capture.code.refs import Anchored, LogBranch, Tip, commit_tree, is_ancestor, keep
from naga.capture.code.scratch import scratch
from naga.capture.code.tree import edited_tree
from naga.capture.code.worktree import (
    Change,
    IndexCopy,
    TreeEntry,
    WorktreeStatus,
    index_state,
    read_flags,
    read_status,
    store,
)
from naga.declarations import Snapshot
from naga.frozen import dataclass
from naga.record.schema import Code, Skipped

_GC_TRIES = 10
_LOOKS = 3
_NO_DATE = dict.fromkeys(("GIT_AUTHOR_DATE", "GIT_COMMITTER_DATE"), "1980-01-01T00:00:00Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotRequest:
    """What to capture of a repository, and under which names."""

    ref: str
    branch: str | None
    message: str
    folders: dict[Path, str]
    declared: Snapshot
    printed_to: frozenset[tuple[int, int]]
    cells: Cells | None
    script: Path | None
    imported: tuple[str, ...]  # files that the program was imported from
    pathspecs_at: tuple[Repository, str]  # the repository at whose top patterns are read, and where in it this one is
    nested: Callable[[str], Code | Skipped]  # captures a repository that is in this one, or says why not


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotResult:
    """What was captured, what could not be, and what to warn about."""

    code: Code
    missing: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    held: "HeldFiles | None" = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldFiles:
    """The files of a snapshot, and what shows whether they have changed since: git compares times of change."""

    repository: Repository
    commit: str
    index: IndexCopy  # the user's
    stored: IndexCopy  # of the files that differed from HEAD
    uncommitted: frozenset[str]  # paths that `index` says nothing about
    committed: frozenset[str]  # those of the imported files that HEAD has
    skipped: frozenset[str]
    printed_to: frozenset[tuple[int, int]] = frozenset()

    def changed(self) -> list[str]:
        """Return the files that are no longer as the snapshot has them."""
        committed = Meanwhile(lambda: [path for path in self._compare(self.index) if path not in self.uncommitted])
        changed = [path for path in self._compare(self.stored) if path not in self.skipped]
        changed += committed.result()
        return sorted(path for path in changed if identity(self.repository.top / path) not in self.printed_to)

    def _compare(self, index: IndexCopy) -> list[str]:
        question = ("diff", "--name-only", "-z", "--no-ext-diff", "--no-renames", "--ignore-submodules=all")
        if not index.content:
            return []
        with scratch() as folder:
            index.write(folder / "index")
            return names(self.repository.with_index(folder / "index").run(*question).stdout)

    def lacks(self, paths: list[str]) -> list[str]:
        """Return those of the paths whose content the snapshot does not hold."""
        asked = [path for path in paths if path in self.uncommitted or path not in self.committed]
        held = _listed(self.repository, self.commit, asked)
        return [path for path in asked if path not in held or path in self.skipped]


@dataclass(frozen=True, slots=True)
class _Look:
    """What was seen of a repository in one moment."""

    status: WorktreeStatus
    index: IndexCopy
    head: str | None
    tree: str | None
    remote: str | None
    tip: Callable[[], Tip | None]  # raises what looking at the log branch raised
    committed: frozenset[str]  # imported files that HEAD has


@dataclass(slots=True)
class _Plan:
    """What to do with each path that differs from HEAD."""

    entries: dict[str, TreeEntry | None] = field(default_factory=dict)
    files: list[Change] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    missing: list[Skipped] = field(default_factory=list)


def take_snapshot(repository: Repository, asked: SnapshotRequest) -> SnapshotResult:
    """Capture a repository; where that is not possible, ``code.reason`` says why."""
    code = Code(name=repository.top.name, path=str(repository.top))
    try:
        with scratch() as folder:
            for _ in range(_GC_TRIES):
                collected = is_collected(repository)
                taken = _take(repository, asked, code, folder)
                # A garbage collection removes objects that are in the repository and in no ref yet: once more, then.
                if taken.code.reason is None or not (collected or is_collected(repository)):
                    break
            return taken
    except OSError as error:
        return _refused(code, f"no temporary files: {error}")


def _take(repository: Repository, asked: SnapshotRequest, code: Code, folder: Path) -> SnapshotResult:
    try:
        look = _look(repository, asked, folder / "index")
    except (GitError, OSError, RuntimeError) as error:  # the last, where no thread can be started
        return _refused(code, str(error).replace(f"{folder}/", f"{repository.git_dir}/"))
    status = look.status
    code = replace(code, base_commit=status.head, branch=status.branch, remote=look.remote)
    try:
        plan = _planned(repository, asked, status, folder)
        tree, stored = _keep(repository, asked, look, plan, folder)
    except (GitError, OSError) as error:
        return _refused(code, str(error))
    code = replace(
        code,
        commit=stored.commit,
        tree=tree,
        dirty=tree != look.tree or asked.cells is not None,
        ref=stored.ref,
        log_branch=stored.log_branch,
        skipped=named(plan.skipped + plan.missing),
    )
    missing = tuple(f"{code.name}: {one.path} {one.reason}" for one in plan.missing)
    notes = (f"{code.name}: {stored.warning}",) if stored.warning else ()
    if code.ref is None:  # then the warning is that git may delete the commit
        missing, notes = missing + notes, ()
    index = IndexCopy.read(folder / "stored")
    held = _held(repository, asked, look, plan, commit=stored.commit, stored=index)
    return SnapshotResult(code=code, missing=missing, notes=notes, held=held)


def _held(
    repository: Repository, asked: SnapshotRequest, look: _Look, plan: _Plan, *, commit: str, stored: IndexCopy
) -> HeldFiles:
    return HeldFiles(
        repository=repository,
        commit=commit,
        index=look.index,
        stored=stored,
        uncommitted=frozenset(change.path for change in look.status.changes),
        committed=look.committed,
        skipped=frozenset(one.path for one in plan.skipped + plan.missing),
        printed_to=asked.printed_to,
    )


def _look(repository: Repository, asked: SnapshotRequest, index: Path) -> _Look:
    """Look at the repository; look again if somebody commits at this moment."""
    for _ in range(_LOOKS):
        before = index_state(repository)
        look = _look_once(repository, asked, index)
        if look.head == look.status.head and index_state(repository) == before:
            return look
    raise GitError("HEAD cannot be read, or HEAD or the index changes again and again")


def _look_once(repository: Repository, asked: SnapshotRequest, index: Path) -> _Look:
    """Read everything that takes time in parallel."""
    # The walk has threads of its own to begin with: what waits in line beside it takes less from it.
    with Meanwhile(lambda: read_status(repository)) as walk:
        stored = IndexCopy.read(repository.git_dir / "index")
        head, tree = _head(repository)
        with Meanwhile(lambda: LogBranch(repository, asked.branch, head).look() if asked.branch else None) as tip:
            remote = _remote(repository)
            committed = _listed(repository, head, asked.imported)
        if flags := {} if stored.hides_nothing() else read_flags(repository):
            copy = repository.with_index(index)
            stored.write(index)
            for flag, paths in flags.items():
                copy.run("update-index", flag, "-z", "--stdin", stdin=b"\0".join(paths))
            stored, status = IndexCopy.read(index), read_status(copy)
        else:
            status = walk.result()
    return _Look(status, stored, head, tree, remote, tip.result, committed)


def _refused(code: Code, reason: str) -> SnapshotResult:
    return SnapshotResult(
        code=replace(code, reason=reason), missing=(f"the code in {code.path} was not captured: {reason}",)
    )


def _planned(repository: Repository, asked: SnapshotRequest, status: WorktreeStatus, scratch: Path) -> _Plan:
    """Decide for every path that differs from HEAD."""
    (root, below), declared = asked.pathspecs_at, asked.declared
    found = ignored_by_git(repository, declared.include) if not below else []
    changes = status.changes + tuple(Change(path=path, untracked=True, repository=path[-1] == "/") for path in found)
    paths = [change.path for change in changes]
    untracked = [change.path for change in changes if change.untracked]
    left_out = Exclusions(
        top=repository.top,
        folders={**run_folders(repository.top, untracked, asked.script), **asked.folders},
        include=matching(root, declared.include, paths, scratch, below=below),
        exclude=matching(root, declared.exclude, paths, scratch, below=below),
        printed_to=asked.printed_to,
    )
    plan = _Plan(missing=list(status.unreadable))
    if asked.cells and asked.cells.reason:
        lacking = plan.missing if asked.cells.wanted else plan.skipped
        lacking.append(Skipped(path=f"{FOLDER}/", reason=asked.cells.reason))
    for change in changes:
        _plan_change(plan, change, asked, left_out)
    seen = set(paths)
    plan.skipped += [Skipped(path=path, reason=IGNORED) for path in status.ignored if path not in seen]
    return plan


def _plan_change(plan: _Plan, change: Change, asked: SnapshotRequest, left_out: Exclusions) -> None:
    why = None if change.removed else left_out.why(change.path, untracked=change.untracked)
    if why is not None:
        plan.skipped.append(why)
    elif change.removed or change.staged:
        plan.entries[change.path] = None if change.removed else change.index
    elif not change.repository:
        plan.files.append(change)
    elif isinstance(nested := asked.nested(change.path), Skipped):
        plan.skipped.append(nested)
    elif nested.commit is not None:
        plan.entries[change.path.removesuffix("/")] = ("160000", nested.commit)
    else:
        plan.missing.append(Skipped(path=change.path, reason=f"is a repository of its own: {nested.reason}"))


def _keep(
    repository: Repository, asked: SnapshotRequest, look: _Look, plan: _Plan, folder: Path
) -> tuple[str, Anchored]:
    """Make the commit of what was planned and protect it by refs; HEAD is that commit where the trees are equal."""
    objects = folder / "objects"
    (objects / "pack").mkdir(parents=True, exist_ok=True)
    aside = repository.writing_to(objects)
    for name, content in (asked.cells.files if asked.cells else {}).items():
        plan.entries[f"{FOLDER}/{name}"] = ("100644", aside.text("hash-object", "-w", "--stdin", stdin=content))
    tree, head = _tree(aside, look.tree, plan, folder / "stored"), look.head
    log = LogBranch(repository, asked.branch, head) if asked.branch is not None else None

    def clean(tip: Tip | None) -> str | None:
        return head if tip is None or is_ancestor(repository, tip.commit, str(head)) else None

    def changed(tip: Tip | None) -> str:
        parents = [tip.commit] if tip else []
        if head and not (tip and tip.has_head):
            parents.append(head)
        commit = _commit(aside, tree, parents, asked)
        bring(repository, aside, objects, commit)
        return commit

    if tree == look.tree:
        return tree, keep(repository, asked.ref, log, look.tip, clean)
    stored = keep(repository, asked.ref, log, look.tip, changed)
    secure(repository, aside, objects, stored.commit)
    return tree, stored


def _commit(aside: Repository, tree: str, parents: list[str], asked: SnapshotRequest) -> str:
    """Write the commit; that of a nested repository follows from its code alone, for the tree around it names it."""
    if not asked.pathspecs_at[1]:
        return commit_tree(aside, tree, parents, asked.message)
    dateless = replace(aside, variables={**aside.variables, **_NO_DATE})
    return commit_tree(dateless, tree, parents, "The code of a run")


def _tree(repository: Repository, committed: str | None, plan: _Plan, index: Path) -> str:
    """Write the tree of HEAD with what was planned done to it."""
    index.unlink(missing_ok=True)
    stored, failed = store(repository.with_index(index), plan.files) if plan.files else ({}, [])
    plan.missing += failed
    if committed is not None and not plan.entries and not stored:
        return committed
    return edited_tree(repository, committed, plan.entries | stored)


def _head(repository: Repository) -> tuple[str | None, str | None]:
    """Return the commit that HEAD is, and its tree."""
    try:
        commit, tree = repository.text("rev-parse", "HEAD", "HEAD^{tree}").split()
    except GitError:  # before the first commit
        return None, None
    return commit, tree


def _listed(repository: Repository, commit: str | None, paths: Sequence[str]) -> frozenset[str]:
    """Return those of the paths that a commit has."""
    if commit is None or not paths:
        return frozenset()
    return frozenset(names(repository.run("ls-tree", "-z", "--name-only", commit, "--", *paths).stdout))


def _remote(repository: Repository) -> str | None:
    """Return the address of origin, or else of the first remote."""
    try:
        listed = names(repository.run("config", "-z", "--get-regexp", r"^remote\..*\.url$").stdout)
    except GitError:
        return None
    addresses = dict(line.split("\n", 1) for line in listed if "\n" in line)
    address = addresses.get("remote.origin.url") or next(iter(addresses.values()), None)
    return _without_credentials(address) if address else None


def _without_credentials(address: str) -> str:
    """Take user names, passwords and queries out of an address; ssh needs its user name, which is no secret."""
    scheme, separator, rest = address.partition("://")
    if not separator:
        return re.sub(r"^([^/@:]*):[^/@]*@", r"\1@", address)
    place, slash, path = rest.partition("/")
    user, _, host = place.rpartition("@")
    shown = f"{user.partition(':')[0]}@" if user and "ssh" in scheme else ""
    return f"{scheme}://{shown}{host}{slash}{re.split('[?#]', path)[0]}"
