"""The code of a run: every repository that it came from, as it was when the run began.

The user's repositories are only read: index, HEAD, worktree and ``git status`` stay as they are. What could not be
taken is named, in ``Code.reason``, in ``Code.skipped`` and in the warnings, and never raised, unless the snapshot was
declared strict.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from naga.errors import SnapshotError
from naga.marks import Snapshot
from naga.record.schema import Code

if TYPE_CHECKING:
    from naga.capture.repository import Held

__all__ = ["CodeCapture", "Snapshot", "Subject", "capture_code", "capture_once", "check_code", "recapture_after"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What the code is captured for, a run or a diag: ``save_dir`` as the user wrote it, ``leave_out`` absolute."""

    run_id: str
    task: str
    save_dir: str | None
    leave_out: tuple[Path, ...] = ()
    kind: str = "runs"

    @property
    def ref(self) -> str:
        """What keeps the commit."""
        return f"refs/naga/{self.kind}/{self.run_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeCapture:
    """The repositories that were captured, and what is missing from them or else worth telling."""

    entries: tuple[Code, ...] = ()
    warnings: tuple[str, ...] = ()
    held: Mapping[str, "Held"] = field(default_factory=dict, repr=False, compare=False)
    """What the snapshots hold, by the paths of their repositories: what `recapture_after` compares with."""


def capture_code(script: Path | None, declared: Snapshot, subject: Subject) -> CodeCapture:
    """Capture the repository of a script, and those of everything that is imported by now.

    Parameters
    ----------
    script : Path or None
        The file of the task. Where it has none, or lies in no repository, that of the working directory is taken.
    declared : Snapshot
        How.
    subject : Subject
        For which run.

    Raises
    ------
    SnapshotError
        The snapshot is strict and something could not be captured; or git does not understand a declared pattern.
    """
    from naga.capture.imports import imported_files, top_of
    from naga.capture.taking import Taking

    script = script.resolve() if script is not None else None
    files = imported_files() | ({script} if script is not None else set())
    taking = Taking(declared, subject, script, files=files)
    # A script outside any repository is run for the project that one works in.
    start = script.parent if script is not None and top_of(script.parent) else Path.cwd()
    taking.add(start, branch=declared.branch)
    taking.add_imported(files)
    if declared.strict and taking.missing:
        raise SnapshotError(taking.missing[0], hint="commit or mend it, or drop strict=True from @snapshot")
    return taking.result()


def capture_once(script: Path, subject: Subject) -> str | None:
    """Give the commit of a script's repository that was taken under the subject's ref; take it, where there is none.

    Parameters
    ----------
    script : Path
        A file.
    subject : Subject
        Its ``run_id`` stands for the content of the code: equal ones share a commit.

    Returns
    -------
    str or None
        None where it lies in no repository, or nothing could be kept there.
    """
    from naga.capture.git import GitError, Repository
    from naga.capture.taking import Taking

    with suppress(GitError, OSError):
        return Repository.find(script.parent).text("rev-parse", "--verify", "--quiet", subject.ref)
    return Taking(Snapshot(), subject, script).add(script.parent).commit


def recapture_after(before: CodeCapture, declared: Snapshot, subject: Subject) -> CodeCapture:
    """Return the capture with what only the end of the run can tell.

    That is: captured files that have changed since; modules that were imported from files that no snapshot holds; and
    the snapshots of further repositories that code was imported from.
    """
    from naga.capture.imports import imported_files
    from naga.capture.taking import Taking

    taking = Taking(declared, subject, None, before)
    for code in before.entries:
        taking.compare(code)
    taking.add_imported(imported_files())
    return taking.result()


def check_code(code: Code, elsewhere: Path) -> str | None:
    """Look whether a recorded commit is still there, complete and kept.

    Parameters
    ----------
    code : Code
        An entry with a commit.
    elsewhere : Path
        A folder whose repository is asked where there is none at the recorded path: a clone on another machine.

    Returns
    -------
    str or None
        What is wrong.
    """
    from naga.capture.git import GitError, Repository

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
    return None if refs else f"commit {commit[:12]} is kept by no ref: git may remove it"
