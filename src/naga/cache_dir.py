"""The user's cache folder, for what belongs to no project."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """Find the folder of Naga's caches: ``NAGA_CACHE_DIR``, or ``naga`` in the user's cache folder."""
    if chosen := os.environ.get("NAGA_CACHE_DIR"):
        return Path(chosen).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "naga"
