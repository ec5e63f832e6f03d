"""The code that a diag is made of: its own file, and what that imports from the same project, and so on.

Files are found and read, never imported: the answer is the same before and after the diag has run, in a script and in a
process that runs many diags.
"""

import hashlib
import json
import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from naga.capture.code import Subject, capture_once
from naga.capture.imports import NAGA, top_of
from naga.diagnose.store import project_root
from naga.runs.find import Run

__all__ = ["code_files", "code_hash", "diag_commit", "diag_key"]

# Parsing a project of some hundred files would take longer than most diags. What only looks like an import, in a
# docstring, does no harm: a file more than needed.
_IMPORT = re.compile(
    r"(?:^|;)[ \t]*(?:from[ \t]+(\.*)([\w.]*)[ \t]+import[ \t]*(\([^)]*\)|[^\n;]*)|import[ \t]+([^\n;]+))", re.MULTILINE
)
_FOREIGN = frozenset({"site-packages", "dist-packages"})


def diag_key(lock_hash: str, fn: Callable[..., Any], file: Path | None, arguments: Any) -> str:
    """Hash all that decides what a diag publishes: an unchanged key means an unchanged page.

    Parameters
    ----------
    lock_hash : str
        Of the run.
    fn : callable
        The undecorated diag.
    file : Path or None
        Where it was written; None in a notebook, where the function alone counts.
    arguments : Any
        What it is given besides the configuration.
    """
    code = code_hash(file) if file else hashlib.sha256(repr(_compiled(fn)).encode()).hexdigest()
    told = json.dumps([lock_hash, fn.__qualname__, code, arguments], default=repr, sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()


def diag_commit(file: Path, name: str, run: Run) -> str | None:
    """Give a commit that holds the code of a diag, as ``refs/naga/diags/...`` keeps it: one for each state of it.

    Parameters
    ----------
    file : Path
        The diag's own file.
    name : str
        What it is called.
    run : Run
        What it diagnoses: where nobody asked for snapshots of that, none is taken of this.

    Returns
    -------
    str or None
        None where no repository could keep it.
    """
    top = top_of(file.parent)
    snapshots = {code.path for code in run.record.code if code.commit}
    if top is None or not snapshots or (top == NAGA and str(top) not in snapshots):
        return None
    subject = Subject(run_id=code_hash(file)[:32], task=name, save_dir=None, leave_out=(run.save_dir,), kind="diags")
    return capture_once(file, subject)


def _compiled(fn: Callable[..., Any]) -> tuple[Any, ...]:
    code = fn.__code__
    return code.co_code, code.co_names, [const for const in code.co_consts if not hasattr(const, "co_code")]


def code_hash(file: Path) -> str:
    """Hash the content of a diag's code; where the project lies does not matter.

    Parameters
    ----------
    file : Path
        The diag's own file.

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    root = project_root(file.parent)
    files = sorted((str(path.relative_to(root)), path) for path in code_files(file))
    total = hashlib.sha256()
    for name, path in files:
        total.update(f"{name}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode(errors="surrogateescape"))
    return total.hexdigest()


def code_files(file: Path) -> set[Path]:
    """Find a diag's own file, and all files of its project that it imports, directly or not."""
    root = project_root(file.parent)
    own = [folder for folder in dict.fromkeys(map(os.path.realpath, sys.path)) if _is_own(Path(folder), root)]
    found, unread = {str(file)}, [str(file)]
    while unread:
        new = {path for path in _imported(unread.pop(), own) if _is_own(Path(path), root)} - found
        found |= new
        unread += new
    return set(map(Path, found))


def _is_own(path: Path, root: Path) -> bool:
    return path.is_relative_to(root) and _FOREIGN.isdisjoint(path.parts)


def _imported(file: str, roots: Sequence[str]) -> set[str]:
    try:
        text = Path(file).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return set()
    found: set[str] = set()
    for dots, module, names, modules in _IMPORT.findall(text):
        if modules:
            asked = {tuple(name.split(".")) for name in _split(modules)}
        else:  # each name may be a module of its own
            asked = {(*filter(None, module.split(".")), name) for name in _split(names)}
        # The script's own folder comes first, as Python has it.
        folders = [str(Path(file).parents[len(dots) - 1])] if dots else [str(Path(file).parent), *roots]
        found.update(*(_files_of(folders, parts) for parts in asked))
    return found


def _split(names: str) -> list[str]:
    """Read ``a as b, c  # comment`` as a and c."""
    lines = (line.partition("#")[0] for line in names.strip("()").splitlines())
    return [name.split()[0] for line in lines for name in line.split(",") if name.strip()]


def _files_of(folders: Sequence[str], names: Sequence[str]) -> list[str]:
    """Find the files that importing ``names[0].names[1]...`` runs: each package's, and the module's."""
    return next((found for folder in folders if (found := _files_in(folder, names))), [])


def _files_in(folder: str, names: Sequence[str]) -> list[str]:
    found = []
    for name in names:
        folder = os.path.join(folder, name)  # noqa: PTH118  # thousands of times: Path would take most of the time
        found += [path for path in (f"{folder}/__init__.py", f"{folder}.py") if os.path.isfile(path)][:1]  # noqa: PTH113
    return found
