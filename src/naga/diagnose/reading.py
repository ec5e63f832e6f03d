"""The configuration of a run as a diag gets it today: in the kind and fields of the task that made the run."""

import inspect
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from types import ModuleType
from typing import Any

from naga.config.declared import declared_config
from naga.config.upgrade import Upgraded, read_recorded
from naga.declarations import Declares, Former, Upgrade
from naga.process.entry_point import file_of, is_called, script_module, task_name
from naga.runs.find import Run
from naga.wording import plural
from naga.wrapper import Decorated


def read_run(run: Run, fn: Callable[..., Any], upgrade: Upgrade | None) -> Upgraded:
    """Read the configuration of a run for a diag's function; the task's own upgrade comes before the diag's."""
    task = task_of(run.record.task, fn)
    former = _declares(task).former if task else None
    declared = declared_config(task.fn if task else fn)
    return read_recorded(declared, run.record.config, run.save_dir, former=former, further=upgrade, run=run)


def task_of(name: str, fn: Callable[..., Any]) -> Decorated[..., Any] | None:
    """Find a task by its recorded name, present or former, among what the module of a diag has or imports."""
    known = list(_tasks(getattr(inspect.unwrap(fn), "__globals__", {})))
    for names in (_own_names, _former_names):
        for task in known:
            if any(is_called(name, own) for own in names(task)):
                return task
    return None


def _tasks(names: dict[str, Any]) -> Iterator[Decorated[..., Any]]:
    modules = [vars(value) for value in names.values() if isinstance(value, ModuleType)]
    for value in (value for space in (names, *modules) for value in list(space.values())):
        if isinstance(value, Decorated) and isinstance(getattr(value, "declares", None), Declares):
            yield value


def _own_names(task: Decorated[..., Any]) -> Iterator[str]:
    yield task_name(task.fn)
    # A module's name depends on how it was imported; the file's is the same, however it was started.
    file = file_of(task.fn)
    yield f"{script_module(file)}.{task.__qualname__}" if file else task.__qualname__


def _former_names(task: Decorated[..., Any]) -> Iterable[str]:
    return (_declares(task).former or Former()).tasks


def _declares(task: Decorated[..., Any]) -> Declares:
    declares: Declares = task.declares
    return declares


def reading_lines(readings: Sequence[Upgraded], *, renamed: bool = False) -> Iterator[str]:
    """Say what the configurations of some runs lacked or had in excess, each once, with the number of runs."""
    filled: dict[tuple[str, str], list[Any]] = defaultdict(list)
    removed, moved = Counter[str](), Counter[tuple[str, str]]()
    for reading in readings:
        for key, one in reading.filled.items():
            filled[key, one.why].append(one.value)
        for key in reading.removed:
            removed[key] += 1
        for key, former in reading.renamed.items():
            moved[former, key] += 1
    for (key, why), values in filled.items():
        yield f"{_count(len(values), why)} {key}: {_source(why, values)}"
    for key, count in removed.items():
        yield f"{plural(count, 'run')} with {key}, which is no longer declared: run.config has it"
    for (former, key), count in moved.items() if renamed else ():
        yield f"{plural(count, 'run')} with {key} under its former name {former}"


def _count(count: int, why: str) -> str:
    return f"{plural(count, 'run')} {'with' if why == 'upgrade' else 'older than'}"


def _source(why: str, values: Sequence[Any]) -> str:
    value = f" {values[0]!r}" if all(one == values[0] for one in values) else ""
    if why == "upgrade":
        return f"the upgrade gives{value or ' it'}"
    return f"its default{value} is used" if why == "default" else f"its declared former value{value} is used"
