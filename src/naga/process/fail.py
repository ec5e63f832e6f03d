"""Declaring a run failed from inside its function, which catches its own errors."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from naga.errors import UsageError
from naga.terminal import say


class Verdict:
    """What the function of one run declares about its own outcome."""

    def __init__(self, *, recorded: bool = True) -> None:
        self.reason: str | None = None
        self.recorded = recorded
        self.pid = os.getpid()


_current: ContextVar[Verdict | None] = ContextVar("naga_run", default=None)
_running: list[Verdict] = []
_lock = threading.Lock()


def fail(reason: str) -> None:
    """Say that the run failed, from inside its function, which goes on.

    The final lock says ``failed`` with this reason however the function returns; the exit code of the process stays
    what it is. An exception that ends the function is recorded in place of the reason. The first reason stays.

    Parameters
    ----------
    reason : str
        What went wrong.

    Raises
    ------
    UsageError
        No run is on in this process, or several are and the call comes from a thread of none of them.

    Examples
    --------
    >>> fail("diverged")
    Traceback (most recent call last):
    naga.errors.UsageError: naga.fail('diverged') was called outside of a run
    """
    verdict = _verdict(reason)
    if verdict.reason is None:
        verdict.reason = str(reason)
    if not verdict.recorded:
        say(f"this rank says that the run failed, rank 0 does not know: {reason}")


def _verdict(reason: str) -> Verdict:
    running = [verdict for verdict in _running if verdict.pid == os.getpid()]
    current = _current.get()
    if current in running:
        return current
    if len(running) == 1:
        return running[0]
    where = "beside several runs" if running else "outside of a run"
    raise UsageError(f"naga.fail({reason!r}) was called {where}", hint="call it in the function of the task")


def is_in_fork_of_run() -> bool:
    """Return whether this process was forked from one in the midst of a run."""
    return any(verdict.pid != os.getpid() for verdict in _running)


@contextmanager
def judged(*, recorded: bool = True) -> Iterator[Verdict]:
    """Collect what `fail` declares while a function runs, from its own thread or others that it starts."""
    verdict = Verdict(recorded=recorded)
    token = _current.set(verdict)
    with _lock:
        _running.append(verdict)
    try:
        yield verdict
    finally:
        with _lock:
            _running.remove(verdict)
        _current.reset(token)
