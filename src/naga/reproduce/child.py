"""The process that computes a run again: it starts the recorded script as before, up to the call of the task."""

import contextlib
import json
import os
import runpy
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from naga.capture.code.imports import import_from, moved
from naga.config.compose import compose
from naga.config.declared import declared_config
from naga.config.upgrade import read_recorded
from naga.declarations import Call
from naga.diagnose.batch.script import load_script
from naga.errors import NagaError, UsageError, one_line
from naga.launch.local import death_signal
from naga.paths import relocated
from naga.process.entry_point import is_called, task_name
from naga.record.lockfile import parse_lock
from naga.record.schema import Record
from naga.runs.find import Run
from naga.secrets import redacted_keys
from naga.wrapper import Decorated


def main(order: str) -> int:
    """Compute the run; the exit code is that of the run."""
    with contextlib.suppress(AttributeError, OSError):  # elsewhere than on Linux
        death_signal()()
    asked: dict[str, Any] = json.loads(Path(order).read_text(encoding="utf-8"))
    record = parse_lock(Path(asked["lock"]).read_text(encoding="utf-8"))
    os.environ.pop("PYTHONPATH")  # it led here
    os.environ |= {"PYTHONPATH": asked["python_path"]} if asked["python_path"] else {}
    _find_code(asked["folders"], record)
    if not asked["as_main"]:
        script = Path(asked["script"])
        _compute(_task(load_script(script, argv=asked["argv"][1:]), record.task), record, asked)
        return 0
    _Caller(record, asked).stand_in()
    _run_as_main(asked)
    raise UsageError(f"the script ended without a call of {record.task}")


def _find_code(folders: Mapping[str, str], record: Record) -> None:
    """Let imports find the code that is laid out, also of packages that are installed by a link."""
    import_from(folders)
    origins = record.environment.origins.values() if record.environment else ()
    for url in (origin.url for origin in origins if origin.editable):
        if place := moved(url.removeprefix("file://"), folders):
            sys.path[:0] = [path for path in (f"{place}/src", place) if Path(path).is_dir() and path not in sys.path]


def _run_as_main(asked: Mapping[str, Any]) -> None:
    sys.argv = list(asked["argv"])
    if asked["module"]:
        sys.path.insert(0, os.getcwd())  # noqa: PTH109
        runpy.run_module(asked["module"], run_name="__main__", alter_sys=True)
        return
    script, module = Path(asked["script"]), ModuleType("__main__")
    module.__file__ = str(script)
    sys.path.insert(0, str(script.parent))
    sys.modules["__main__"] = module
    exec(compile(script.read_bytes(), script, "exec", dont_inherit=True), vars(module))  # noqa: S102  # as Python does


class _Caller:
    """Replaces all calls of tasks and diags, in a process that computes one recorded run.

    What the script calls first of the task, be it without words, for a sweep or under Hydra, is the run.
    """

    def __init__(self, record: Record, asked: Mapping[str, Any]) -> None:
        self._record, self._asked, self._process, self._done = record, asked, os.getpid(), False
        kinds, ways = Decorated.__subclasses__(), ("__call__", "cli", "sweep")
        self._own = {(kind, way): vars(kind)[way] for kind in kinds for way in ways if way in vars(kind)}

    def stand_in(self) -> None:
        """Replace the calls."""
        for kind, way in self._own:
            setattr(kind, way, lambda task, *args, **kwargs: self._call(task, args, kwargs))

    def _call(self, task: Decorated[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Compute the run and end the process; for another task, return the configuration of its finished run."""
        if self._done:
            raise SystemExit(0)
        if not hasattr(task, "declares"):
            return None  # a diag
        if not _is_same_task(task_name(task.fn), self._record.task):
            declared = declared_config(task.fn)
            given = args[0] if args else None
            return compose(declared, given=given, keywords=kwargs).value if declared else given
        if os.getpid() != self._process or threading.current_thread() is not threading.main_thread():
            raise UsageError(f"{self._record.task} was called in a worker, not by the script itself")
        for (kind, way), own in self._own.items():  # what the run calls in its turn is called
            setattr(kind, way, own)
        try:
            _compute(task, self._record, self._asked)
        finally:
            self._done = True
            self.stand_in()
        raise SystemExit(0)  # what follows in the script is not part of the run


def _compute(task: Decorated[..., Any], record: Record, asked: Mapping[str, Any]) -> None:
    """Run the task with the recorded configuration, in its new folder."""
    from naga.run.life import run

    declared = declared_config(task.fn)
    declares: Any = getattr(task, "declares")  # noqa: B009  # a task has marks
    config = relocated(record.config, asked["moved"])
    here = Path(asked["save_dir"])
    was = Run(Path(asked["was"]), record)
    reading = read_recorded(declared, config, here, former=declares.former, run=was)
    if hidden := [".".join(map(str, keys)) for keys in redacted_keys(config)]:
        unknown = [key for key in hidden if "<redacted>" in str(reading.value)]
        if unknown:
            raise UsageError(f"{', '.join(unknown)}: redacted in the run.lock, and not declared here")
    if unknown := [key for key, one in reading.filled.items() if one.why == "default"]:
        hint = f"say what the code did before: @clicfg(before={{{unknown[0]!r}: ...}})"
        what = f"the run is older than {', '.join(unknown)}: today's default may not be what it did"
        raise UsageError(what, hint=hint)
    about = {"run_id": record.run_id, "lock_hash": asked["lock_hash"]}
    code = record.code if asked["folders"] else None
    call = Call(args=(reading.value,) if declared else (), task=record.task, reproduces=about, code=code)
    run(task.fn, declares, call)


def _task(module: Any, name: str) -> Decorated[..., Any]:
    tasks = [value for value in vars(module).values() if isinstance(value, Decorated) and hasattr(value, "declares")]
    found = [task for task in tasks if _is_same_task(task_name(task.fn), name)]
    found = found or [task for task in tasks if task_name(task.fn).rpartition(".")[2] == name.rpartition(".")[2]]
    if not found:
        raise UsageError(f"no task {name} in '{Path(module.__file__).name}'")
    return found[-1]


def _is_same_task(one: str, other: str) -> bool:
    return is_called(one, other) or is_called(other, one)


if __name__ == "__main__":
    try:
        sys.exit(main(*sys.argv[1:]))
    except NagaError as error:
        print(one_line(error), file=sys.stderr)  # noqa: T201  # who ordered it reads it
        sys.exit(error.exit_code)
