"""A kernel lock on a run's claim, held while the run lasts: on one host, the best evidence that it lives.

A process number may be that of another container, a heartbeat late or touched by a copy; this lock goes when the
process goes, however it went, and stays while it is stopped. No one ever waits for it: who owns a folder is decided by
the chain of claims, also where a filesystem keeps no locks.
"""

import fcntl
import os
from contextlib import suppress
from pathlib import Path

_held: dict[int, tuple[int, int]] = {}  # what each descriptor was: device and inode


def _close_in_child() -> None:
    # A forked child shares the lock: where it outlives the run, as a daemon or an orphaned worker does, the folder
    # would be taken forever. Closing gives up the child's share alone.
    for descriptor in list(_held):
        if _is_still_held(descriptor):
            os.close(descriptor)


os.register_at_fork(after_in_child=_close_in_child)


def hold(descriptor: int) -> None:
    """Lock an open file that no other process knows yet, until `let_go` or the end of this process."""
    _held[descriptor] = _identity(descriptor)
    with suppress(OSError):  # a filesystem without locks: the process and its heartbeat stand for the run
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def let_go(descriptor: int) -> None:
    """Unlock and close a file that was locked, once."""
    if _is_still_held(descriptor):
        # Closing alone would leave it to a child that has just been forked and has not come to close its own.
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_UN)
        with suppress(OSError):  # of a filesystem that says so only now; nothing was written through it
            os.close(descriptor)


def _is_still_held(descriptor: int) -> bool:
    """Forget a descriptor, and return whether it still was the locked file."""
    # The function may have closed what it did not open, and the number may be another file's since.
    with suppress(OSError, KeyError):
        return _held.pop(descriptor) == _identity(descriptor)
    return False


def _identity(descriptor: int) -> tuple[int, int]:
    status = os.fstat(descriptor)
    return status.st_dev, status.st_ino


def is_held(file: Path) -> bool:
    """Return whether a living process of this host holds the lock of a file."""
    with suppress(OSError):
        descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            # Shared, so that two that look at one moment do not take each other for the owner.
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
    return False
