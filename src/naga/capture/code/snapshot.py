"""The code of a run: every repository that it comes from, as it is when the run begins.

The user's repositories are only read. What could not be captured is named, in ``Code.reason``, in ``Code.skipped`` and
in the warnings, and never raised, unless the snapshot was declared strict.
"""

import os
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import field, replace
from pathlib import Path

from naga.capture.code.cells import Cells, write_beside
from naga.capture.code.exclusions import DATA, SAVE_DIR, printed_to
from naga.capture.code.git import GitError, Repository
from naga.capture.code.imports import imported_files, is_installed
from naga.capture.code.repository import HeldFiles, SnapshotRequest, SnapshotResult, take_snapshot
from naga.declarations import Snapshot
from naga.errors import SnapshotError
from naga.frozen import dataclass
from naga.process.switches import why_off
from naga.project import NAGA, top_of
from naga.record.schema import Code, Skipped
from naga.secrets import redact_text
from naga.wording import first_of


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotLabel:
    """The run or diag that the code is captured for: ``save_dir`` as the user wrote it, ``leave_out`` absolute."""

    run_id: str
    task: str
    save_dir: str | None
    leave_out: tuple[Path, ...] = ()
    kind: str = "runs"
    own_folder: Path | None = None  # of Naga, below save_dir

    @property
    def ref(self) -> str:
        """The ref that protects the commit."""
        return f"refs/naga/{self.kind}/{self.run_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeCapture:
    """The repositories that were captured, and warnings of what is missing from them.

    ``laid_out`` says where a process imports them from, by their paths, if that is not where they are.
    """

    entries: tuple[Code, ...] = ()
    warnings: tuple[str, ...] = ()
    held: Mapping[str, "HeldFiles"] = field(default_factory=dict, repr=False, compare=False)  # by repositories' paths
    laid_out: Mapping[str, str] = field(default_factory=dict)


def capture_code(
    script: Path | None, declared: Snapshot, label: SnapshotLabel, cells: Cells | None = None
) -> CodeCapture:
    """Capture the repository of a script or a notebook, and those of everything that is imported by now."""
    # The task of an installed package is no code of the project, although its interpreter may be in a repository, as
    # pyenv's do; like a script outside any repository it is run for the project that one works in.
    script = None if script is None or is_installed(str(script.parent)) else script.resolve()
    files = imported_files() | ({script} if script is not None else set())
    collector = _Collector(declared, label, script, files=files)
    start = script.parent if script is not None and top_of(script.parent) else Path.cwd()
    if off := why_off():
        top = top_of(start) or start
        return CodeCapture(entries=(Code(name=top.name, path=str(top), reason=off),))
    code = collector.add(start, branch=declared.branch, cells=cells)
    if cells and code.commit is None:
        collector.write_beside(code, cells)
    collector.add_imported(files)
    if declared.strict and collector.missing:
        raise SnapshotError(collector.missing[0], hint="commit it, or drop strict=True from @snapshot")
    return collector.result()


def capture_once(script: Path, label: SnapshotLabel) -> str | None:
    """Return the commit of a script's repository under the label's ref; make it where there is none.

    An installed script has none: its package's version stands for it. Nor has one of a test.
    """
    if why_off() or is_installed(str(script.parent)):
        return None
    with suppress(GitError, OSError):
        return Repository.find(script.parent).text("rev-parse", "--verify", "--quiet", label.ref)
    return _Collector(Snapshot(), label, script).add(script.parent).commit


def anchored_for(taken: CodeCapture, label: SnapshotLabel) -> CodeCapture:
    """Let the ref of a further run protect the commits of a capture that many runs share."""
    entries = []
    for number, code in enumerate(taken.entries):
        ref = f"{label.ref}{f'+{number}' if number else ''}"
        try:
            if code.commit:
                Repository.find(Path(code.path)).run("update-ref", ref, code.commit)
            entries.append(replace(code, ref=ref if code.commit else None))
        except (GitError, OSError) as error:
            entries.append(replace(code, reason=f"no ref of its own: {error}"))
    return replace(taken, entries=tuple(entries))


