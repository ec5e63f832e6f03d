"""What started this process, and which file a function comes from.

A profiler, a debugger or a launcher may stand between the user's command and his script, and some leave
``sys.modules["__main__"]`` as themselves. What a function itself says (its globals) and the words that Python was
really started with (``sys.orig_argv``, which nothing in the process rewrites) are believed first.
"""

import os
import re
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

# Options of the interpreter that take a value, in the same word or in the next.
_VALUED = "cmWX"
# Where relative names are looked for: the folder that Naga was imported in comes first, because a script may go
# elsewhere later; one that goes elsewhere before it imports Naga is found by what the shell said.
_STARTED_IN = os.path.abspath(""), os.environ.get("PWD", ""), ""  # noqa: PTH100


def is_script(fn: Callable[..., Any]) -> bool:
    """Tell whether ``fn`` belongs to what was started, so that the words of the command line are for it.

    A module that is imported, a notebook cell, a test that runs a script inside its own process, and the child of a
    ``multiprocessing`` pool are not: their ``sys.argv`` was not typed for this function.
    """
    # A child of `multiprocessing` has imported it; importing it here would cost every script 10 ms.
    processes = sys.modules.get("multiprocessing.process")
    if processes is not None and processes.parent_process() is not None:
        return False
    if getattr(fn, "__module__", None) != "__main__":
        return _is_of_console_script(fn)
    file = file_of(fn)
    if hasattr(sys, "ps1"):  # at a prompt only `%run exp.py` and `ipython exp.py` are scripts, while they last
        return file is not None and "IPython" in sys.modules and _names(sys.argv[0], file)
    return file is not None and _was_typed(file, _globals_of(fn).get("__spec__"))


def is_being_imported_by_a_child() -> bool:
    """Tell whether this is a child of `multiprocessing` that only imports its parent's script (spawn, forkserver)."""
    processes = sys.modules.get("multiprocessing.process")
    return processes is not None and getattr(processes.current_process(), "_inheriting", False)


def file_of(fn: Callable[..., Any]) -> Path | None:
    """Find the file that a function was written in; None in a notebook, at a prompt, or from a pipe."""
    module = sys.modules.get(getattr(fn, "__module__", ""))
    name = _globals_of(fn).get("__file__") or getattr(module, "__file__", None)
    places = (Path(start, name) for start in _STARTED_IN) if name else ()
    return next((Path(os.path.abspath(place)) for place in places if place.is_file()), None)  # noqa: PTH100


def task_name(fn: Callable[..., Any]) -> str:
    """Name a task as ``module.function``; a script's module is its file's name.

    Examples
    --------
    >>> task_name(task_name)
    'naga.process.entry_point.task_name'
    """
    script = file_of(fn) if fn.__module__ in ("__main__", "__mp_main__") else None
    return f"{script.stem if script else fn.__module__}.{fn.__qualname__}"


def is_called_by_console_script(depth: int) -> bool:
    """Tell whether the caller's caller is the wrapper of an entry point, which hands what it gets to `sys.exit`."""
    frame = sys._getframe(depth + 1)  # noqa: SLF001  # there is no public way to look at one frame alone
    main = frame.f_globals
    return main.get("__name__") == "__main__" and bool(_wrapped(main.get("__file__")))


def _globals_of(fn: Any) -> dict[str, Any]:
    """Give the globals that a function was written with: those of cProfile's script are not the module `__main__`."""
    while hasattr(fn, "__wrapped__"):
        fn = fn.__wrapped__
    found = getattr(fn, "__globals__", None)  # of a method, too
    return found if isinstance(found, dict) else getattr(sys.modules.get(getattr(fn, "__module__", "")), "__dict__", {})


def _was_typed(file: Path, spec: Any) -> bool:
    """Look for the script, by its file or its module's name, among the words that Python was started with."""
    if spec is not None:
        # `python -m pkg` runs pkg.__main__.
        modules = {spec.name, spec.name.removesuffix(".__main__")}
        return not modules.isdisjoint(_words()) or _is_typed_file(file)
    return _is_typed_file(file)


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
    """Tell whether the process is a console script of the package that a function lies in, which reads no words itself.

    Only frames of the package stand between the wrapper and the call then: where click, or another dispatcher, has
    called the package, the words were typed for it.
    """
    package = str(getattr(fn, "__module__", "")).partition(".")[0]
    wrapped = _wrapped(getattr(sys.modules.get("__main__"), "__file__", None))
    if not wrapped or wrapped.partition(".")[0] != package:
        return False
    frame = sys._getframe()  # noqa: SLF001  # there is no public way to look at frames without reading sources
    while frame.f_back and frame.f_globals.get("__name__", "").partition(".")[0] in ("naga", package):
        frame = frame.f_back
    return frame.f_globals.get("__name__") == "__main__"


@cache
def _wrapped(file: str | None) -> str:
    """Give the module whose function a file runs, if it is nothing but the wrapper of an entry point; else ''.

    pip, uv and setuptools write ``from pkg.module import cli`` and ``sys.exit(cli())``, and little else.
    """
    try:
        text = Path(file or "").read_text(encoding="utf-8") if file and Path(file).stat().st_size < 2000 else ""
    except (OSError, ValueError):
        return ""
    imported = re.search(r"^from ([\w.]+) import (\w+)", text, re.MULTILINE)
    runs = imported and re.search(rf"^\s*sys\.exit\({imported[2]}(\.\w+)*\(\)\)\s*\Z", text, re.MULTILINE)
    return imported[1] if imported and runs else ""
