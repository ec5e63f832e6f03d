"""Diagnosing many runs: what needs no diag is found by reading alone, the rest goes to worker processes.

This process imports neither MLflow nor the script, so a pass that finds nothing to do takes no longer than reading the
runs. Each worker does one run at a time and is alone in its pool: one that dies takes no other run with it.
"""

import multiprocessing
import signal
import tempfile
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import FrameType

from naga.capture.code.scratch import scratch
from naga.diagnose.batch.launched import diagnose_launched
from naga.diagnose.batch.outcome import BatchOptions, Outcome
from naga.diagnose.batch.recorded_code import recorded_code, recorded_tree
from naga.diagnose.batch.script import is_of_script
from naga.diagnose.batch.worker import diagnose, end_with_parent
from naga.diagnose.diag_code import code_files
from naga.diagnose.freshness import Freshness
from naga.errors import DiagError
from naga.frozen import dataclass
from naga.paths import near
from naga.project import project_root
from naga.record.schema import Code
from naga.runs.find import Run
from naga.tracking.published_runs import newest_published
from naga.tracking.store import store_of

_LOST = 3  # runs one after the other that MLflow was not there for: nor will it be for the thousand after them


@dataclass(frozen=True, slots=True)
class Work:
    """One run for a worker to diagnose; ``code`` is the snapshot to use, None for today's code."""

    run: Run
    code: Code | None = None


def diagnose_all(
    order: BatchOptions,
    runs: Sequence[Run],
    *,
    jobs: int = 1,
    preview: bool = False,
    any_task: bool = False,
    launcher: str = "local",
    options: tuple[str, ...] = (),
    begins: Callable[[Path], None] = lambda _: None,
) -> Iterator[Outcome]:
    """Diagnose many runs; yield each outcome as soon as it is known, and call ``begins`` for each run, in this process.

    The first Ctrl-C lets the runs that have begun be finished, and the others are ``left``; the second ends all.
    """
    work: list[Work] = []
    for found in _sorted_out(order, runs, any_task=any_task):
        if isinstance(found, Outcome):
            yield found
        else:
            work.append(found)
    if work:
        with scratch("naga-diag-") as folder:
            store = folder / "store"
            store.mkdir()
            order = replace(order, scratch=store) if preview else order
            if launcher == "local":
                yield from _shared(order, work, jobs, folder, begins)
            else:
                own = [one.run.save_dir for one in work]
                yield from diagnose_launched(order, own, jobs=jobs, launcher=launcher, options=options)


def _sorted_out(order: BatchOptions, runs: Sequence[Run], *, any_task: bool) -> Iterator[Outcome | Work]:
    """Find the runs that need no diag, by reading alone."""
    root = project_root(order.script.parent)
    published = newest_published(order.uri or store_of(order.script.parent)) if order.only_stale else {}
    freshness, file = Freshness(published, root), order.script.relative_to(root).as_posix()
    unfinished = order.check or not order.only_stale or _takes_unfinished(order.script)
    originals = _originals(runs)
    for run in runs:
        if run.save_dir != (original := originals[run.run_id]):
            yield Outcome(save_dir=run.save_dir, kind="skipped", reason=f"it is a copy of {near(original)}")
        elif not any_task and not is_of_script(run.record.task, order.script):
            yield Outcome(save_dir=run.save_dir, kind="skipped", reason=f"it is of the task {run.record.task}")
        elif freshness.is_fresh(run, file=file, function=order.function, recorded=order.recorded):
            yield Outcome(save_dir=run.save_dir, kind="unchanged")
        elif run.status != "finished" and not unfinished:
            yield Outcome(save_dir=run.save_dir, kind="skipped", reason=f"it has not finished: it is {run.status}")
        elif order.recorded:
            try:
                yield Work(run, recorded_code(run, order.script))
            except DiagError as error:
                yield Outcome(save_dir=run.save_dir, kind="failed", reason=error.message)
        else:
            yield Work(run)


