"""Hydra's command line in place of Naga's: ``@hydra.main(...)`` under the other decorators.

``hydra.main`` makes a function that composes a configuration and calls the task with it, and forgets what the task
returned. A run has to begin between the two, so that function is made once more around another task. What it is made
of (`hydra.main.decorated_main` and its closure) has been the same from Hydra 1.1 to 1.3.
"""

import functools
import os
from collections.abc import Callable
from types import CellType, FunctionType
from typing import Any

from naga.frozen import dataclass
from naga.process.entry_point import file_of
from naga.process.identity import name_job


def hydra_start(fn: Callable[..., Any]) -> Callable[[Callable[[Any], Any]], Any] | None:
    """Find out whether ``hydra.main`` made a function."""
    code = getattr(fn, "__code__", None)
    if code is None or code.co_name != "decorated_main" or fn.__globals__.get("__name__") != "hydra.main":
        return None
    return functools.partial(_start, fn)


def _start(fn: Any, task: Callable[[Any], Any]) -> Any:
    cells = dict(zip(fn.__code__.co_freevars, fn.__closure__, strict=True))
    job = _Job(cells["task_function"].cell_contents, task)
    cells["task_function"] = CellType(job)
    FunctionType(fn.__code__, fn.__globals__, argdefs=fn.__defaults__, closure=tuple(cells.values()))()
    return job.returned[max(job.returned)] if job.returned else None


_started: dict[str, "_Job"] = {}


class _Job:
    """What Hydra calls for each of its jobs, here or in a launcher's workers; ``returned`` is by job number."""

    def __init__(self, fn: Any, task: Callable[[Any], Any]) -> None:
        functools.update_wrapper(self, fn)  # Hydra looks for the folder of the configuration beside the function
        self.task = task
        self.returned: dict[int, Any] = {}
        self.key = os.urandom(8).hex()

    def __call__(self, cfg: Any) -> Any:
        value = self.task(cfg)
        self.returned[_number()] = value
        return value

    def __reduce__(self) -> Any:
        _started[self.key] = self
        return _Sent, (self.key, self.task)


@dataclass(frozen=True, slots=True)
class _Sent:
    """The same in a worker: what it returns is passed to the job that was sent."""

    key: str
    task: Callable[[Any], Any]

    def __call__(self, cfg: Any) -> Any:
        return _Returned(self.key, _number(), self.task(cfg))


@dataclass(frozen=True, slots=True)
class _Returned:
    """What a job has returned in a worker; unpickled at home, it becomes the value itself."""

    key: str
    number: int
    value: Any

    def __reduce__(self) -> Any:
        return _arrive, (self.key, self.number, self.value)


def _arrive(key: str, number: int, value: Any) -> Any:
    if key not in _started:
        return _Returned(key, number, value)  # on its way
    _started[key].returned[number] = value
    return value


def job_of(fn: Callable[..., Any]) -> dict[str, Any]:
    """Name the current job of a ``--multirun`` by its overrides; empty outside of one."""
    from hydra.core.hydra_config import HydraConfig

    about = HydraConfig.get()
    if not str(about.mode).endswith("MULTIRUN"):
        return {}
    overrides = list(about.overrides.task)
    name_job(file_of(fn), overrides)
    return {"overrides": overrides}


def _number() -> int:
    """Return the number of Hydra's job; a single run has none."""
    from hydra.core.hydra_config import HydraConfig
    from omegaconf import OmegaConf

    job = HydraConfig.get().job
    return 0 if OmegaConf.is_missing(job, "num") else int(job.num)
