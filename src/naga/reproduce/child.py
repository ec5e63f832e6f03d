"""The process that computes a run again: it imports the recorded script, and calls the recorded task."""

import json
import os
import sys
from pathlib import Path
from typing import Any

from naga.config.declared import declared_config
from naga.config.upgrade import read_recorded
from naga.declarations import Call
from naga.diagnose.batch.script import load_script
from naga.errors import NagaError, UsageError, one_line
from naga.process.entry_point import task_name
from naga.record.lockfile import parse_lock
from naga.runs.find import Run
from naga.secrets import redacted_keys
from naga.wrapper import Decorated


def main(order: str) -> int:
    """Compute what is ordered; the exit code is that of the run."""
    asked: dict[str, Any] = json.loads(Path(order).read_text(encoding="utf-8"))
    record = parse_lock(Path(asked["lock"]).read_text(encoding="utf-8"))
    sys.argv = [asked["script"]]
    if asked["python_path"] is None:
        os.environ.pop("PYTHONPATH", None)  # it led to this module alone
    else:
        os.environ["PYTHONPATH"] = asked["python_path"]
    task = _task(load_script(Path(asked["script"])), record.task)
    declared = declared_config(task.fn)
    declares: Any = getattr(task, "declares")  # noqa: B009  # a task has marks
    config = _with_place(record.config, record.save_dir, asked["was"], asked["save_dir"])
    reading = read_recorded(
        declared, config, Path(asked["save_dir"]), former=declares.former, run=Run(Path(asked["was"]), record)
    )
    if hidden := [".".join(map(str, keys)) for keys in redacted_keys(config)]:
        unknown = [key for key in hidden if "<redacted>" in str(reading.value)]
        if unknown:
            raise UsageError(f"{', '.join(unknown)}: redacted in the run.lock, and not declared here")
    if unknown := [key for key, one in reading.filled.items() if one.why == "default"]:
        hint = f"say what the code did before: @clicfg(before={{{unknown[0]!r}: ...}})"
        what = f"the run is older than {', '.join(unknown)}: today's default may not be what it did"
        raise UsageError(what, hint=hint)
    from naga.run.life import run

    about = {"run_id": record.run_id, "lock_hash": asked["lock_hash"]}
    code = None if asked["current"] else record.code
    call = Call(args=(reading.value,) if declared else (), task=record.task, reproduces=about, code=code)
    run(task.fn, declares, call)
    return 0


def _task(module: Any, name: str) -> Decorated[..., Any]:
    found: Any = None
    for value in vars(module).values():
        if isinstance(value, Decorated) and hasattr(value, "declares"):
            own = task_name(value.fn)
            if own == name or own.rpartition(".")[2] == name.rpartition(".")[2]:
                found = value
    if found is None:
        raise UsageError(f"no task {name} in '{Path(module.__file__).name}'")
    task: Decorated[..., Any] = found
    return task


def _with_place(value: Any, written: str, was: str, now: str) -> Any:
    """Move what lies in the run's folder to the new one."""
    if isinstance(value, dict):
        return {key: _with_place(item, written, was, now) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_place(item, written, was, now) for item in value]
    if isinstance(value, str):
        for old in (written, was):
            if value == old or value.startswith(f"{old.rstrip('/')}/"):
                return now + value[len(old.rstrip("/")) :]
    return value


if __name__ == "__main__":
    try:
        sys.exit(main(*sys.argv[1:]))
    except NagaError as error:
        print(one_line(error), file=sys.stderr)  # noqa: T201  # who ordered it reads it
        sys.exit(error.exit_code)