def recapture_after(before: CodeCapture, declared: Snapshot, label: SnapshotLabel) -> CodeCapture:
    """Add what only the end of the run shows: changed files, and what was imported meanwhile."""
    entries = {code.path: code for code in before.entries}
    collector = _Collector(declared, label, None, (), entries, dict(before.held), dict.fromkeys(before.warnings))
    for code in before.entries:
        collector.compare(code, is_laid_out=code.path in before.laid_out)
    if not why_off():
        folders = [*map(Path, before.laid_out.values())]
        collector.add_imported({file for file in imported_files() if not any(map(file.is_relative_to, folders))})
    return collector.result()


def check_code(code: Code, elsewhere: Path) -> str | None:
    """Look whether a recorded commit is still there, complete and held by a ref."""
    place = Path(code.path) if Path(code.path).is_dir() else elsewhere
    commit = str(code.commit)
    try:
        repository = Repository.find(place)
        if repository.text("rev-parse", "--verify", "--end-of-options", f"{commit}^{{tree}}") != code.tree:
            return f"commit {commit[:12]} is not the tree {code.tree}"
        repository.run("rev-list", "--objects", "--no-walk", "--quiet", "--missing=allow-promisor", commit, "--")
        refs = repository.text("for-each-ref", "--count=1", "--format=%(refname)", "--contains", commit)
    except (GitError, OSError) as error:
        return f"commit {commit[:12]} cannot be read in {place}: {error}"
    return None if refs else f"no ref keeps commit {commit[:12]}: git may delete it"


@dataclass(slots=True)
class _Collector:
    """Collects the entries and warnings of one capture."""

    declared: Snapshot
    label: SnapshotLabel
    script: Path | None
    files: Collection[Path] = ()
    entries: dict[str, Code] = field(default_factory=dict)
    held: dict[str, HeldFiles] = field(default_factory=dict)
    warnings: dict[str, None] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)

    def result(self) -> CodeCapture:
        """Return what was collected."""
        return CodeCapture(entries=tuple(self.entries.values()), warnings=tuple(self.warnings), held=self.held)

    def add(self, folder: Path, *, branch: str | None = None, cells: Cells | None = None) -> Code:
        """Capture the repository that holds a folder."""
        try:
            repository = Repository.find(folder)
        except (GitError, OSError) as error:
            code = Code(name=folder.name, path=str(folder), reason=str(error))
            missing = f"the code in {folder} was not captured: {error}"
            missing += "" if top_of(folder) else " (`git init` makes one)"
            return self._tell(SnapshotResult(code=code, missing=(missing,)))
        return self._add(repository, (repository, ""), branch, cells)

    def write_beside(self, code: Code, cells: Cells) -> None:
        """Write the cells of a notebook into the run's own folder, where no commit can hold them."""
        said = cells.reason
        try:
            if cells.files and self.label.own_folder:
                said = f"the cells that ran are in '{write_beside(cells.files, self.label.own_folder)}'"
            elif cells.files:
                said = "the cells that ran are recorded only with @runlock"
        except OSError as error:
            said = f"the cells that ran were not recorded: {error}"
        self.entries[code.path] = replace(code, reason=f"{code.reason}; {said}")

    def _add(
        self,
        repository: Repository,
        pathspecs_at: tuple[Repository, str],
        branch: str | None = None,
        cells: Cells | None = None,
    ) -> Code:
        top = str(repository.top)
        if top in self.entries:
            return self.entries[top]
        self.entries[top] = Code(name=repository.top.name, path=top)  # it comes before what is in it
        taken = take_snapshot(repository, self._request(repository, pathspecs_at, branch, cells))
        if taken.held is not None:
            self.held[top] = taken.held
        return self._tell(taken)

    def _request(
        self, repository: Repository, pathspecs_at: tuple[Repository, str], branch: str | None, cells: Cells | None
    ) -> SnapshotRequest:
        root, below = pathspecs_at
        siblings = sum(held.repository.common_dir == repository.common_dir for held in self.held.values())
        inside = [file for file in self.files if file.is_relative_to(repository.top)]
        return SnapshotRequest(
            ref=f"{self.label.ref}{f'+{siblings}' if siblings else ''}",
            branch=branch,
            message=_message(self.declared, self.label),
            folders=_left_out(self.label, repository.top, self.script),
            declared=self.declared,
            printed_to=printed_to(),
            cells=cells,
            script=self.script,
            imported=tuple(str(file.relative_to(repository.top)) for file in inside),
            pathspecs_at=pathspecs_at,
            nested=lambda path: self._add_nested(repository, root, path, f"{below}{path}"),
        )

    def _add_nested(self, outer: Repository, root: Repository, path: str, below: str) -> Code | Skipped:
        """Capture a repository inside another: a submodule, or one that the outer one ignores."""
        folder = outer.top / path
        try:
            inner = Repository.find(folder)
        except (GitError, OSError) as error:
            return Code(name=folder.name, path=str(folder), reason=str(error))
        if inner.top == outer.top:
            return Code(name=folder.name, path=str(folder), reason="its git folder is missing")
        if inner.common_dir == outer.common_dir:
            return Skipped(path=path, reason="another worktree of this repository")
        return self._add(inner, (root, below))

    def _tell(self, taken: SnapshotResult) -> Code:
        self.entries[taken.code.path] = taken.code
        self.missing += taken.missing
        self.warnings |= dict.fromkeys(taken.missing + taken.notes)
        return taken.code

    def add_imported(self, files: set[Path]) -> None:
        """Capture the repositories that files are in, and warn of files that no snapshot holds."""
        lacking = []
        for top, inside in _by_repository(files).items():
            if top is None:
                reported = [Path(code.path) for code in self.entries.values() if code.reason]
                lacking += [file for file in inside if not any(map(file.is_relative_to, reported))]
            elif top != NAGA or str(top) in self.entries:
                lacking += self._lacking(self.entries.get(str(top)) or self.add(top), inside)
        if lacking:
            self._warn(f"imported, but missing from the snapshot: {first_of(map(str, lacking))}")

    def _lacking(self, code: Code, files: list[Path]) -> list[Path]:
        paths = {str(file.relative_to(code.path)): file for file in files if file.is_relative_to(code.path)}
        lacking = self._compared(code, "whether all that was imported is captured", lambda held: held.lacks([*paths]))
        return [paths[path] for path in lacking]

    def compare(self, code: Code, *, is_laid_out: bool) -> None:
        """Name captured files that have changed since; of code that is laid out, those that were not imported."""
        changed = self._compared(code, "whether the code changed during the run", HeldFiles.changed)
        changed = [file for file in changed if not (is_laid_out and file.endswith(".py"))]
        if changed:
            self._warn(f"{code.name}: changed during the run, captured as it was before: {first_of(changed)}")

    def _compared(self, code: Code, what: str, question: Callable[[HeldFiles], list[str]]) -> list[str]:
        held = self.held.get(code.path)
        try:
            return question(held) if held else []  # without one, the reason of its entry says it already
        except (GitError, OSError) as error:
            self._warn(f"{code.name}: {what} is not known: {error}")
            return []

    def _warn(self, text: str) -> None:
        self.missing.append(text)
        self.warnings[text] = None


