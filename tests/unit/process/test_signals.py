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
        signals.let_through()
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
            signals.let_through()
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


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_what_is_held_arrives_when_it_is_let_through(signum: signal.Signals) -> None:
    """Neither the claim nor the final lock is interrupted, and nothing is lost."""
    former = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    ctrl_c = signal.getsignal(signal.SIGINT)
    kinds = {signal.SIGINT: KeyboardInterrupt, signal.SIGTERM: Signalled}
    try:
        signals = Signals()
        signals.__enter__()
        signal.raise_signal(signum)
        with pytest.raises(kinds[signum]):
            signals.let_through()
        signals.arrived.clear()
        reached = False
        with pytest.raises(kinds[signum]), signals.holding():
            signal.raise_signal(signum)
            reached = True
        assert reached
        assert signal.getsignal(signal.SIGINT) is ctrl_c
        signals.forget()
    finally:
        signal.signal(signal.SIGTERM, former)


def test_what_comes_before_a_refusal_is_delivered_after_it() -> None:
    """A Ctrl-C while the folder is claimed is not lost where the claim is refused."""
    with pytest.raises(KeyboardInterrupt), Signals():
        signal.raise_signal(signal.SIGINT)
