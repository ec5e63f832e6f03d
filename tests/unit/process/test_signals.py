"""Signals unwind a run, and stay what they were for the script."""

import os
import signal
import threading

import pytest

from naga.process.signals import Signalled, Signals


def test_a_signal_unwinds_and_the_handlers_come_back() -> None:
    """Inside, SIGTERM is an exception; afterwards the former handler is there again."""
    former = signal.getsignal(signal.SIGHUP)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    try:
        signals = Signals()
        signals.__enter__()
        with pytest.raises(Signalled):
            signal.raise_signal(signal.SIGHUP)
        assert signals.cause(Signalled(signal.SIGHUP)) == signal.SIGHUP
        signals.forget()  # or leaving would send it again
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_DFL
    finally:
        signal.signal(signal.SIGHUP, former)


def test_what_is_ignored_stays_ignored() -> None:
    """As under `nohup`."""
    former = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Signals() as signals:
            signal.raise_signal(signal.SIGHUP)
        assert signals.arrived == []
    finally:
        signal.signal(signal.SIGHUP, former)


def test_no_effect_outside_of_the_main_thread() -> None:
    """Handlers can only be set there."""
    seen = []

    def look() -> None:
        with Signals():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert seen == [signal.getsignal(signal.SIGTERM)]


def test_a_forked_child_has_the_former_handling() -> None:
    """It is not part of the run: SIGTERM ends it as it would without Naga."""
    former = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        with Signals():
            child = os.fork()
            if not child:
                os._exit(0 if signal.getsignal(signal.SIGTERM) == signal.SIG_DFL else 1)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    finally:
        signal.signal(signal.SIGTERM, former)
