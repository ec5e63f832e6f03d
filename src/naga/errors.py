"""The errors of Naga: what it refuses to do, and why.

::

    NagaError                     one line, one hint, exit code 2
    ├── UsageError                a command line that cannot be read
    ├── ConfigError               a key, value or file of the configuration
    ├── SaveDirError              the folder of a run: missing, read-only, not ours to move
    │   └── ClaimError            ... or owned by another run
    ├── DataError                 an input that is missing or cannot be read
    ├── SnapshotError             code that a strict snapshot could not capture
    ├── LockError                 a run.lock that is missing, torn, foreign or hostile
    ├── RunNotFoundError          no run, or several, for what was typed
    └── DiagError                 a publication that cannot start
        ├── UnfinishedRunError    ... because its run has not finished
        ├── MlflowMissingError    ... because MLflow is not installed
        └── TrackerError          ... because the tracking server does not answer

Each carries a ``hint``: what to type or change next. A script that lets one escape ends with that line and
exit code 2, not with a traceback (see `report_uncaught`); code that calls Naga can catch it as usual.
"""

import sys
from types import TracebackType

from naga.secrets import redact_text
from naga.wording import shortened

__all__ = [
    "ClaimError",
    "ConfigError",
    "DataError",
    "DiagError",
    "LockError",
    "MlflowMissingError",
    "NagaError",
    "RunNotFoundError",
    "SaveDirError",
    "SnapshotError",
    "TrackerError",
    "UnfinishedRunError",
    "UsageError",
]


class NagaError(Exception):
    """Something that a user can correct.

    Parameters
    ----------
    message : str
        What is wrong, where, with the offending value. Secrets are taken out.
    hint : str, optional
        What to type or change next.

    Examples
    --------
    >>> print(NagaError("no run at 'results/a'", hint="naga ls results"))
    no run at 'results/a' (hint: naga ls results)
    """

    exit_code = 2

    def __init__(self, message: str, *, hint: str = "") -> None:
        self.message = redact_text(message)
        self.hint = redact_text(hint)
        super().__init__(self.message)

    def __str__(self) -> str:
        return f"{self.message} (hint: {self.hint})" if self.hint else self.message

    def _render_traceback_(self) -> list[str]:
        """Show the error in IPython as in a terminal: one line and its hint, without a traceback."""
        return one_line(self).splitlines()

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.message, self.hint)


def _rebuild(kind: type[NagaError], message: str, hint: str) -> NagaError:
    return kind(message, hint=hint)


class UsageError(NagaError):
    """A command line that cannot be read."""


class ConfigError(NagaError):
    """A key, value or file of the configuration is wrong."""


class SaveDirError(NagaError):
    """The folder of a run is missing, read-only, or not Naga's to move."""


class ClaimError(SaveDirError):
    """The folder of a run belongs to another run."""


class DataError(NagaError):
    """An input is missing or cannot be read."""


class SnapshotError(NagaError):
    """A strict snapshot could not capture all of the code."""


class LockError(NagaError):
    """A run.lock is missing, torn, foreign or hostile."""


class RunNotFoundError(NagaError):
    """What was typed names no run, or several."""


class DiagError(NagaError):
    """A publication cannot start."""


class UnfinishedRunError(DiagError):
    """The run of a diagnosis has not finished."""


class MlflowMissingError(DiagError):
    """MLflow is not installed."""


class TrackerError(DiagError):
    """The tracking server does not answer."""


def one_line(error: NagaError, otherwise: str = "") -> str:
    r"""Write an error as the terminal shows it: one line, then its hint; ``otherwise`` is for errors without one.

    Examples
    --------
    >>> print(one_line(NagaError("unknown key 'lr'", hint="did you mean 'learning_rate'?")))
    naga: unknown key 'lr'
      hint: did you mean 'learning_rate'?
    """
    text, hint = f"naga: {shortened(error.message)}", shortened(error.hint or otherwise)
    return f"{text}\n  hint: {hint}" if hint else text


def unreadable(error: OSError) -> NagaError:
    """Describe what the system refuses."""
    where = f" {str(error.filename)!r}" if error.filename else ""
    return NagaError(f"cannot read or write{where}: {error.strerror or error}")


def report_uncaught(otherwise: str = "") -> None:
    """Make an uncaught `NagaError` end the script with one line in place of a traceback.

    Replaces ``sys.excepthook``, once; every other exception goes to the former hook unchanged. Called only by a task
    that runs as a script, never on import.
    """
    former = sys.excepthook
    if getattr(former, "is_naga", False):
        return

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if not isinstance(error, NagaError):
            former(kind, error, trace)
            return
        print(one_line(error, otherwise), file=sys.stderr)
        raise SystemExit(error.exit_code)

    hook.is_naga = True  # type: ignore[attr-defined]  # how a second call knows its own hook
    sys.excepthook = hook