def _by_repository(files: Iterable[Path]) -> dict[Path | None, list[Path]]:
    tops: dict[Path, Path | None] = {}
    found: dict[Path | None, list[Path]] = {}
    for file in sorted(files):
        top = tops[file.parent] if file.parent in tops else tops.setdefault(file.parent, top_of(file.parent))
        found.setdefault(top, []).append(file)
    return found


def _left_out(label: SnapshotLabel, top: Path, script: Path | None) -> dict[Path, str]:
    """Map what a run reads and writes to why it is left out; a folder that holds the code is captured all the same."""
    code = {top, *top.parents, *(script.parents if script is not None else ())}
    save_dir = os.path.abspath(label.save_dir) if label.save_dir is not None else None  # noqa: PTH100  # without ".."
    places = {path: SAVE_DIR if str(path) == save_dir else DATA for path in label.leave_out}
    return {form: why for path, why in places.items() for form in (path, path.resolve()) if form not in code}


def _message(declared: Snapshot, label: SnapshotLabel) -> str:
    """Write the message of a run's commit."""
    trailers = {"Run": label.run_id, "Task": label.task, "Save-Dir": label.save_dir}
    lines = [f"Naga-{key}: {' '.join(value.splitlines())}" for key, value in trailers.items() if value is not None]
    return redact_text("\n".join([declared.message or f"Run {label.task}", "", *lines, ""]))