def _originals(runs: Sequence[Run]) -> dict[str, Path]:
    """Return the folder of each run; of copies, which would supersede each other, the one it was computed in."""
    folders: dict[str, Path] = {}
    for run in sorted(runs, key=lambda run: not str(run.save_dir).endswith(run.record.save_dir)):
        folders.setdefault(run.run_id, run.save_dir)
    return folders


def _takes_unfinished(script: Path) -> bool:
    return any(b"allow_unfinished" in path.read_bytes() for path in code_files(script))


class Worker:
    """A process that diagnoses one run after the other."""

    def __init__(self, order: BatchOptions, folder: Path) -> None:
        self._order = order
        self._folder = folder
        self._tree: str | None = None
        self._script = order.script
        self._pool: ProcessPoolExecutor | None = None

    def begin(self, work: Work) -> "Future[Outcome]":
        """Start to diagnose a run."""
        try:
            self._prepare(work.code)
        except DiagError as error:
            failed: Future[Outcome] = Future()
            failed.set_result(Outcome(save_dir=work.run.save_dir, kind="failed", reason=error.message))
            return failed
        if self._pool is None:
            self._pool = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), initializer=end_with_parent)
        with _interrupts_blocked():  # a process inherits this: Ctrl-C reaches the whole terminal, and is not for it
            return self._pool.submit(diagnose, self._order, self._script, work.run.save_dir)

    def _prepare(self, code: Code | None) -> None:
        """Lay out the code of a run; a process that has imported other code is replaced."""
        if code is None or code.tree == self._tree:
            return
        self.end()
        self._tree = None
        folder = Path(tempfile.mkdtemp(dir=self._folder)).resolve()
        self._script = recorded_tree(code, self._order.script, folder)
        self._tree = code.tree

    def end(self) -> None:
        """End the process."""
        if self._pool is not None:
            self._pool.shutdown()
        self._pool = None


def _shared(
    order: BatchOptions, work: Sequence[Work], jobs: int, folder: Path, begins: Callable[[Path], None]
) -> Iterator[Outcome]:
    """Distribute the work: each worker has one run at a time."""
    waiting = deque(sorted(work, key=lambda one: one.code.tree or "" if one.code else ""))
    free = [Worker(order, folder) for _ in range(max(1, min(jobs, len(work))))]
    begun: dict[Future[Outcome], tuple[Worker, Work]] = {}
    lost = 0
    try:
        with _stopping() as stop:
            while begun or (waiting and not stop):
                while waiting and free and not stop:
                    worker, one = free.pop(), waiting.popleft()
                    begins(one.run.save_dir)
                    begun[worker.begin(one)] = worker, one
                for future in wait(begun, return_when=FIRST_COMPLETED).done:
                    worker, one = begun.pop(future)
                    yield (outcome := _outcome(future, worker, one))
                    free.append(worker)
                    lost = lost + 1 if outcome.lost else 0
                    if lost == _LOST:
                        stop.append(lost)
        yield from (Outcome(save_dir=one.run.save_dir, kind="left") for one in waiting)
    finally:
        for worker in (*free, *(worker for worker, _ in begun.values())):
            worker.end()


def _outcome(future: "Future[Outcome]", worker: Worker, work: Work) -> Outcome:
    try:
        return future.result()
    except BrokenProcessPool:
        worker.end()
        return Outcome(save_dir=work.run.save_dir, kind="failed", reason="its process died: a crash, or out of memory")
    except DiagError as error:
        if work.code is None:
            raise
        # Another run's code may do better.
        worker.end()
        return Outcome(save_dir=work.run.save_dir, kind="failed", reason=error.message)


@contextmanager
def _interrupts_blocked() -> Iterator[None]:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _stopping() -> Iterator[list[int]]:
    """Collect Ctrl-C: the first lets begun runs finish, the second ends the processes."""
    pressed: list[int] = []

    def press(number: int, _: FrameType | None) -> None:
        pressed.append(number)
        if len(pressed) > 1:
            for process in multiprocessing.active_children():
                process.kill()
            raise KeyboardInterrupt

    try:
        former = signal.signal(signal.SIGINT, press)
    except ValueError:  # only the main thread may
        yield pressed
        return
    try:
        yield pressed
    finally:
        signal.signal(signal.SIGINT, former)
