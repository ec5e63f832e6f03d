"""The code that a diag is made of: its own file, and what that imports from the same project, and so on.

Files are found and read, never imported: the answer is the same before and after the diag has run, in a script and in a
process that runs many diags.
"""

import ast
import hashlib
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from naga.diagnose.store import project_root

__all__ = ["code_files", "code_hash", "diag_key"]

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
    found, unread = {file}, [file]
    while unread:
        new = {path for path in _imported(unread.pop(), root) if _is_own(path, root)} - found
        found |= new
        unread += new
    return found


def _is_own(path: Path, root: Path) -> bool:
    return path.is_relative_to(root) and _FOREIGN.isdisjoint(path.parts)


def _imported(file: Path, root: Path) -> Iterator[Path]:
    try:
        tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _files_of(_roots(file, root), alias.name.split("."))
        elif isinstance(node, ast.ImportFrom):
            folders = [file.parents[node.level - 1]] if node.level else _roots(file, root)
            module = node.module.split(".") if node.module else []
            for alias in node.names:  # each may be a module of its own
                yield from _files_of(folders, [*module, alias.name])


def _roots(file: Path, root: Path) -> list[Path]:
    """Give the folders that absolute imports begin at: the script's own comes first, as Python has it."""
    own = (Path(entry or ".").resolve() for entry in sys.path)
    return list(dict.fromkeys([file.parent, *(folder for folder in own if folder.is_relative_to(root))]))


def _files_of(folders: list[Path], names: list[str]) -> Iterator[Path]:
    """Find the files that importing ``names[0].names[1]...`` runs: each package's, and the module's."""
    for folder in folders:
        found = list(_files_in(folder, names))
        if found:
            yield from found
            return


def _files_in(folder: Path, names: list[str]) -> Iterator[Path]:
    for name in names:
        for path in (folder / name / "__init__.py", folder / f"{name}.py"):
            if path.is_file():
                yield path.resolve()
                break
        folder /= name  # it goes down into the package
