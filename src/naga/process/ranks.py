"""One run per job: of the processes of a distributed job, rank 0 owns the run and the others share it.

Rank 0 announces what it decided (the resolved configuration with its save_dir, that nothing is to be computed, or that
it refused) in a small file in Naga's cache folder, which all ranks see; the others wait for it. The file is named after
the job, the task and the number of the call, so that ranks meet at the same call. An announcement may be of a former
job of the same name: each rank takes one once, and only while the process that made it lives, or was started by the
same launcher, or has just ended.
"""

import os
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from naga.cache_dir import cache_folder
from naga.errors import NagaError, UsageError
from naga.frozen import dataclass
from naga.process.identity import is_alive, started_ticks, this_process
from naga.record import yaml_text
from naga.record.atomic import write_atomic
from naga.record.schema import Process, from_plain, to_plain
from naga.secrets import redact_config
from naga.terminal import say

_RANK = ("NAGA_RANK", "RANK", "OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK")
_SIZE = ("NAGA_WORLD_SIZE", "WORLD_SIZE", "OMPI_COMM_WORLD_SIZE", "PMI_SIZE")
# What the launchers tell all ranks of one job, and no other.
_JOB = (
    "SLURM_JOB_ID",
    "SLURM_STEP_ID",  # two steps of one allocation are two runs
    "SLURM_RESTART_COUNT",
    "TORCHELASTIC_RUN_ID",
    "TORCHELASTIC_RESTART_COUNT",
    "MASTER_ADDR",
    "MASTER_PORT",
    "OMPI_MCA_ess_base_jobid",
    "PMIX_NAMESPACE",
)
_OF_SLURM = ("PMIX_RANK", "PMI_RANK")  # its plugins set them, for tasks that know nothing of each other too
_POLL_S = 0.05
_SILENT_S = 10.0
_JUST_ENDED_S = 120.0
_FORGOTTEN_S = 86400.0


@dataclass(frozen=True, slots=True)
class Rank:
    """The rank of this process in its job, and the variable that says so; ``size`` is None where unknown."""

    number: int
    size: int | None
    variable: str = "NAGA_RANK"


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """What rank 0 decided: to compute with this configuration in this folder, not to compute, or why it refused.

    ``words`` are what its command line named, without the values.
    """

    id: str
    computes: bool = False
    words: tuple[str, ...] = ()
    config: dict[Any, Any] | None = None
    save_dir: str | None = None
    refusal: str | None = None
    hint: str = ""
    process: Process
    launcher: tuple[int, ...] = ()


def _patience_s() -> float:
    text = os.environ.get("NAGA_RANK_TIMEOUT_S") or "300"
    try:
        return float(text)
    except ValueError:
        raise UsageError(f"NAGA_RANK_TIMEOUT_S is {text!r}, not a number", hint="NAGA_RANK_TIMEOUT_S=300") from None


def this_rank() -> Rank | None:
    """Return which rank of a distributed job this process is; None where it is none, or the only one.

    ``NAGA_RANK`` comes first, then ``RANK`` (torchrun), then what MPI launchers set. ``SLURM_PROCID`` does not count:
    independent runs under ``srun`` have it too.
    """
    (number, name), (size, _) = _number(_RANK), _number(_SIZE)
    # `srun` makes ranks of the tasks of one step, and of a single task none; what is set by hand may span steps.
    if size is None and name in _OF_SLURM:
        size, _ = _number(("SLURM_STEP_NUM_TASKS",))
    if number is None or size == 1:
        return None
    return Rank(number, size, name)


def _number(names: tuple[str, ...]) -> tuple[int | None, str]:
    for name in names:
        text = os.environ.get(name, "")
        if text.isdecimal():
            return int(text), name
        if text and name.startswith("NAGA_"):
            raise UsageError(f"{name} is {text!r}, not a number", hint=f"{name}=0")
    return None, ""


