"""What started this process, and which file a function comes from.

A profiler, a debugger or a launcher may stand between the user's command and his script, and some leave
``sys.modules["__main__"]`` as themselves. What a function itself says (its globals) and the words that Python was
really started with (``sys.orig_argv``, which nothing in the process rewrites) come first.
"""

import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Any

from naga.process.notebook import notebook_name

# Options of the interpreter that take a value, in the same word or in the next.
_VALUED = "cmWX"
# Where relative names are looked for: the folder that Naga was imported in comes first, because a script may go
# elsewhere later; one that goes elsewhere before it imports Naga is found by what the shell said.
_STARTED_IN = os.path.abspath(""), os.environ.get("PWD", ""), ""  # noqa: PTH100


# What wrappers of entry points import, and how they run it: those of pip, and those in the archives of zipapp.
_WRAPPER = r"^from ([\w.]+) import (\w+)", r"^\s*sys\.exit\({}(\.\w+)*\(\)\)\s*\Z"
_ARCHIVED = r"^import ([\w.]+)$", r"^{}(\.\w+)+\(\)\s*\Z"


def is_script(fn: Callable[..., Any]) -> bool:
    """Return whether ``fn`` belongs to what was started, so that the words of the command line are for it.

    A module that is imported, a notebook cell, a test that runs a script inside its own process, and the child of a
    ``multiprocessing`` pool are not: their ``sys.argv`` was not typed for this function.
    """
    if _is_child():
        return False
    if getattr(fn, "__module__", None) != "__main__":
        return _is_of_console_script(fn)
    if hasattr(sys, "frozen"):
        return True
    file = file_of(fn)
    if file is None:
        return _is_typed_text(globals_of(fn))
    if hasattr(sys, "ps1"):  # at a prompt only `%run exp.py` and `ipython exp.py` are scripts, while they last
        return "IPython" in sys.modules and _names(sys.argv[0], file)
    return _was_typed(file, globals_of(fn).get("__spec__")) or _is_run_by_another(file)


def unread_words(fn: Callable[..., Any], keys: Iterable[str]) -> list[str]:
    """List the words that were typed as values of a task's keys, where it is imported and reads none."""
    if _is_child() or _is_in_test() or hasattr(sys, "ps1") or getattr(fn, "__module__", "__main__") == "__main__":
        return []
    known = set(keys)
    return [word for word in sys.argv[1:] if "=" in word and word.partition("=")[0] in known]


def is_being_imported_by_a_child() -> bool:
    """Return whether this is a child of `multiprocessing` that only imports its parent's script."""
    processes = sys.modules.get("multiprocessing.process")
    return processes is not None and getattr(processes.current_process(), "_inheriting", False)


def is_read_by_argparse() -> bool:
    """Return whether the caller has read the command line with argparse: a task may refuse such words."""
    namespace = getattr(sys.modules.get("argparse"), "Namespace", ())
    frame: FrameType | None = sys._getframe()  # noqa: SLF001  # callers are known by nothing else
    while frame and not any(isinstance(value, namespace) for value in [*frame.f_locals.values()]):
        frame = frame.f_back
    return frame is not None


def file_of(fn: Callable[..., Any]) -> Path | None:
    """Find the file that a function was written in; None in a notebook, at a prompt, or from a pipe."""
    module = getattr(fn, "__module__", "")
    # The main module of a worker is the worker's, and not that of a cell that was sent to it.
    of_module = None if module == "__main__" else getattr(sys.modules.get(module), "__file__", None)
    name = globals_of(fn).get("__file__") or of_module
    places = (Path(os.path.abspath(Path(start, name))) for start in _STARTED_IN) if name else ()  # noqa: PTH100
    # `python app.pyz` runs app.pyz/__main__.py.
    return next((file for place in places for file in (place, *place.parents[:-1]) if file.is_file()), None)


def script_module(script: Path) -> str:
    """Name the module of a script: its file's name, or for a ``__main__.py`` that of its folder or archive."""
    return script.parent.name if script.name == "__main__.py" else script.stem


def is_called(task: str, name: str) -> bool:
    """Return whether a recorded task has a name; what stands before it depends on how its module was imported.

    Examples
    --------
    >>> is_called("pkg.exp.main", "exp.main"), is_called("old_exp.main", "exp.main")
    (True, False)
    """
    return f".{task}".endswith(f".{name}")


def task_name(fn: Callable[..., Any]) -> str:
    """Name a task as ``module.function``; a script's module is its file's name, or that of its folder or archive.

    Examples
    --------
    >>> task_name(task_name)
    'naga.process.entry_point.task_name'
    """
    module = fn.__module__
    if module in ("__main__", "__mp_main__"):
        frozen = globals_of(fn).get("__file__") if hasattr(sys, "frozen") else None
        script = Path(frozen) if frozen else file_of(fn)
        if script:
            module = script_module(script)
        elif module == "__main__":
            module = notebook_name() or module
    return f"{module or '__main__'}.{fn.__qualname__}"


