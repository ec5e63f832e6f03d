"""The code that a run had, laid out for today's diag."""

import shutil
from pathlib import Path
from types import ModuleType

from naga.capture.code.checkout import lay_out, real_folder
from naga.capture.code.git import GitError, Repository
from naga.diagnose.batch.script import module_file
from naga.errors import DiagError
from naga.project import project_root
from naga.record.schema import Code
from naga.runs.find import Run


def recorded_code(run: Run, script: Path) -> Code:
    """Find the snapshot of a script's repository among those of a run."""
    root = project_root(script.parent)
    captured = [code for code in run.record.code if code.commit]
    if not captured:
        raise DiagError("the run has no snapshot of its code", hint="only runs of tasks with @snapshot have one")
    here = [code for code in captured if Path(code.path) == root] or [
        code for code in captured if code.name == root.name
    ]
    return (here or captured)[0]


def recorded_tree(code: Code, script: Path, folder: Path) -> Path:
    """Lay out a snapshot in a folder, today's script on top of it, and return the script's path there."""
    try:
        repository = Repository.find(script.parent)
        lay_out(repository, str(code.commit), folder)
    except GitError as error:
        raise _not_laid_out(code, script, error) from error
    # What searches for the root of the project stops here.
    (folder / ".git").touch()
    here = folder / script.relative_to(repository.top.resolve())
    # Where the snapshot has a link on the way, what is written through it would be outside of the folder.
    real_folder(folder, here.parent, replace=True)
    here.unlink(missing_ok=True)
    shutil.copyfile(script, here)
    return here


def _not_laid_out(code: Code, script: Path, error: GitError) -> DiagError:
    """Explain why a snapshot cannot be laid out; for one that is in another repository, with a hint."""
    commit = str(code.commit)
    try:
        repository = Repository.find(script.parent)
        repository.text("rev-parse", "--verify", "--quiet", "--end-of-options", f"{commit}^{{tree}}")
    except GitError:
        hint = "git fetch origin 'refs/naga/*:refs/naga/*'"
        return DiagError(f"commit {commit[:10]}, the code of the run, is not in this repository", hint=hint)
    return DiagError(f"commit {commit[:10]}, the code of the run, cannot be laid out: {error}")


def lacking(error: BaseException | None, folder: Path) -> str:
    """Name what today's diag needs and the code of a run, laid out in ``folder``, lacks; empty for nothing.

    Today's script among older modules asks them for names that came later; a module that came later is not there.
    """
    name = ""
    if isinstance(error, AttributeError) and isinstance(error.obj, ModuleType):
        name = f"{error.obj.__name__}.{error.name}" if _is_of(getattr(error.obj, "__file__", None), folder) else ""
    elif isinstance(error, ModuleNotFoundError):
        name = error.name if error.name and module_file(error.name) else ""  # else it is a package that is not here
    elif isinstance(error, ImportError) and _is_of(error.path, folder):
        wanted = str(error).partition("'")[2].partition("'")[0]  # its own attribute only since Python 3.12
        name = f"{error.name}.{wanted}"
    if not name:
        return lacking(error.__cause__, folder) if error and error.__cause__ else ""
    return f"today's diag needs {name}, which the code of the run lacks; --code current uses today's code"


def _is_of(file: str | None, folder: Path) -> bool:
    return bool(file) and Path(str(file)).resolve().is_relative_to(folder.resolve())
