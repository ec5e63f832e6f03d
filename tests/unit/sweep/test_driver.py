"""What a driver makes of the answers of its executor."""

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

import pytest
from slurm_cluster import wait_until

from naga.sweep.driver import Driver, Orders
from naga.sweep.points import Point, Sweep
from naga.sweep.standing import run_at

RUN = """
import pathlib, time, naga

@naga.runlock
def main(cfg):
    while not pathlib.Path("hurry").exists():
        time.sleep(0.02)

main({"save_dir": "a"})
"""


class Answers(Executor):
    """An executor whose points all end at once, with this answer."""

    def __init__(self, said: dict[str, Any]) -> None:
        self._said = said

    def submit(self, fn: Any, point: dict[str, Any], /) -> "Future[dict[str, Any]]":  # type: ignore[override]  # noqa: ARG002
        """Start a run of the point's beside the driver, and say at once that its job has died."""
        going.append(subprocess.Popen([sys.executable, "-c", RUN]))
        wait_until(lambda: (run := run_at(Path("a"))) and run.status == "running")
        future: Future[dict[str, Any]] = Future()
        future.set_result(self._said)
        return future


going: list["subprocess.Popen[bytes]"] = []


@pytest.fixture(autouse=True)
def _none_is_left(project: Path) -> Iterator[None]:
    going.clear()
    yield
    Path("hurry").touch()
    for process in going:
        process.wait(30)


def driver(said: dict[str, Any]) -> Driver:
    """A driver of one point."""
    point = Point(overrides=("x=1",), label="x=1", digest="d", written="a", save_dir=Path("a").absolute())
    sweep = Sweep(points=(point,), root=Path(), example={})
    return Driver(sweep, Answers(said), Orders(), lambda point: {}, frozenset())


def test_a_job_that_has_died() -> None:
    """What its scheduler saw die is lost, though its last beat is young."""
    made = driver({"died": "cancelled"})
    *_, last = made.steps()
    assert last.states == {"x=1": "lost"}
    assert last.notes == {"x=1": "cancelled"}


def test_a_job_out_of_sight() -> None:
    """What its scheduler has only lost sight of runs on by its heartbeat: it is waited for, and not begun again."""
    steps = driver({"died": "forgotten", "unsure": True}).steps()
    for progress in steps:
        if progress.states == {"x=1": "running"} and len(going) == 1:
            Path("hurry").touch()
    assert progress.states == {"x=1": "finished"}
    assert len(going) == 1
