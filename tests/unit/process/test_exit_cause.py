"""How a function ended becomes a status, a failure and warnings."""

import signal
import time

import pytest

from naga.process.exit_cause import how_it_ended
from naga.process.signals import Signalled, Signals


class MuteError(Exception):
    def __str__(self) -> str:
        raise self.args[0]


@pytest.mark.parametrize(
    ("error", "reason", "status"),
    [
        (None, None, "finished"),
        (None, "diverged", "failed"),
        (ValueError("no"), None, "failed"),
        (SystemExit(0), None, "finished"),
        (SystemExit(None), None, "finished"),
        (SystemExit(3), None, "failed"),
        (KeyboardInterrupt(), None, "killed"),
    ],
)
def test_status(error: BaseException | None, reason: str | None, status: str) -> None:
    """An exception, an exit code and what the function says of itself each decide."""
    assert how_it_ended(error, Signals(), reason).status == status


def test_an_exception_comes_before_a_reason() -> None:
    """What ended the function is recorded in place of what it had said."""
    ending = how_it_ended(ValueError("no"), Signals(), "diverged")
    assert ending.failure
    assert (ending.failure.type, ending.failure.message) == ("ValueError", "no")


@pytest.mark.parametrize("raised", [ValueError, SystemExit(4), KeyboardInterrupt, RecursionError, MemoryError])
def test_an_exception_without_a_text(raised: object) -> None:
    """An exception of the user's own may not even have one, and may end the process that asks for it."""
    ending = how_it_ended(MuteError(raised), Signals(), None)
    assert ending.failure
    assert ending.failure.message == "<its text cannot be shown>"


class OddExit(SystemExit):
    code = property(lambda self: 1 / 0)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (SystemExit(-1), -1),
        (SystemExit(2**63 - 1), 2**63 - 1),
        (SystemExit(2**63), -1),
        (SystemExit(-(10**5000)), -1),
        (SystemExit("no"), 1),
        (OddExit(), 1),
    ],
)
def test_exit_codes_are_those_of_the_interpreter(error: SystemExit, code: int) -> None:
    """Of any number, however long: a run.lock that holds it is read again."""
    failure = how_it_ended(error, Signals(), None).failure
    assert failure
    assert failure.exit_code == code


def test_a_group_that_holds_its_members_many_times_is_written_in_no_time() -> None:
    """The text of few objects would have no end; where it was raised is what remains of it."""
    error: Exception = ValueError("leaf")
    error.__cause__ = KeyError("cause")
    for _ in range(5):
        error = ExceptionGroup("both", [error, error])
    failure = how_it_ended(error, Signals(), None).failure
    assert failure
    assert "leaf" in str(failure.traceback)
    for _ in range(60):
        error = ExceptionGroup("both", [error, error])
    try:
        raise error
    except ExceptionGroup as raised:
        failure = how_it_ended(raised, Signals(), None).failure
    assert failure
    assert "raise error" in str(failure.traceback)


def test_a_chain_is_written_whole() -> None:
    """Up to thousands, and where two exceptions caused each other."""
    one, two = ValueError("one"), ValueError("two")
    one.__cause__, two.__cause__ = two, one
    failure = how_it_ended(one, Signals(), None).failure
    assert failure
    assert "two" in str(failure.traceback)


def test_a_signal_that_the_task_survived_is_a_warning() -> None:
    """With a handler of its own, the task went on."""
    former = signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        with Signals() as signals:
            signals.let_through()
            signal.raise_signal(signal.SIGTERM)
        ending = how_it_ended(None, signals, None)
    finally:
        signal.signal(signal.SIGTERM, former)
    assert (ending.status, len(ending.warnings)) == ("finished", 1)
    assert "SIGTERM" in ending.warnings[0]


def test_a_signal_that_ends_is_named() -> None:
    """The failure says which."""
    signals = Signals()
    signals.arrived.append(signal.SIGTERM)
    signals._former[signal.SIGTERM] = signal.SIG_DFL
    failure = how_it_ended(Signalled(signal.SIGTERM), signals, None).failure
    assert failure
    assert failure.signal == "SIGTERM"


@pytest.mark.parametrize(("seconds", "said"), [(0, "SIGTERM at the time limit of Slurm's job"), (60, "SIGTERM")])
def test_the_time_limit_of_slurm(monkeypatch: pytest.MonkeyPatch, seconds: int, said: str) -> None:
    """Its signal is that of a `scancel`; when the job was to end is known from the environment."""
    monkeypatch.setenv("SLURM_JOB_END_TIME", str(int(time.time()) + seconds))
    signals = Signals()
    signals.arrived.append(signal.SIGTERM)
    signals._former[signal.SIGTERM] = signal.SIG_DFL
    failure = how_it_ended(Signalled(signal.SIGTERM), signals, None).failure
    assert failure
    assert failure.message == said
