"""One point of a sweep, in the process that computes it."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from naga.capture.code.imports import import_from, moved
from naga.declarations import Call
from naga.errors import ClaimError, NagaError, SaveDirError, SnapshotError
from naga.process.identity import name_job
from naga.record.schema import Code, from_plain
from naga.sweep.laid_out import imported_from
from naga.wording import first_line_of, first_of
from naga.wrapper import Decorated

if TYPE_CHECKING:
    from naga.capture.code.snapshot import CodeCapture

# What a fork has from the process that it was forked from: the task, and the snapshot that stands for all points.
inherited: dict[str, Any] = {}


def run_point(point: dict[str, Any]) -> dict[str, Any]:
    """Compute one point, and return its outcome, which for others is in the run.lock."""
    os.chdir(point["cwd"])
    sys.argv = [sys.argv[0], *point["argv"]]
    if point["quiet"]:
        _silence()
    said: dict[str, Any] = {}
    try:
        _compute(point)
    except ClaimError as error:
        said = {"taken": True, "error": error.message}
    except NagaError as error:
        said = {"error": error.message, "stops": isinstance(error, SaveDirError)}
    except BaseException as error:  # noqa: BLE001  # the run.lock says the rest
        said = {"error": first_line_of(error)}
    return said


def _compute(point: dict[str, Any]) -> None:
    from naga.run.life import run

    folders = point["folders"]
    import_from(folders)
    task = inherited.get("task") or _load_task(point)
    if stray := imported_from(folders):
        raise SnapshotError(
            f"{first_of(stray)} was not imported from the code of the sweep",
            hint="--code current lets each point import what it finds",
        )
    code = inherited.get("code") or _code_of(point)
    about = {"id": point["sweep"], "point": point["label"], "overrides": point["overrides"]}
    call = Call(argv=tuple(point["argv"]), task=point["task"], sweep=about, code=code)
    name_job(Path(point["script"]) if point["script"] else None, point["argv"])
    run(task.fn, task.declares, call)


def _code_of(point: dict[str, Any]) -> "CodeCapture | None":
    """Read the snapshot that all points share; None where each makes its own."""
    if point["code"] is None:
        return None
    from naga.capture.code.snapshot import CodeCapture

    entries = tuple(from_plain(Code, entry) for entry in point["code"])
    return CodeCapture(entries=entries, warnings=tuple(point["warnings"]), laid_out=point["folders"])


def _load_task(point: dict[str, Any]) -> Decorated[..., Any]:
    """Import the script, without its `if __name__ == "__main__"`, and find the task in it."""
    from naga.diagnose.batch.script import load_script

    script = Path(point["script"])
    found: Any = load_script(Path(moved(point["script"], point["folders"]) or script), argv=point["argv"])
    sys.argv = [point["script"], *point["argv"]]
    for name in point["function"].split("."):
        found = getattr(found, name)
    task: Decorated[..., Any] = found
    return task


def _silence() -> None:
    """Let a point print to its console.log alone: the screen belongs to the whole sweep."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    os.close(nowhere)


def words_of(overrides: tuple[str, ...], files: tuple[tuple[Path, str | None], ...], existing: str) -> tuple[str, ...]:
    """Return the words that compute a point alone."""
    named = [
        word for file, part in files for word in ("--config", str(file), *(("--experiment", part) if part else ()))
    ]
    return (*named, *(word for text in overrides for word in ("-o", text)), "--existing", existing)
