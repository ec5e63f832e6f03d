"""The notebook that this process computes for, according to IPython and its front end."""

import os
import sys
from pathlib import Path
from typing import Any


def shell() -> Any | None:
    """Return IPython's shell, where this process has one; IPython itself is never imported."""
    made = sys.modules.get("IPython.core.interactiveshell")
    return made.InteractiveShell._instance if made else None  # noqa: SLF001  # `instance()` would make one


def notebook_path() -> Path | None:
    """Return the file of the notebook: VS Code names it among the cells' variables, Jupyter in the environment."""
    ours = shell()
    if not is_notebook() or ours is None:
        return None
    named = ours.user_ns.get("__vsc_ipynb_file__") or os.environ.get("JPY_SESSION_NAME")
    return Path(named) if isinstance(named, str) and named.endswith(".ipynb") else None


def is_notebook() -> bool:
    """Return whether the shell is a kernel, which shows its output in a front end."""
    return hasattr(shell(), "kernel")


def notebook_name() -> str | None:
    """Name the notebook: by its file, or as 'notebook'."""
    path = notebook_path()
    return path.stem if path else "notebook" if is_notebook() else None
