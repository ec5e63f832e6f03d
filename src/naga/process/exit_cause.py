"""How a function ended, as the run.lock records it."""

import os
import signal
import time
import traceback

from naga.frozen import dataclass
from naga.process.signals import Signals
from naga.record.schema import Failure
from naga.wording import text_of

_MOST_EXCEPTIONS = 10_000
_LARGEST_CODE = 2**63 - 1  # beyond it the interpreter exits with -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """The status of an ended run, why it did not finish, and further warnings."""

    status: str
    failure: Failure | None = None
    warnings: tuple[str, ...] = ()


def how_it_ended(error: BaseException | None, signals: Signals, reason: str | None) -> Ending:
    """Judge how a function ended.

    Examples
    --------
    >>> how_it_ended(SystemExit(3), Signals(), None).failure.exit_code
    3
    >>> how_it_ended(SystemExit(0), Signals(), None).status
    'finished'
    """
    if (cause := signals.cause(error)) is not None:
        return Ending(status="killed", failure=_failure(error, cause))
    survived = sorted({signal.Signals(signum).name for signum in signals.arrived})
    warnings = tuple(f"{name} arrived while the task ran, and the task went on" for name in survived)
    if error is not None and _exit_code(error) != 0:
        return Ending(status="failed", failure=_failure(error, None), warnings=warnings)
    if reason is not None:
        return Ending(status="failed", failure=Failure(type="naga.fail", message=reason), warnings=warnings)
    return Ending(status="finished", warnings=warnings)


def _failure(error: BaseException | None, signum: int | None) -> Failure:
    name = signal.Signals(signum).name if signum is not None else None
    if error is None:
        return Failure(type="Signalled", message=f"{name}, which the task did not let end it", signal=name)
    return Failure(
        type=type(error).__qualname__,
        message=text_of(error) + (" at the time limit of Slurm's job" if name == "SIGTERM" and _is_at_limit() else ""),
        traceback=_traceback(error),
        signal=name,
        exit_code=_exit_code(error),
    )


def _is_at_limit() -> bool:
    """Return whether the job of this process is at its time limit: Slurm's signal is the same as for `scancel`."""
    end = os.environ.get("SLURM_JOB_END_TIME", "")
    return end.isdecimal() and time.time() > int(end) - 1


def _traceback(error: BaseException) -> str:
    try:
        shown = traceback.format_tb(error.__traceback__) if _is_vast(error) else traceback.format_exception(error)
    except BaseException:  # noqa: BLE001  # of a chain without end, or with an exception whose attributes raise
        shown = traceback.format_tb(error.__traceback__)
    return "".join(shown)


def _is_vast(error: BaseException) -> bool:
    """Return whether an exception's text would be endless: a group may hold the same member many times."""
    waiting, seen = [error], {id(error)}
    for _ in range(_MOST_EXCEPTIONS):
        if not waiting:
            return False
        one = waiting.pop()
        waiting += one.exceptions if isinstance(one, BaseExceptionGroup) else ()
        for other in (one.__cause__, one.__context__):
            if other is not None and id(other) not in seen:
                seen.add(id(other))
                waiting.append(other)
    return True


def _exit_code(error: BaseException) -> int | None:
    """Return the exit code that an exception asks for, as the interpreter reads it."""
    if not isinstance(error, SystemExit):
        return None
    try:
        code = error.code
        number = 0 if code is None else int.__index__(code) if isinstance(code, int) else 1
    except Exception:  # noqa: BLE001  # an exit of the user's own
        return 1
    return number if abs(number) <= _LARGEST_CODE else -1