def is_called_by_console_script(depth: int) -> bool:
    """Return whether the caller's caller is the wrapper of an entry point, which passes the result to `sys.exit`."""
    frame = sys._getframe(depth + 1)  # noqa: SLF001  # there is no public way to look at one frame alone
    return frame.f_globals.get("__name__") == "__main__" and bool(_wrapped_by(frame.f_globals))


def globals_of(fn: Any) -> dict[str, Any]:
    """Return the globals of a function: under cProfile they are not those of the module `__main__`."""
    while hasattr(fn, "__wrapped__"):
        fn = fn.__wrapped__
    found = getattr(fn, "__globals__", None)  # of a method, too
    return found if isinstance(found, dict) else getattr(sys.modules.get(getattr(fn, "__module__", "")), "__dict__", {})


def _was_typed(file: Path, spec: Any) -> bool:
    """Return whether the words that Python was started with name the script, by its file or its module."""
    if spec is not None:
        # `python -m pkg` runs pkg.__main__.
        modules = {spec.name, spec.name.removesuffix(".__main__")}
        return not modules.isdisjoint(_words()) or _is_typed_file(file)
    return _is_typed_file(file)


def _is_child() -> bool:
    # A child of `multiprocessing` has imported it; importing it here would cost every script 10 ms.
    processes = sys.modules.get("multiprocessing.process")
    return processes is not None and processes.parent_process() is not None


def _is_run_by_another(file: Path) -> bool:
    """Return whether `runpy` runs the script inside another program, as a test may do."""
    return bool(sys.argv) and _names(sys.argv[0], file) and not _is_in_test()


def _is_in_test() -> bool:
    return ("PYTEST_CURRENT_TEST" in os.environ and "_pytest" in sys.modules) or "unittest" in _words()


def _is_typed_text(space: dict[str, Any]) -> bool:
    """Return whether ``space`` is that of ``python - < exp.py`` or ``python -c TEXT``, and no cell of a notebook."""
    is_main = space is vars(sys.modules["__main__"]) and "get_ipython" not in space
    return is_main and not hasattr(sys, "ps1") and sys.argv[:1] in (["-"], ["-c"])


def _is_typed_file(file: Path) -> bool:
    # `python FOLDER` runs the __main__.py in it.
    typed = (file.parent, file) if file.name == "__main__.py" else (file,)
    return any(_names(word, place) for word in _words() for place in typed if word)


def _names(word: str, file: Path) -> bool:
    real = file.resolve()
    return any(Path(start, word).resolve() == real for start in _STARTED_IN)


@cache
def _words() -> tuple[str, ...]:
    """Split the words that Python was started with: ``-um pkg`` and ``-mpkg`` name a module in a word of options."""
    return tuple(_split(sys.orig_argv[1:]))


def _split(words: list[str]) -> Iterator[str]:
    for word in words:
        option = re.fullmatch(rf"-[A-Za-z]*?([{_VALUED}])(.*)", word, re.DOTALL)
        yield option[2] if option and option[1] == "m" and option[2] else word


def _is_of_console_script(fn: Any) -> bool:
    """Return whether the process is a console script of a function's package that reads no command line itself.

    Only frames of the package stand between the wrapper and the call then: where click, or another dispatcher, has
    called the package, the words were typed for it.
    """
    package = str(getattr(fn, "__module__", "")).partition(".")[0]
    wrapped = _wrapped_by(getattr(sys.modules.get("__main__"), "__dict__", {}))
    if not wrapped or wrapped.partition(".")[0] != package:
        return False
    frame = sys._getframe()  # noqa: SLF001  # there is no public way to look at frames without reading sources
    while frame.f_back and frame.f_globals.get("__name__", "").partition(".")[0] in ("naga", package):
        frame = frame.f_back
    return frame.f_globals.get("__name__") == "__main__"


def _wrapped_by(main: dict[str, Any]) -> str:
    return _wrapped(main.get("__file__") or "", main.get("__loader__"))


@cache
def _wrapped(file: str, loader: Any = None) -> str:
    """Return the module whose function a file runs, if it is nothing but the wrapper of an entry point; else ''.

    pip, uv and setuptools write ``from pkg.module import cli`` and ``sys.exit(cli())``, and little else; zipapp writes
    ``import pkg.module`` and ``pkg.module.cli()`` into an archive, which only its loader reads.
    """
    try:
        if Path(file).is_file():
            text, (imported, runs) = Path(file).read_text(encoding="utf-8")[:2000], _WRAPPER
        else:
            text, (imported, runs) = loader.get_source("__main__") or "", _ARCHIVED
    except (OSError, ValueError, AttributeError, ImportError):
        return ""
    found = re.search(imported, text, re.MULTILINE)
    is_run = found and re.search(runs.format(re.escape(found[found.lastindex or 0])), text, re.MULTILINE)
    return found[1] if found and is_run else ""
