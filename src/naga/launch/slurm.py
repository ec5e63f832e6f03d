"""Points as jobs of Slurm: submitit writes and submits the arrays, and Slurm itself is asked for their states.

submitit learns of a job's end by a file that the job writes, which one that was killed or cancelled never does. Here,
`squeue` is asked for all jobs at once, every ten seconds, and no accounting is needed. What a job has to say is JSON in
a folder that only its user can open; nothing that anyone else may have written is unpickled.
"""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from naga.cache_dir import cache_folder
from naga.errors import NagaError, UsageError

Function = Callable[[dict[str, Any]], dict[str, Any]]

_LOOK_S = 10.0  # between two calls of squeue
_LOOK_AGAIN_S = 2.0  # before a job counts as ended: it may be requeued, or its answer on the way
_BURST_S = 0.2  # of silence, after which what was submitted becomes an array
_HELD = "launch failed requeued held"  # Slurm's own words for a job that it starts no more, unless it is released
_RELEASES = 2  # of one job: the node that could not start it is out of service by then, another can
_FORGOTTEN = "forgotten by Slurm, without an answer"
_UNSURE = (_HELD, _FORGOTTEN, "NODE_FAIL")  # what Slurm has lost sight of may run on
_ENDED = frozenset(
    ("COMPLETED", "CANCELLED", "FAILED", "TIMEOUT", "NODE_FAIL", "PREEMPTED", "OUT_OF_MEMORY", "BOOT_FAIL", "DEADLINE")
)


@dataclass(slots=True)
class _Job:
    """One submitted point: the function to call, the place of its answer, and the last known state of its job."""

    fn: Function
    point: dict[str, Any]
    key: str
    future: "Future[dict[str, Any]]" = field(default_factory=Future)
    number: str = ""
    state: str = ""
    releases: int = 0


