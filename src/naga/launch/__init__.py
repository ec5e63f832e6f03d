"""Executors, which start the points of a sweep. They know nothing of runs.

A point is a plain dict, and a launcher is a context that gives a `concurrent.futures.Executor`. Its ``submit`` takes a
function of a module and a point; the future gives a plain dict, which says no more than that the process has ended, as
what became of the run stands in its run.lock.
"""

from concurrent.futures import Executor
from contextlib import AbstractContextManager

from naga.errors import UsageError
from naga.frozen import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """How to open a launcher: ``forks`` where that is safe; ``timeout`` in seconds; ``options`` are its own.

    ``sweep`` is what a scheduler's jobs are known by; with ``leave`` they stay in its queue when the context is left.
    """

    jobs: int
    forks: bool
    timeout: float | None
    options: tuple[str, ...]
    sweep: str
    leave: bool = False


def open_launcher(name: str, how: Launch) -> AbstractContextManager[Executor]:
    """Open the launcher of a name."""
    if how.leave and name != "slurm":
        raise UsageError(
            f"--no-wait: --launcher {name} ends with what started it", hint="nohup ... &, or --launcher slurm"
        )
    if name == "local":
        from naga.launch.local import local

        if how.options:
            raise UsageError(f"-l {how.options[0]}: the local launcher has no options", hint="--jobs 4")
        return local(forks=how.forks, timeout=how.timeout)
    from naga.launch.elsewhere import elsewhere

    return elsewhere(name, how)
