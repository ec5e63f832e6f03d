"""The hash of one file's content, never of a mixture of two contents."""

import os
import time
from pathlib import Path

__all__ = ["Unreadable", "hash_file"]

_SMALL = 1 << 20  # below this, threads cost more than they save
_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
_CHUNK = 1 << 22
_PAUSES_S = (0.0, 0.05, 0.25)  # between attempts at a file that changes while it is read


class Unreadable(Exception):  # noqa: N818  # never leaves this package
    """A file that could not be hashed, and why."""


def hash_file(path: bytes | Path, folder: int | None) -> tuple[int, bytes]:
    """Return the size and digest of a file, relative to an open folder if one is given."""
    for pause in _PAUSES_S:
        time.sleep(pause)
        try:
            descriptor = os.open(path, _FLAGS, dir_fd=folder)
        except OSError as error:
            raise Unreadable(error.strerror) from None
        try:
            before = os.fstat(descriptor)
            size, digest = _read(descriptor, before.st_size)
            if size == before.st_size and _state(os.fstat(descriptor)) == _state(before):
                return size, digest
        except OSError as error:
            raise Unreadable(error.strerror) from None
        finally:
            os.close(descriptor)
    raise Unreadable("it changes while it is read")


def _state(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _read(descriptor: int, size: int) -> tuple[int, bytes]:
    from blake3 import blake3

    hasher = blake3(max_threads=blake3.AUTO if size > _SMALL else 1)
    total = 0
    while chunk := os.read(descriptor, min(size - total, _CHUNK) + 1):
        hasher.update(chunk)
        total += len(chunk)
    return total, bytes(hasher.digest())
