"""The root of a project, and the top of its repository."""

from pathlib import Path

NAGA = Path(__file__).resolve().parents[2]
"""Where Naga is installed; its own checkout, if it runs from one, is not the user's code."""


def project_root(start: Path) -> Path:
    """Find the nearest folder from ``start`` upward that holds ``.git`` or ``pyproject.toml``; else ``start``."""
    marks = (".git", "pyproject.toml")
    return next(
        (folder for folder in (start, *start.parents) if any((folder / mark).exists() for mark in marks)), start
    )


def top_of(folder: Path) -> Path | None:
    """Return the nearest folder upwards that is the top of a repository."""
    return next((path for path in (folder, *folder.parents) if (path / ".git").exists()), None)
