"""``--sweep`` and ``main.sweep``: from the words or values to the finished points and the exit code."""

import hashlib
import json
import os
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from naga.config.command_line import Request, SweepWords
from naga.config.declared import Declared, declared_config
from naga.config.omegaconf_nodes import as_written, dotted, walk
from naga.config.plain import value_at
from naga.config.upgrade import declared_past
from naga.declarations import Declares
from naga.errors import NagaError, UsageError
from naga.frozen import dataclass
from naga.launch import Launch, open_launcher
from naga.launch.elsewhere import mark_of
from naga.launch.local import why_not_fork
from naga.layout import LOCK_NAME
from naga.process.entry_point import file_of, task_name
from naga.record.schema import to_plain
from naga.runs.find import Run
from naga.runs.sequence import Runs
from naga.sweep import point as of_point
from naga.sweep.driver import Driver, Orders, Progress, default_jobs
from naga.sweep.grammar import values_of
from naga.sweep.points import Point, Sweep, as_typed, listed, planned
from naga.sweep.publisher import publisher_of
from naga.sweep.screen import shown
from naga.sweep.standing import finished_points, run_at, write_asked
from naga.terminal import print_asked, say
from naga.wording import plural
from naga.wrapper import Decorated

if TYPE_CHECKING:
    from naga.capture.code.snapshot import CodeCapture


class SweepError(NagaError):
    """Some points of a sweep did not finish; the others did."""

    exit_code = 1


def sweep_of_words(task: Decorated[..., Any], request: Request) -> int:
    """Run the sweep of a command line; 0 if every point has finished in the end."""
    words = request.sweep or SweepWords()
    # What lists one value is the same for all points, wherever it stands.
    single = tuple(word for word in words.values if len(values_of(word)[1]) == 1)
    several = [word for word in words.values if word not in single]
    request = replace(request, overrides=(*request.overrides, *single))
    call = _call(task, listed(several, words.file), request, words)
    if words.dry_run:
        return call.say_planned()
    try:
        last = call.run()
    except KeyboardInterrupt:
        say("interrupted: the same command goes on")
        return 128 + signal.SIGINT
    return 0 if words.no_wait or (set(last.states.values()) <= {"finished"} and last.is_published) else 1


def sweep_of_values(task: Decorated[..., Any], values: Mapping[str, Any], words: SweepWords) -> Runs:
    """Run the sweep of a call from Python."""
    axes = {key: value for key, value in values.items() if isinstance(value, list | tuple | range)}
    listing: list[tuple[str, ...]] = [()]
    for key, axis in axes.items():
        listing = [(*point, f"{key}={as_typed(value)}") for point in listing for value in axis]
    single = tuple(f"{key}={as_typed(value)}" for key, value in values.items() if key not in axes)
    call = _call(task, listing, Request(sweep=words, overrides=single), words)
    last = call.run()
    if failed := [label for label, state in last.states.items() if state != "finished"]:
        notes = "; ".join(f"{label}: {last.notes.get(label, last.states[label])}" for label in failed[:3])
        raise SweepError(f"{plural(len(failed), 'point')} of {len(last.states)} did not finish: {notes}")
    done = call.finished()
    return Runs(done[point.digest] for point in call.asked.points)


def sweep_id(task: str, asked: Sweep) -> str:
    """Name a sweep by its points: the same command has the same name."""
    text = json.dumps([task, sorted(point.digest for point in asked.points)])
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _call(
    task: Decorated[..., Any], listing: Sequence[tuple[str, ...]], request: Request, words: SweepWords
) -> "_SweepCall":
    declared, declares = declared_config(task.fn), getattr(task, "declares")  # noqa: B009  # a task has marks
    if declared is None or not declares.lock:
        raise UsageError(f"{task.__name__}() cannot be swept: its points need folders", hint="@runlock and a save_dir")
    before = {key: one.before for key, one in declared_past(declared, declares.former).items()}
    asked = planned(
        declared,
        listing,
        overrides=request.overrides,
        files=request.files,
        before=before,
        tracked=declares.tracked,
    )
    own = {point.save_dir for point in asked.points}
    if asked.root not in own and (asked.root / LOCK_NAME).exists():
        raise UsageError(
            f"'{asked.root}' is the folder of a run, and cannot hold a sweep", hint="save_dir=<another folder>"
        )
    return _SweepCall(task, declared, declares, before, request, words, asked)


