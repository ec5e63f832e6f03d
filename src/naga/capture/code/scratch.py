"""Temporary folders that nobody has to clean up by hand."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PREFIX = "naga-snapshot-"


@contextmanager
def scratch() -> Iterator[Path]:
    """Give a folder of one's own for temporary files, after removing those of processes that were killed.

    Each folder is locked by its owner, and the system unlocks it however the owner ends.
    """
    import shutil
    import tempfile

    _sweep(Path(tempfile.gettempdir()))
    folder, lock = _own_folder()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def _own_folder() -> tuple[Path, int]:
    import tempfile

    while True:
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
        lock = _lock(folder)
        if lock is not None and folder.exists():
            return folder, lock
        if lock is not None:  # swept by another process before it was locked
            os.close(lock)


def _sweep(parent: Path) -> None:
    import shutil

    with os.scandir(parent) as found:
        left = [Path(item.path) for item in found if item.name.startswith(_PREFIX)]
    for folder in left:
        lock = _lock(folder)
        if lock is not None:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)


def _lock(folder: Path) -> int | None:
    """Lock a folder, or return None where another process has done so, or it is not ours."""
    import fcntl

    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    return handle
