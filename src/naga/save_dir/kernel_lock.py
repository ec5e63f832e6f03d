"""A lock of the kernel on a run's claim, held while the run lasts: on one host, the first evidence that it lives.

A process number may be that of another container, a heartbeat late or touched by a copy; this lock goes when the
process goes, however it went, and stays while it is stopped. Nobody ever waits for it: who owns a folder is decided by
the chain of claims, also where a filesystem keeps no locks.
"""

import fcntl
import os
from contextlib import suppress
from pathlib import Path

_held: set[int] = set()


def _close_in_child() -> None:
    # A forked child shares the lock: where it outlives the run, as a daemon or an orphaned worker does, the folder
    # would be taken forever. Closing gives up the child's share alone.
    while _held:
        os.close(_held.pop())


os.register_at_fork(after_in_child=_close_in_child)


def hold(descriptor: int) -> None:
    """Lock an open file that no other process can know yet, until `let_go` or the end of this process."""
    _held.add(descriptor)
    with suppress(OSError):  # a filesystem without locks: the process and its heartbeat stand for the run
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def let_go(descriptor: int) -> None:
    """Close a file that was locked, once, and not in a forked child, where its number may be another file's."""
    if descriptor in _held:
        _held.remove(descriptor)
        with suppress(OSError):  # the function has closed what it did not open
            # Closing alone would leave it to a child that has just been forked and has not come to close its own.
            fcntl.flock(descriptor, fcntl.LOCK_UN)
            os.close(descriptor)


def is_held(file: Path) -> bool:
    """Tell whether a living process of this host holds the lock of a file."""
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