@dataclass(frozen=True, slots=True)
class _SweepCall:
    """One call of a sweep: the task, what was typed, and the points that follow from both."""

    task: Decorated[..., Any]
    declared: Declared
    declares: Declares
    before: Mapping[str, Any]
    request: Request
    words: SweepWords
    asked: Sweep

    @property
    def name(self) -> str:
        """The name of the task."""
        return task_name(self.task.fn)

    @property
    def id(self) -> str:
        """The name of the sweep."""
        return sweep_id(self.name, self.asked)

    def finished(self) -> dict[str, Run]:
        """Find the finished points by their digests."""
        return finished_points(self.asked, self.name, self.before)

    def say_planned(self) -> int:
        """Print the points and their states."""
        done = self.finished()
        for point in self.asked.points:
            run = None if point.digest in done else run_at(point.save_dir)
            state = "finished" if point.digest in done else run.status if run else "waiting"
            print_asked(f"{state:<9} {point.written}  {' '.join(point.overrides)}\n")
        print_asked(f"{plural(len(self.asked.points), 'point')}, {len(done)} finished\n")
        return 0

    def run(self) -> Progress:
        """Compute every point that is not done; return how all of them stand in the end."""
        words, asked = self.words, self.asked
        reason = self._why_not_fork() if words.launcher == "local" else words.launcher
        if reason and file_of(self.task.fn) is None:
            raise UsageError(f"a task of a notebook cannot start processes anew ({reason})", hint="write it to a file")
        publisher = publisher_of(file_of(self.task.fn)) if words.diag else None
        # Slurm has a queue of its own, which sees to it how many run at once.
        jobs = words.jobs if words.jobs and not words.no_wait else 0
        jobs = jobs or (len(asked.points) if words.launcher == "slurm" else default_jobs())
        orders = Orders(jobs=jobs, retry=words.retry, fail_fast=words.fail_fast, leave=words.no_wait)
        how = Launch(
            jobs=words.jobs or jobs, forks=not reason, timeout=words.timeout, options=words.options,
            sweep=mark_of(self.id, asked.root), leave=words.no_wait,
        )  # fmt: skip
        with open_launcher(words.launcher, how) as executor:  # first: what it refuses has written nothing
            write_asked(asked, self.id, self.name, words.launcher)
            with self._one_snapshot() as code:
                done = self._still_done(code)
                if len(done) < len(asked.points):
                    say(_how(asked, how.jobs, reason, words.launcher))
                    self._hash_shared_inputs()
                order = _Order(self.task, asked, self.request, self.id, code, self._own_places(code) if reason else ())
                driver = Driver(asked, executor, orders, order, frozenset(done), publisher)
                return shown(driver.steps(), asked, done)

    def _why_not_fork(self) -> str:
        from naga.sweep.laid_out import computed_at_import

        path = computed_at_import(file_of(self.task.fn)) if self._is_laid_out else ""
        return why_not_fork() or (f"{path} is a path, which must lead to the code of the sweep" if path else "")

    @property
    def _is_laid_out(self) -> bool:
        return self.declares.snapshot is not None and self.words.code != "current"

    @contextmanager
    def _one_snapshot(self) -> Iterator["CodeCapture | None"]:
        """Capture and lay out the code once for all points; None where each point captures what it finds."""
        # What a run needs is imported now, so that forked processes need not.
        for name in ("naga.run.life", "naga.capture.environment", "naga.hashing.cache", "blake3", "sqlite3"):
            import_module(name)
        of_point.inherited["task"] = self.task
        with ExitStack() as stack:
            stack.callback(of_point.inherited.clear)
            if self.declares.snapshot is None or self.words.code == "current":
                yield None
                return
            from naga.capture.code.snapshot import SnapshotLabel, capture_code
            from naga.capture.data.inputs import tracked_paths
            from naga.sweep.laid_out import laid_out

            root = self.asked.root
            left = (root, *tracked_paths(self.asked.example, self.declares.tracked, Path.cwd()))  # as a run leaves it
            label = SnapshotLabel(run_id=self.id, task=self.name, save_dir=str(root), leave_out=left, kind="sweeps")
            taken = capture_code(file_of(self.task.fn), self.declares.snapshot, label)
            outlives = self.words.launcher != "local"
            folders = laid_out(taken.entries, self.id, outlives=outlives, leave=self.words.no_wait)
            taken = replace(taken, laid_out=stack.enter_context(folders))
            of_point.inherited["code"] = taken
            yield taken

    def _still_done(self, code: "CodeCapture | None") -> dict[str, Run]:
        """Return what need not be computed: finished points, also of other code unless `archive` is asked for."""
        done = self.finished()
        tree = next((entry.tree for entry in code.entries if entry.tree), None) if code else None
        other = {digest for digest, run in done.items() if tree and tree not in run.summary.trees}
        if self.request.existing == "archive":
            done, other = {digest: run for digest, run in done.items() if digest not in other}, set()
        if done:
            further = f", {len(other)} with other code: --existing archive computes those again" if other else ""
            say(f"{len(done)} of {plural(len(self.asked.points), 'point')} had finished before{further}")
        return done

    def _hash_shared_inputs(self) -> None:
        """Hash shared inputs into the cache: points that begin together would each read all of them."""
        from naga.capture.data.inputs import capture_data

        cached = [each for each in self.declares.tracked if not each.fresh and not each.background]
        capture_data(self.asked.example, cached, Path.cwd(), manifest_dir=None)

    def _own_places(self, code: "CodeCapture | None") -> tuple[str, ...]:
        """Write defaults that are paths of the project as overrides: where the code is laid out, they would differ."""
        from naga.sweep.laid_out import is_below

        tops = tuple(f"{top}/" for top in code.laid_out) if code else ()
        written = {dotted(keys): as_written(node) for keys, node in walk(self.declared.base)} if tops else {}
        return tuple(
            f"{key}={as_typed(str(value))}"
            for key, value in written.items()
            if is_below(value, tops) and value_at(self.asked.example, key) == str(value)
        )


