"""A script as a module: the tasks that it is about, and the diags that it has."""

import ast
import importlib.util
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from naga.diagnose.diag import Diag
from naga.diagnose.diag_code import code_files
from naga.errors import DiagError, NagaError, UsageError
from naga.process.entry_point import is_called, script_module
from naga.project import project_root
from naga.wording import did_you_mean, first_line_of, nearest

_DECORATORS = frozenset({"clicfg", "runlock", "snapshot", "track_data", "load_stage"})


def split_name(text: str) -> tuple[Path, str]:
    """Read ``SCRIPT[:FUNC]``, the script as a path or as ``python -m`` names it.

    Examples
    --------
    >>> split_name("nowhere.py:diag")
    Traceback (most recent call last):
    naga.errors.UsageError: no script 'nowhere.py' (hint: naga diag exp.py RUN...)
    """
    path, mark, function = text.rpartition(":")
    if not mark or Path(text).is_file():
        path, function = text, ""
    file = Path(path) if Path(path).is_file() else module_file(path)
    if file is None:
        raise UsageError(f"no script '{path}'", hint="naga diag exp.py RUN...")
    return file.resolve(), function


def module_file(name: str) -> Path | None:
    """Find the file of a module without importing it, in the current folder, its project, and where Python looks."""
    if not all(part.isidentifier() for part in name.split(".")):
        return None
    here = Path.cwd()
    root = project_root(here)
    inside = Path(*name.split("."))
    folders = (here, here / "src", root, root / "src", *map(Path, sys.path))
    files = (folder / file for folder in folders for file in (inside.with_suffix(".py"), inside / "__init__.py"))
    return next((file for file in files if file.is_file()), None)


def is_of_script(task: str, script: Path) -> bool:
    """Return whether a diag of a script is about a task, from the script's text alone.

    A script that defines tasks is about those, and about what it imports by name; one that defines none is about all.
    """
    defined, imported = _names(script)
    return not defined or any(is_called(task, name) for name in defined | imported | _former_names(script))


@cache
def _names(script: Path) -> tuple[frozenset[str], frozenset[str]]:
    """List the tasks that a script defines, and all that it imports by name: ``exp.main``."""
    try:
        tree = ast.parse(script.read_bytes())
    except (SyntaxError, ValueError) as error:
        raise DiagError(f"'{script}' cannot be read: {error}", hint=f"python -m py_compile {script.name}") from error
    defined = {f"{script_module(script)}.{name}" for name in _tasks(tree.body)}
    froms = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module]
    imported = {f"{str(node.module).rpartition('.')[2]}.{alias.name}" for node in froms for alias in node.names}
    return frozenset(defined), frozenset(imported)


@cache
def _former_names(script: Path) -> frozenset[str]:
    """List the former names of tasks, as ``@clicfg(was=...)`` declares them in the script and in what it imports."""
    names: set[str] = set()
    for file in code_files(script):
        with suppress(SyntaxError, ValueError):  # what cannot be read, or is computed: then the run has to be named
            nodes = list(ast.walk(ast.parse(file.read_bytes())))
            calls = [node for node in nodes if isinstance(node, ast.Call) and _is_of_naga(node)]
            for word in (word for call in calls for word in call.keywords if word.arg == "was"):
                was = ast.literal_eval(word.value)
                was = was.get("", ()) if isinstance(was, dict) else was
                names |= {was} if isinstance(was, str) else {*was}
    return frozenset(names)


def _tasks(body: list[ast.stmt]) -> Iterator[str]:
    for node in body:
        if isinstance(node, ast.ClassDef):
            yield from (f"{node.name}.{name}" for name in _tasks(node.body))
        elif isinstance(node, ast.FunctionDef) and any(map(_is_of_naga, node.decorator_list)):
            yield node.name


def _is_of_naga(decorator: ast.expr) -> bool:
    while isinstance(decorator, ast.Call):
        decorator = decorator.func
    name = decorator.attr if isinstance(decorator, ast.Attribute) else getattr(decorator, "id", "")
    return name in _DECORATORS


def load_script(script: Path, *, project: Path | None = None, argv: Sequence[str] = ()) -> ModuleType:
    """Import a script, in a process that does nothing else, without its ``if __name__ == "__main__"``.

    ``project`` is the folder that the process imports from until now, where the script is in a laid-out copy of it.
    """
    package = script.parent
    while (package / "__init__.py").exists():
        package = package.parent
    _import_from(script, package, project)
    sys.argv = [str(script), *argv]
    name = ".".join(script.relative_to(package).with_suffix("").parts)
    spec = importlib.util.spec_from_file_location(name, script)
    if spec is None or spec.loader is None:
        raise DiagError(f"'{script}' is not a Python script")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except NagaError:
        raise
    except (Exception, SystemExit) as error:
        raise DiagError(
            f"'{script}' cannot be imported: {first_line_of(error)}",
            hint=f"python -c 'import runpy; runpy.run_path(\"{script}\")' shows where",
        ) from error
    # What the script has pickled names its classes as of `__main__`.
    sys.modules["__main__"] = module
    return module


def _import_from(script: Path, package: Path, project: Path | None) -> None:
    """Let the script import what `python script.py`, and `python -m` from the project's root, would find."""
    root = project_root(script.parent)
    if project is not None and project != root:
        sys.path[:] = [str(root / Path(path).relative_to(project)) if _is_below(path, project) else path
                       for path in map(os.path.realpath, sys.path)]  # fmt: skip
        sys.path[:0] = [path for path in (str(root), str(root / "src")) if path not in sys.path]
    first = dict.fromkeys(map(str, (script.parent, package, root, root / "src")))
    sys.path[:] = [*first, *(path for path in sys.path if path not in first)]


def _is_below(path: str, project: Path) -> bool:
    own = Path(path)
    return own.is_relative_to(project) and "site-packages" not in own.parts


def find_diag(module: ModuleType, function: str) -> Diag[..., Any]:
    """Find a diag in a script."""
    file = Path(str(module.__file__)).name
    diags = {name: value for name, value in vars(module).items() if isinstance(value, Diag)}
    if function in diags:
        return diags[function]
    if not diags:
        raise UsageError(f"no diag in '{file}'", hint="@mlflow_log_run makes one of a function")
    if function:
        near = nearest(function, diags)
        hint = did_you_mean(near and f"{file}:{near}", list(diags))
        raise UsageError(f"no diag '{function}' in '{file}'", hint=hint)
    if len(diags) > 1:
        hint = " or ".join(f"{file}:{name}" for name in diags)
        raise UsageError(f"'{file}' has {len(diags)} diags: which?", hint=hint)
    return next(iter(diags.values()))
