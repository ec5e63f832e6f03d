"""The one opener of files in a run's folder.

Whoever made the folder may have put anything there: a fifo that never answers, a link to somebody's private key, a file
that never ends. Only regular files are read, never from outside of the folder, and no more than a bound.
"""

import errno
import json
import os
import stat
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO

from naga.errors import LockError

MAX_LOCK_BYTES = 16 * 2**20
MAX_LIST_BYTES = 2**30  # a list of some million files
_TRIES = 100
_READ = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY


def read_inside(folder: Path, file: Path, most: int = MAX_LOCK_BYTES) -> bytes:
    """Read a regular file in ``folder``; `FileNotFoundError` if it is missing, `LockError` if it is anything else.

    Examples
    --------
    >>> read_inside(Path("/dev"), Path("/dev/null"))
    Traceback (most recent call last):
    naga.errors.LockError: is not a file
    """
    with open_inside(folder, file) as opened:
        return _bounded(opened, os.fstat(opened.fileno()).st_size, most)


def open_inside(folder: Path, file: Path) -> BinaryIO:
    """Open a regular file in ``folder`` for reading, as `read_inside` does."""
    for _ in range(_TRIES):
        # O_NONBLOCK, or opening a fifo would wait for its writer.
        try:
            descriptor = os.open(file, _READ)
        except ValueError as error:
            raise LockError("has a name that no file can have") from error
        with ExitStack() as failing:
            failing.callback(os.close, descriptor)
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise LockError("is not a file")
            if not is_inside(folder, file):
                raise LockError("is a link that leads out of its folder", hint=f"readlink -f '{file}'")
            # Between opening and looking, another file may have taken the name: of which of them was it asked?
            if os.path.samestat(status, file.stat()):
                failing.pop_all()
                return os.fdopen(descriptor, "rb")
    raise LockError("is replaced again and again")


def _bounded(opened: BinaryIO, size: int, most: int) -> bytes:
    content = opened.read(most + 1) if size <= most else b""  # it may grow, and some files have no size
    if max(size, len(content)) > most:
        raise LockError(f"is larger than any of its kind ({max(size, len(content))} bytes)")
    return content


def is_inside(folder: Path, file: Path) -> bool:
    """Return whether a file below a folder exists, and no link on the way to it leads out."""
    steps = [file, *file.parents][: len(file.relative_to(folder).parts)]
    return not any(step.is_symlink() for step in steps) or file.resolve().is_relative_to(folder.resolve())


def make_inside(save_dir: Path, folder: Path) -> Path:
    """Make a folder below a save_dir; `OSError` if a link is on the way, which would lead elsewhere.

    Examples
    --------
    >>> make_inside(Path("/proc"), Path("/proc/self/fd"))
    Traceback (most recent call last):
    OSError: [Errno 40] '/proc/self' is a link, and nothing is written through one
    """
    for step in reversed([folder, *folder.parents][: len(folder.relative_to(save_dir).parts)]):
        if step.is_symlink():
            raise OSError(errno.ELOOP, f"'{step}' is a link, and nothing is written through one")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def read_json(folder: Path, file: Path, most: int = MAX_LIST_BYTES) -> Any:
    """Read JSON from a file in ``folder``; `LockError` if it is not JSON, or too deeply nested."""
    try:
        return json.loads(read_inside(folder, file, most))
    except ValueError as error:
        raise LockError("is not JSON") from error
    except RecursionError as error:
        raise LockError("is nested too deeply") from error