def _how(asked: Sweep, jobs: int, reason: str, launcher: str) -> str:
    start = f"a new process each, as {reason}" if reason else "forked from this one"
    start = start if launcher == "local" else f"through {launcher}"
    return f"{plural(len(asked.points), 'point')} in '{asked.root}', {jobs} at once, {start}"


@dataclass(frozen=True, slots=True)
class _Order:
    """Makes the orders for the processes that compute points, as plain values."""

    task: Decorated[..., Any]
    asked: Sweep
    request: Request
    sweep: str
    code: "CodeCapture | None"
    places: tuple[str, ...]

    def __call__(self, point: Point) -> dict[str, Any]:
        overrides = (*self.places, *self.asked.overrides, *point.overrides, f"save_dir={point.written}")
        argv = of_point.words_of(overrides, self.asked.files, self.request.existing or "reuse")
        # Commits of the same files differ by their times.
        trees = [entry.tree for entry in self.code.entries] if self.code else None
        return {
            "key": [self.sweep, argv, trees],
            "argv": argv,
            "label": point.label,
            "overrides": point.overrides,
            "save_dir": str(point.save_dir),
            "sweep": self.sweep,
            "task": task_name(self.task.fn),
            "function": self.task.__qualname__,
            "script": str(file_of(self.task.fn) or ""),
            "cwd": os.getcwd(),  # noqa: PTH109  # as text
            "code": [to_plain(entry) for entry in self.code.entries] if self.code else None,
            "warnings": self.code.warnings if self.code else (),
            "folders": dict(self.code.laid_out) if self.code else {},
            "quiet": True,
        }
