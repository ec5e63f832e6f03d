"""Whether a function's module is the script that somebody has started, and so may read the command line."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any


def is_script(fn: Callable[..., Any]) -> bool:
    """Tell whether ``fn`` belongs to the script being run, outside an interactive session.

    A module that is imported, a notebook, a test that runs a script inside its own process, and the child of a
    ``multiprocessing`` pool are not: their ``sys.argv`` was not typed for this function.
    """
    if getattr(fn, "__module__", None) != "__main__" or hasattr(sys, "ps1"):
        return False
    # A child of `multiprocessing` has imported it; importing it here would cost every script 10 ms.
    processes = sys.modules.get("multiprocessing.process")
    if processes is not None and processes.parent_process() is not None:
        return False
    return _was_typed(sys.modules["__main__"])


def is_being_imported_by_a_child() -> bool:
    """Tell whether this is a child of `multiprocessing` that only imports its parent's script (spawn, forkserver)."""
    processes = sys.modules.get("multiprocessing.process")
    return processes is not None and getattr(processes.current_process(), "_inheriting", False)


def _was_typed(main: Any) -> bool:
    """Look for the script among the words of the real command line, which nothing in the process can rewrite."""
    file = getattr(main, "__file__", None)
    if file is None:
        return False
    if getattr(main, "__spec__", None) is not None and "-m" in sys.orig_argv:
        return True
    script = Path(file).resolve()
    # `python FOLDER` runs the __main__.py in it.
    typed = script.parent if script.name == "__main__.py" else script
    return any(Path(word).resolve() in (script, typed) for word in sys.orig_argv[1:] if word)