class Meeting:
    """The place where the ranks of a job meet for one call of a task."""

    def __init__(self, rank: Rank, file: Path) -> None:
        self.rank = rank
        self.file = file

    def announce(self, **decided: Any) -> None:
        """Announce to the other ranks what rank 0 has decided."""
        announcement = Announcement(
            id=os.urandom(8).hex(), process=this_process(), launcher=_launcher(), **_written(decided)
        )
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            _sweep(self.file.parent)
            write_atomic(self.file, yaml_text.dump(to_plain(announcement)).encode())
        except OSError as error:
            raise UsageError(
                f"rank 0 cannot tell the other ranks about its run: '{self.file}': {error.strerror or error}",
                hint="NAGA_CACHE_DIR=<a folder that all ranks can write>",
            ) from error

    @contextmanager
    def refusals(self) -> Iterator[None]:
        """Announce to the other ranks if rank 0 refuses, so that they need not wait."""
        try:
            yield
        except NagaError as error:
            with suppress(UsageError):
                self.announce(refusal=error.message, hint=error.hint)
            raise

    def wait(self) -> Announcement:
        """Wait for what rank 0 has decided."""
        patience = _patience_s()
        start, silent = time.monotonic(), True
        while not (found := self._taken()):
            waited = time.monotonic() - start
            if silent and waited > _SILENT_S:
                # A variable that a shell or a notebook has from elsewhere would look like a program that hangs.
                silent, name = False, self.rank.variable
                say(f"rank {self.rank.number} waits for rank 0 of its job, because {name} is set; else: unset {name}")
            if waited > patience:
                raise UsageError(
                    f"rank {self.rank.number}: rank 0 has not said within {patience:g} s what to run ('{self.file}')",
                    hint="did it end? NAGA_CACHE_DIR must be a folder that all ranks see; "
                    f"if this process is not a rank: unset {self.rank.variable}",
                )
            time.sleep(_POLL_S)
        if found.refusal is not None:
            raise NagaError(f"rank {self.rank.number}: rank 0 refused: {found.refusal}", hint=found.hint)
        return found

    def _taken(self) -> Announcement | None:
        try:
            announcement = from_plain(Announcement, yaml_text.load(self.file.read_text(encoding="utf-8")))
            if not self._is_of_this_job(announcement):
                return None
            self._receipt(announcement.id).touch(exist_ok=False)
        except (OSError, ValueError, NagaError):  # not there yet, or taken before: by this rank of a former job
            return None
        return announcement

    def _is_of_this_job(self, announcement: Announcement) -> bool:
        alive = is_alive(announcement.process)
        if alive or (alive is False and announcement.launcher == _launcher()):
            return True
        return time.time() - self.file.stat().st_mtime < _JUST_ENDED_S

    def _receipt(self, announcement_id: str) -> Path:
        return self.file.with_name(f"{self.file.stem}.{announcement_id}.{self.rank.number}")

    def leave(self) -> None:
        """Remove the announcement once all other ranks have read it; a late one still finds it."""
        with suppress(OSError):
            receipts = list(self.file.parent.glob(f"{self.file.stem}.*.*"))
            if self.rank.size is not None and len(receipts) >= self.rank.size - 1:
                for file in (self.file, *receipts):
                    file.unlink(missing_ok=True)
                self.file.parent.rmdir()


_calls: Counter[str] = Counter()


def meeting(rank: Rank, task: str) -> Meeting:
    """Return the place where the ranks meet for this call; each process counts its calls of a task."""
    import hashlib

    number = _calls[task]
    _calls[task] += 1
    known = [f"{name}={os.environ[name]}" for name in _JOB if os.environ.get(name)]
    job = [os.environ.get("NAGA_JOB_ID", "")] if os.environ.get("NAGA_JOB_ID") else known or [str(_launcher())]
    key = hashlib.sha256("\n".join(job).encode()).hexdigest()[:32]
    name = hashlib.sha256(task.encode()).hexdigest()[:16]
    try:
        folder = cache_folder() / "ranks" / key
    except RuntimeError as error:
        raise UsageError(
            "this user has no home in which the ranks of a job could meet", hint="NAGA_CACHE_DIR=<a folder they share>"
        ) from error
    return Meeting(rank, folder / f"{name}-{number}.json")


def _written(decided: dict[str, Any]) -> dict[str, Any]:
    """Write a decision as plain values; secrets are left out: each rank has them from the same source as rank 0."""
    if (save_dir := decided.get("save_dir")) is not None:
        decided["save_dir"] = str(save_dir)
    if decided.get("config") is not None:
        decided["config"] = redact_config(decided["config"])
    return decided


def _launcher() -> tuple[int, ...]:
    """Name the process that has started this one: all ranks of a job on one host have the same."""
    parent = os.getppid()
    ticks = started_ticks(parent)
    return parent, ticks or 0


def _sweep(folder: Path) -> None:
    for file in folder.parent.glob("*/*"):
        with suppress(OSError):
            if time.time() - file.stat().st_mtime > _FORGOTTEN_S:
                file.unlink()
                file.parent.rmdir()
