"""Temporary folders that need no cleaning up by hand."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def scratch(prefix: str = "naga-snapshot-") -> Iterator[Path]:
    """Return a folder of one's own for temporary files, after removing those of processes that were killed."""
    import tempfile

    with os.scandir(tempfile.gettempdir()) as found:
        left = [Path(item.path) for item in found if item.name.startswith(prefix)]
    for folder in left:
        with _locked(folder):
            pass
    while True:
        folder = Path(tempfile.mkdtemp(prefix=prefix))
        with _locked(folder) as ours:
            if ours and folder.exists():  # another process may have swept it before it was locked
                yield folder
                return


@contextmanager
def _locked(folder: Path) -> Iterator[bool]:
    """Lock a folder, which the system unlocks however its owner ends, and remove it; False where it is another's."""
    import fcntl
    import shutil

    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        yield False
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        yield False
    else:
        try:
            yield True
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(handle)
