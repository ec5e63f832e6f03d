"""SIGTERM and SIGHUP while a run computes: recorded, and then passed on as without Naga.

A signal that would have ended the process unwinds the function first, so that the final lock can be written, and is
then sent again with its former handling. One that the script handles itself stays the script's: its handler is
called, and only looked at. Ctrl-C is Python's own `KeyboardInterrupt` and is only held where it would cost a lock.
Ignored signals (``nohup``) stay ignored, and a forked child has the former handling from its first moment.
"""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Self

_CAUGHT = (signal.SIGTERM, signal.SIGHUP)


class Signalled(BaseException):
    """Unwinds the function when a signal ends the process; ``except Exception`` does not catch it."""

    def __init__(self, signum: int) -> None:
        super().__init__(signal.Signals(signum).name)
        self.signum = signum


class Signals:
    """The signals of a run: a context, held back from its entry on, without effect outside the main thread."""

    def __init__(self) -> None:
        self.arrived: list[int] = []
        self._held: list[int] | None = None
        self._former: dict[int, Any] = {}
        self._raised: tuple[int, BaseException] | None = None

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._held = []
            # Ctrl-C first: one that came in the midst of this would leave the other handlers behind.
            for signum in (signal.SIGINT, *_CAUGHT):
                self._catch(signum)
            _restore_in_children(self)
        return self

    def __exit__(self, *_: object) -> None:
        fatal = self._fatal()
        held = [*(self._held or ()), *(() if fatal is None else (fatal,))]
        self._restore()
        for signum in held:
            os.kill(os.getpid(), signum)

    def _catch(self, signum: int) -> None:
        former = signal.getsignal(signum)
        if former not in (None, signal.SIG_IGN):
            self._former[signum] = former
            signal.signal(signum, self._arrive)

    def let_through(self) -> None:
        """Deliver the signals that were held back, and from now on each at once."""
        held, self._held = self._held, None
        self._give_back(signal.SIGINT)
        # Ctrl-C last: where it ends the function by an exception, what would end the process must not be forgotten.
        for signum in sorted(held or (), key=lambda signum: signum == signal.SIGINT):
            signal.raise_signal(signum)

    @contextmanager
    def holding(self) -> Iterator[None]:
        """Hold signals back during a step of milliseconds that must not be interrupted."""
        if not self._former or self._held is not None:
            yield
            return
        self._held = []
        self._catch(signal.SIGINT)
        try:
            yield
        finally:
            self.let_through()

    def cause(self, error: BaseException | None) -> int | None:
        """Return the signal that ended a function which raised `error`, or returned although it was to end."""
        fatal = self._fatal()
        if fatal is None and self._raised and _leads_to(error, self._raised[1]):
            return self._raised[0]
        return signal.SIGINT if fatal is None and isinstance(error, KeyboardInterrupt) else fatal

    def _arrive(self, signum: int, frame: FrameType | None) -> None:
        if self._held is not None:
            self._held.append(signum)
            return
        self.arrived.append(signum)
        former = self._former.get(signum)
        if not callable(former):
            raise Signalled(signum)
        try:
            former(signum, frame)
        except BaseException as error:
            self._raised = (signum, error)
            raise

    def _fatal(self) -> int | None:
        return next((signum for signum in self.arrived if self._former.get(signum) == signal.SIG_DFL), None)

    def _give_back(self, signum: int) -> None:
        former = self._former.pop(signum, None)
        # A handler that the function has set itself stays.
        if former is not None and signal.getsignal(signum) == self._arrive:
            signal.signal(signum, former)

    def _restore(self) -> None:
        for signum in list(self._former):
            self._give_back(signum)
        if self in _watching:
            _watching.remove(self)

    def forget(self) -> None:
        """Undo everything in a forked child."""
        self.arrived.clear()
        self._held = None
        self._restore()


_watching: list[Signals] = []
_masks: dict[int, Any] = {}  # of the threads that fork
_at_fork = threading.Event()  # set once the hook is, which cannot be taken back


def _restore_in_children(signals: Signals) -> None:
    _watching.append(signals)
    if not _at_fork.is_set():
        _at_fork.set()
        os.register_at_fork(before=_hold, after_in_parent=_let_go, after_in_child=_forget_all)


def _hold() -> None:
    """Block the signals while a child is made: one that reached it before it had its handlers back would be lost."""
    _masks[threading.get_ident()] = signal.pthread_sigmask(signal.SIG_BLOCK, _CAUGHT)


def _let_go() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, _masks.pop(threading.get_ident()))


def _forget_all() -> None:
    for signals in reversed(_watching.copy()):
        signals.forget()
    _let_go()


def _leads_to(error: BaseException | None, origin: BaseException) -> bool:
    """Return whether an exception is another one, or was raised while that one was handled."""
    while error is not None and error is not origin:
        error = error.__context__
    return error is origin
