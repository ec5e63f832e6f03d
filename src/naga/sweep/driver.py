"""The loop that computes the points of a sweep: the same command goes on where it stopped.

Nothing here decides by what it remembers. What is done, running or lost is read from locks and heartbeats each time, so
that two drivers of one sweep share its points, and one that was killed costs nothing but the time it was away.
"""

import os
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import field
from typing import Any

from naga.errors import SaveDirError
from naga.frozen import dataclass
from naga.runs.find import Run
from naga.sweep.point import run_point
from naga.sweep.points import Point, Sweep
from naga.sweep.publisher import Publisher
from naga.sweep.standing import run_at

_LOOK_S = 0.5  # how often a point that another driver has is looked at
_SHOW_S = 0.5  # how often a screen without news is drawn again
_RUNNING = "running"


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """How to run a sweep: how many points at once, and which of those that ended badly to try again."""

    jobs: int = 1
    retry: str = "lost"
    fail_fast: bool = False
    leave: bool = False  # submit everything, and go


@dataclass(slots=True)
class Progress:
    """The state of each point so far, by its label; the screen shows this."""

    states: dict[str, str] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)
    is_published: bool = True  # what was to be

    def note(self, point: Point, state: str, run: Run | None, said: str = "") -> None:
        """Set the state of a point, and the reason where it ended badly."""
        self.states[point.label] = state
        if state != "finished":
            error = run.record.error if run else None
            self.notes[point.label] = said or (f"{error.type}: {error.message}".splitlines()[0] if error else state)

    def counts(self) -> Counter[str]:
        """Count the points by their state."""
        return Counter(self.states.values())


@dataclass(slots=True)
class Driver:
    """Runs every point that is not done; `steps` yields the progress whenever it changes."""

    sweep: Sweep
    executor: Executor
    orders: Orders
    order_of: Callable[[Point], dict[str, Any]]  # what a process needs to know to compute a point
    done: frozenset[str]  # digests of the points that have finished
    publisher: Publisher | None = None
    progress: Progress = field(default_factory=Progress)
    _waiting: deque[Point] = field(default_factory=deque)
    _elsewhere: list[Point] = field(default_factory=list)  # another driver has them
    _begun: dict[Future[dict[str, Any]], tuple[Point, float]] = field(default_factory=dict)
    _tried: set[str] = field(default_factory=set)

    def steps(self) -> Iterator[Progress]:
        """Run until every point has ended, or with ``fail_fast`` until the first has failed."""
        for point in self.sweep.points:
            self.progress.states[point.label] = "finished" if point.digest in self.done else "waiting"
            if point.digest not in self.done:
                self._waiting.append(point)
        yield self.progress
        while self._waiting or self._begun or self._elsewhere:
            self._look_elsewhere()
            self._start()
            yield self.progress
            if self.orders.leave:
                break
            ended = wait(self._begun, timeout=_LOOK_S if self._elsewhere else _SHOW_S, return_when=FIRST_COMPLETED).done
            if self.publisher:
                self.publisher.go_on()
            states = [self._collect(future) for future in ended]
            if self.orders.fail_fast and any(state not in ("finished", _RUNNING) for state in states):
                break
            if self._elsewhere and not self._begun:
                time.sleep(_LOOK_S)
        yield self.progress
        if self.publisher:
            self.progress.is_published = self.publisher.finish()

    def _start(self) -> None:
        """Start as many points as may run at once."""
        while self._waiting and len(self._begun) < self.orders.jobs:
            point = self._waiting.popleft()
            run = run_at(point.save_dir)
            state = run.status if run else "waiting"
            if state == _RUNNING:
                self._elsewhere.append(point)
                self.progress.states[point.label] = _RUNNING
            elif self._may_try(state, point, run):
                self._tried.add(point.digest)
                self.progress.states[point.label] = _RUNNING
                self._begun[self.executor.submit(run_point, self.order_of(point))] = point, time.monotonic()
            else:
                self.progress.note(point, state, run)

    def _collect(self, future: Future[dict[str, Any]]) -> str:
        """Read how a point ended: from its run.lock, or, where it could not claim its folder, from its answer."""
        point, start = self._begun.pop(future)
        said = future.result()
        if said.get("taken"):  # another driver was faster: nothing was computed here
            self._elsewhere.append(point)
            self._tried.discard(point.digest)
            return _RUNNING
        run = run_at(point.save_dir)
        state = run.status if run else "failed"
        if said.get("error") and state in ("finished", _RUNNING):
            state = "failed"
        elif state == _RUNNING and said.get("unsure"):  # by its heartbeat it runs on, out of the scheduler's sight
            self._elsewhere.append(point)
            return _RUNNING
        elif state == _RUNNING:  # its lock, but no process any more
            state = "lost"
        self.progress.note(point, state, run, said.get("error") or said.get("died") or "")
        if said.get("stops"):  # a full disk is one to all points: they wait for the next call
            self._waiting.clear()
        if state == "finished" and self.publisher:
            self.publisher.add(point.save_dir)
        self.progress.seconds.append(time.monotonic() - start)
        return state

    def _look_elsewhere(self) -> None:
        """Look again at points that another driver has: those that have ended can be tried here."""
        for point in list(self._elsewhere):
            run = run_at(point.save_dir)
            state = run.status if run else "waiting"
            if state == _RUNNING:
                continue
            self._elsewhere.remove(point)
            if state == "finished":
                self.progress.note(point, state, run)
            else:
                self._waiting.append(point)

    def _may_try(self, state: str, point: Point, run: Run | None) -> bool:
        """Return whether to try a point: once in a call, and one that ended badly only if asked to."""
        again = {"lost": ("lost", "killed"), "failed": ("lost", "killed", "failed"), "none": ()}[self.orders.retry]
        # A finished one that is not done is one of other code, or another's: its own process says what becomes of it.
        if state == "failed" and run and run.record.error and run.record.error.type == SaveDirError.__name__:
            state = "lost"  # its function was not called, or not to blame
        return point.digest not in self._tried and state in ("waiting", "finished", *again)


def default_jobs() -> int:
    """Return the default number of points at once: as many as this process has cores."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