class Slurm(Executor):
    """An executor whose points are jobs named after ``mark``; jobs that an earlier driver has queued are taken over.

    ``options`` are those of `sbatch`, by their long names; ``setup`` is a line of shell that runs before.
    """

    def __init__(self, mark: str, options: Mapping[str, str], jobs: int) -> None:
        _require_submitit()
        self._mark, self._options, self._jobs = mark, dict(options), jobs
        self._most = _largest_array()
        _refuse_unknown(options)
        self._folder = _private(_private(cache_folder() / "slurm") / mark)
        self._guard = threading.Lock()  # of the two lists, and of who finds the thread dead: submit() is another's
        self._new: list[_Job] = []
        self._open: list[_Job] = []
        self._broken = ""
        self._batches: list[str] = []  # submitit's folders, with what the jobs print
        self._has_died = False
        self._queued = {number for number, state in states(mark).items() if not has_ended(state)}
        self._last_new = self._next_look = 0.0
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._work, name="naga-slurm", daemon=True)
        self._thread.start()

    def submit(self, fn: Function, point: dict[str, Any], /) -> "Future[dict[str, Any]]":  # type: ignore[override]
        """Queue a point; those that come in one burst become one array."""
        about = point.get("key", point)  # what two drivers would call the same
        key = hashlib.sha256(json.dumps(about, sort_keys=True, default=str).encode()).hexdigest()[:24]
        job = _Job(fn, point, key)
        job.future.set_running_or_notify_cancel()
        with suppress(OSError):
            number = self._file(job, "job").read_text()
            if number in self._queued:
                self._give_number(job, number)
        with self._guard:
            self._last_new = time.monotonic()
            if self._broken:
                job.future.set_result({"died": self._broken})
            else:
                (self._open if job.number else self._new).append(job)
        return job.future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Submit what is left, or cancel everything if asked to; without ``wait``, jobs stay in the queue."""
        if cancel_futures:
            with self._guard:
                self._new.clear()
        elif wait:
            for job in (*self._new, *self._open):
                job.future.result()
        self._closing.set()
        self._thread.join()
        # Only now: an array that was on its way to Slurm has its numbers, too.
        numbers = [job.number for job in self._open if not job.future.done()] if cancel_futures else []
        if numbers:
            with suppress(NagaError):
                _slurm("scancel", "--name", _name(self._mark), *numbers)
        for folder in () if self._open or self._has_died else self._batches:
            shutil.rmtree(folder, ignore_errors=True)

    def _work(self) -> None:
        try:
            self._go_on()
        except BaseException as error:  # else the driver would wait for ever
            with self._guard:
                self._broken = f"not watched any more: {type(error).__name__}: {error}"
                for job in (*self._new, *self._open):
                    if not job.future.done():
                        job.future.set_result({"died": self._broken})
            if not isinstance(error, OSError):  # no fault of the code's, and said by every point
                raise

    def _go_on(self) -> None:
        while not self._closing.wait(_BURST_S):
            if self._new and time.monotonic() - self._last_new >= _BURST_S:
                self._submit_all()
            self._collect()
        self._submit_all()

    def _submit_all(self) -> None:
        with self._guard:
            new, self._new = self._new, []
        for start in range(0, len(new), self._most):
            part = new[start : start + self._most]
            try:
                self._submit_array(part)
            except Exception as error:  # noqa: BLE001  # of submitit, of sbatch, of a full disk: each point says it
                for job in part:
                    job.future.set_result({"died": f"not submitted: {_last_line(str(error))}"})
            else:
                with self._guard:
                    self._open += part

    def _submit_array(self, part: Sequence[_Job]) -> None:
        import submitit

        self._batches.append(tempfile.mkdtemp(prefix="batch-", dir=self._folder))
        executor = submitit.SlurmExecutor(self._batches[-1])
        setup = {"setup": [self._options["setup"]]} if "setup" in self._options else {}
        # submitit always asks for a signal before the end, and for five minutes: CONT has no effect.
        # Its one node is for one task; several may need several.
        own = {"signal": "CONT@1", "nodes": f"1-{self._options.get('ntasks', 1)}"}
        own |= {key: value for key, value in self._options.items() if key != "setup"}
        executor.update_parameters(
            job_name=_name(self._mark), time=None, wckey=None, additional_parameters=own, **setup,
            array_parallelism=self._jobs,
        )  # fmt: skip
        for job in part:
            self._file(job, "json").unlink(missing_ok=True)
        with _outside_of_a_job(), executor.batch():
            sent = [executor.submit(answer, job.fn, job.point, str(self._file(job, "json"))) for job in part]
        for job, submitted in zip(part, sent, strict=True):
            self._give_number(job, submitted.job_id)
            self._file(job, "job").write_text(job.number)

    def _give_number(self, job: _Job, number: str) -> None:
        job.number = number
        job.future.job = f"slurm:{number}"  # type: ignore[attr-defined]  # what the sweep's file names it by

    def _collect(self) -> None:
        """Read the answers that have come; a job without one counts as ended when Slurm has said so twice."""
        here = {entry.name for entry in os.scandir(self._folder)} if self._open else set()
        for job in [job for job in self._open if f"{job.key}.json" in here]:
            self._finish(job, json.loads(self._file(job, "json").read_text()))
        if self._open and time.monotonic() >= self._next_look:
            with suppress(NagaError):  # the controller is away: the jobs are not
                self._look()
            is_doubtful = any(has_ended(job.state) for job in self._open)
            self._next_look = time.monotonic() + (_LOOK_AGAIN_S if is_doubtful else _LOOK_S)

    def _look(self) -> None:
        said = states(self._mark)
        for job in list(self._open):
            before, job.state = job.state, said.get(job.number) or _state_of_gone(job.number)
            if _HELD in job.state:
                self._release(job)
            elif has_ended(before) and has_ended(job.state):
                self._end(job)

    def _release(self, job: _Job) -> None:
        """Let Slurm start a job again that a node could not start, or that runs on though its controller was away.

        In the latter case the second one finds the folder taken, and the driver waits for the first.
        """
        job.releases += 1
        is_last = job.releases > _RELEASES
        # One that is left in the queue would start when somebody releases it, beside its point's next try.
        with suppress(NagaError):  # not allowed to this user: it is held when it is looked at again
            _slurm(*(("scancel",) if is_last else ("scontrol", "release")), job.number)
        if is_last:
            self._end(job)

    def _end(self, job: _Job) -> None:
        self._has_died = True
        is_unsure = any(words in job.state for words in _UNSURE)
        self._finish(job, {"died": f"Slurm's job {job.number}: {job.state}", "unsure": is_unsure})

    def _finish(self, job: _Job, said: dict[str, Any]) -> None:
        with self._guard:
            self._open.remove(job)
        for suffix in ("json", "job"):
            self._file(job, suffix).unlink(missing_ok=True)
        job.future.set_result(said)

    def _file(self, job: _Job, suffix: str) -> Path:
        return self._folder / f"{job.key}.{suffix}"


def answer(fn: Function, point: dict[str, Any], place: str) -> None:
    """Run one point inside its job, without Slurm's variables, and write down what its function returns."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # submitit passes over it, and a run could not say that it was killed
    rank, size = os.environ.get("SLURM_PROCID", "0"), os.environ.get("SLURM_NTASKS", "1")
    if size != "1":
        os.environ |= {"NAGA_RANK": rank, "NAGA_WORLD_SIZE": size}
    said = fn(point)
    if rank == "0":
        new = Path(f"{place}.{os.getpid()}")
        new.write_text(json.dumps(said))
        new.replace(place)
    raise SystemExit  # submitit passes this, and pickles nothing that no one would read


