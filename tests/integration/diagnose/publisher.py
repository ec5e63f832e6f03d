"""What the processes of the convergence tests do: publish, by a clock of their own, and crash on request."""

import os
import secrets
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow
import pytest

from naga import load_run
from naga.errors import NagaError
from naga.mlflow_log import mlflow_log_run

CALLS = ("create_run", "log_batch", "log_inputs", "set_terminated", "search_runs", "search_experiments", "get_run")


class CrashError(Exception):
    """What an injected failure raises."""


@dataclass(frozen=True)
class Crash:
    """A crash at the n-th call of an MLflow client."""

    number: int
    before: bool
    exits: bool

    def notice(self, number: int, before: bool) -> None:
        """Be gone, or raise, if this is the moment."""
        if (number, before) != (self.number, self.before):
            return
        if self.exits:
            os._exit(9)
        raise CrashError(f"{'before' if self.before else 'after'} call {self.number}")


@mlflow_log_run
def diag(cfg: Any, token: str) -> None:
    """Log something that must not be lost."""
    mlflow.log_metric("kept", 1)
    mlflow.set_tag("token", token)


def publish_many(
    folder: Path, count: int, *, crash: Crash | None = None, clock_h: float = 0, host: str | None = None
) -> None:
    """Publish a run several times: the body of a process."""
    if clock_h:
        shift_clock(clock_h)
    if host:
        name_host(host)
    with watched_calls(crash.notice if crash else None):
        for _ in range(count):
            diag(folder, secrets.token_hex(8))


def shift_clock(hours: float) -> None:
    """Set the clock of this process."""
    real = time.time
    time.time = lambda: real() + hours * 3600


def name_host(name: str) -> None:
    """Let this process believe that it runs on another host."""
    here = os.uname()
    os.uname = lambda: os.uname_result((here.sysname, name, here.release, here.version, here.machine))
    socket.gethostname = lambda: name


def publish_in_threads(folder: Path, threads: int) -> None:
    """Publish a run in several threads that start together: the body of a process."""
    together = threading.Barrier(threads)

    def publish() -> None:
        together.wait(60)
        diag(folder, secrets.token_hex(8))

    with ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(publish) for _ in range(threads)]:
            done.result()


def publish_whatever_is_there(folder: Path, count: int) -> None:
    """Publish the run of a folder several times, whichever that is; what is refused is refused."""
    for _ in range(count):
        with suppress(NagaError):
            reading_diag(folder)


@mlflow_log_run
def reading_diag(cfg: Any) -> None:
    """Log which run is in the folder, once before and once after a while."""
    for key in ("first", "last"):
        mlflow.set_tag(key, load_run(cfg.save_dir).run_id)
        time.sleep(0.05)


@contextmanager
def watched_calls(notice: Callable[[int, bool], None] | None) -> Iterator[None]:
    """Tell of each call of an MLflow client, before it happens and after."""
    number = -1
    notice = notice or (lambda number, before: None)

    def watched(name: str) -> Any:
        original = getattr(mlflow.MlflowClient, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            nonlocal number
            number += 1
            mine = number
            notice(mine, True)
            result = original(*args, **kwargs)
            notice(mine, False)
            return result

        return call

    with pytest.MonkeyPatch.context() as patch:
        for name in CALLS:
            patch.setattr(mlflow.MlflowClient, name, watched(name))
        yield


def count_calls(folder: Path) -> int:
    """Publish once and count the calls of MLflow clients."""
    calls: list[int] = []
    with watched_calls(lambda number, before: calls.append(number)):
        diag(folder, "counting")
    return len(calls) // 2


@mlflow_log_run
def killing_diag(cfg: Any) -> None:
    """Log one number, and be killed."""
    mlflow.log_metric("kept", 1)
    os.kill(os.getpid(), signal.SIGKILL)
