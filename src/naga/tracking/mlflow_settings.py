"""Settings that one publication changes in its process, all restored afterwards."""

import logging
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

_CHATTY = ("alembic", "mlflow.store.db.utils", "mlflow.utils.git_utils")

_lock = threading.Lock()
_frames: list[Mapping[str, str | None]] = []
_before: dict[str, str | None] = {}


@contextmanager
def environment(changes: Mapping[str, str | None]) -> Iterator[None]:
    """Set environment variables, or remove them (None), while this lasts.

    Publications in several threads may overlap in any order: the latest that still lasts decides, and the last to leave
    restores what was there before the first.

    Examples
    --------
    >>> with environment({"NAGA_EXAMPLE": "1"}):
    ...     os.environ["NAGA_EXAMPLE"]
    '1'
    >>> "NAGA_EXAMPLE" in os.environ
    False
    """
    frame = dict(changes)
    with _lock:
        for name in frame:
            _before.setdefault(name, os.environ.get(name))
        _frames.append(frame)
        _apply(frame)
    try:
        yield
    finally:
        with _lock:
            # By identity: two publications may well make equal changes.
            _frames[:] = [other for other in _frames if other is not frame]
            _apply(frame)


def _apply(names: Mapping[str, str | None]) -> None:
    for name in names:
        lasting = [frame[name] for frame in _frames if name in frame]
        value = lasting[-1] if lasting else _before.pop(name)
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


@contextmanager
def quiet() -> Iterator[None]:
    """Hide MLflow's and Alembic's messages about their own housekeeping; errors still show."""
    loggers = [logging.getLogger(name) for name in _CHATTY]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            if logger.level == logging.ERROR:  # else what was imported meanwhile has set it
                logger.setLevel(level)