def states(mark: str) -> dict[str, str]:
    """Ask Slurm for the jobs of a name: ``{"12_0": "PENDING (Resources)"}``."""
    lines = _slurm("squeue", "--me", "--name", _name(mark), "-t", "all", "-h", "-r", "-o", "%i|%T|%r").splitlines()
    found = {}
    for number, state, reason in (line.split("|", 2) for line in lines):
        found[number] = state if reason in ("None", "") else f"{state} ({reason})"
    return found


def cancel(mark: str) -> list[str]:
    """Cancel the jobs of a name, which Slurm itself selects; give their numbers."""
    going = [number for number, state in states(mark).items() if not has_ended(state)]
    if going:
        _slurm("scancel", "--me", "--name", _name(mark))
    return going


def _name(mark: str) -> str:
    return f"naga-{mark}"


def has_ended(state: str) -> bool:
    """Return whether a job in this state has ended, unless it is requeued."""
    return state.partition(" ")[0] in _ENDED


def _state_of_gone(number: str) -> str:
    """Ask for a job that squeue does not list any more."""
    try:
        words = dict(word.partition("=")[::2] for word in _slurm("scontrol", "show", "job", "-o", number).split())
    except NagaError:
        return f"COMPLETED ({_FORGOTTEN})"
    return f"{words.get('JobState', 'COMPLETED')} ({words.get('Reason', 'None')})"


def _largest_array() -> int:
    lines = _slurm("scontrol", "show", "config").splitlines()
    sizes = [line.partition("=")[2].strip() for line in lines if line.startswith("MaxArraySize")]
    return max(int(sizes[0]), 1) if sizes and sizes[0].isdecimal() else 1000


def _refuse_unknown(options: Mapping[str, str]) -> None:
    """Let sbatch itself judge the options, before anything is submitted."""
    words = [f"--{key}" if value == "true" else f"--{key}={value}" for key, value in options.items() if key != "setup"]
    try:
        with _outside_of_a_job():
            _slurm("sbatch", "--test-only", *words, "--wrap", "true")
    except NagaError as error:
        raise UsageError(error.message, hint="-l key=value is sbatch's --key=value: sbatch --help") from None


def _slurm(*words: str) -> str:
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    except FileNotFoundError:
        raise NagaError(f"no {words[0]}: this machine submits to no Slurm", hint="--launcher local") from None
    except subprocess.TimeoutExpired:
        raise NagaError(f"{words[0]} has not answered for a minute", hint="sinfo says whether Slurm is up") from None
    if done.returncode:
        raise NagaError(f"Slurm refuses: {_last_line(done.stderr)}", hint="sinfo says whether Slurm is up")
    return done.stdout


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("Try ")]
    return lines[-1].removeprefix("sbatch: ") if lines else "no reason given"


@contextmanager
def _outside_of_a_job() -> Iterator[None]:
    """Hide the variables of this process's own job, which `sbatch` would pass on; those of Slurm's setup stay."""
    from submitit.helpers import clean_env

    where = {name: os.environ[name] for name in ("SLURM_CONF",) if name in os.environ}
    with clean_env(("NAGA_RANK", "NAGA_WORLD_SIZE")):
        os.environ.update(where)
        yield


def _require_submitit() -> None:
    try:
        import submitit  # noqa: F401
    except ImportError:
        raise UsageError("--launcher slurm needs submitit", hint="pip install 'naga-runs[slurm]'") from None


def _private(folder: Path) -> Path:
    """Make a folder that only its user can open: what is in it is run by the jobs."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        about = folder.lstat()
    except OSError as error:
        raise NagaError(f"'{folder}' cannot be made: {error.strerror}", hint="NAGA_CACHE_DIR=...") from None
    if about.st_uid != os.getuid() or about.st_mode & 0o077:
        raise NagaError(f"'{folder}' can be opened by others", hint=f"chmod 700 '{folder}', or NAGA_CACHE_DIR=...")
    return folder
