"""Which process owns a run, and whether it still lives."""

import os
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from naga.record.schema import Process
from naga.secrets import redact_words

_IMPORTED = time.monotonic()


_of_job: list[str] = []


def name_job(script: Path | None, words: Iterable[str]) -> None:
    """Set the words that would start alone the one of many jobs that this process is now computing."""
    _of_job[:] = [sys.executable, str(script), *words] if script else []


def this_process() -> Process:
    """Describe the running process, so that it can be recognised later."""
    return Process(
        argv=redact_words(_of_job or sys.orig_argv),  # claims hold it, too
        cwd=str(Path.cwd()),
        host=os.uname().nodename,
        pid=os.getpid(),
        boot_id=_boot_id(),
        started_ticks=started_ticks(os.getpid()),
        pid_namespace=_pid_namespace(),
        user=_user(),
        slurm_job_id=os.environ.get("SLURM_JOB_ID"),
    )


def is_here(process: Process) -> bool:
    """Return whether a recorded process is one of this machine since it was started; hosts may share a name."""
    return process.host == os.uname().nodename and process.boot_id in (None, _boot_id())


def is_alive(process: Process) -> bool | None:
    """Return whether a recorded process still runs."""
    if process.host != os.uname().nodename:
        return None
    # A number below 1 stands for a group of processes, or for all.
    if process.pid < 1 or (process.boot_id and process.boot_id != _boot_id()):
        return False
    if process.pid_namespace and process.pid_namespace != _pid_namespace():
        return None
    if process.started_ticks is not None:
        return process.started_ticks == started_ticks(process.pid)
    with suppress(PermissionError):  # it exists, and is somebody else's
        try:
            os.kill(process.pid, 0)
        except (ProcessLookupError, OverflowError):  # no process has a number as large as that
            return False
    return True


def _boot_id() -> str | None:
    with suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return None


def _pid_namespace() -> str | None:
    with suppress(OSError):
        return str(Path("/proc/self/ns/pid").readlink())
    return None


def started_ticks(pid: int) -> int | None:
    """Read field 22 of /proc/PID/stat (proc(5)); None for a zombie, which owns nothing any more."""
    with suppress(OSError):
        # The name, field 2, may hold spaces and brackets: count from the last bracket.
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
        return None if fields[0] in (b"Z", b"X") else int(fields[19])
    return None


def _user() -> str | None:
    import getpass

    with suppress(OSError, KeyError, ImportError):
        return getpass.getuser()
    return None


def age_s() -> float:
    """Return the seconds since this process began, or, where that is unknown, since Naga was imported."""
    ticks = started_ticks(os.getpid())
    if ticks is None:
        return time.monotonic() - _IMPORTED
    return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
