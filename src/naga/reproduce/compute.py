"""Computing a run again in a process of its own, without standard input, which ends with this one."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from naga.capture.environment import variables_for
from naga.capture.packages import installed_packages
from naga.layout import LOCK_NAME
from naga.paths import relocated
from naga.record.schema import Process
from naga.reproduce.restore import NotRestoredError, Restored, at_its_place
from naga.reproduce.start import Start, start_of
from naga.runs.find import Run


def compute(run: Run, restored: Restored, place: Path, folder: Path, python: str = "") -> list[str]:
    """Run the task, with its script started as before where possible; return remarks on how it ran."""
    start = _start(run.record.process, restored, folder / "code", [code.path for code in run.record.code])
    order: dict[str, Any] = {
        "lock": str(run.lock_path),
        "lock_hash": run.lock_hash,
        "was": str(run.save_dir),
        "save_dir": str(place),
        "moved": {run.record.save_dir: str(place), str(run.save_dir): str(place)} | dict(restored.moved),
        "folders": dict(restored.folders),
        "module": start.module,
        "argv": start.argv,
    }
    recorded = run.record.environment.variables if run.record.environment else {}
    said: list[str] = []
    for as_main in [True, False] if start.script or start.module else [False]:
        order |= {"as_main": as_main, "script": start.script if as_main else str(restored.script)}
        code, lines = _ran([python or sys.executable, *start.options], order, recorded, restored.cwd, folder)
        if (place / LOCK_NAME).exists():
            return [*said, *(lines[-1:] if code else [])]
        own = [line.removeprefix("naga: ") for line in lines if line.startswith("naga: ")]
        last = (own or lines or [f"its process ended with {code}"])[-1]
        said = [f"the task was called by itself, since its script did not come to that: {last}"]
    lacking = [] if python else _not_installed(run)
    raise NotRestoredError(f"run: {last}", reasons=[f"run: {last}", *lacking])


def _not_installed(run: Run) -> list[str]:
    """Name the packages that the run had and this environment, in which it does not start, lacks."""
    here = {name.lower() for name, _ in installed_packages()}
    packages = run.record.environment.packages if run.record.environment else {}
    lacking = {name: version for name, version in packages.items() if name.lower() not in here}
    return [f"environment: {name} {version} is not installed here" for name, version in lacking.items()]


def _start(process: Process, restored: Restored, top: Path, tops: Sequence[str]) -> Start:
    if not restored.folders:  # today's code, where it is
        return start_of(process.argv, restored.cwd.joinpath, tops)

    def place_of(word: str) -> Path:
        return at_its_place(top, os.path.join(process.cwd, word))  # noqa: PTH118  # an absolute one stays what it is

    return start_of(process.argv, place_of, [*restored.folders.values()])


def own_place(folder: Path) -> Path:
    """Return a folder that holds this Naga, which is to run, and nothing from beside it."""
    only = folder / "naga"
    only.mkdir(exist_ok=True)
    with suppress(FileExistsError):
        (only / "naga").symlink_to(Path(__file__).resolve().parents[1])
    return only


def _ran(
    python: list[str], order: dict[str, Any], recorded: Mapping[str, str], cwd: Path, folder: Path
) -> tuple[int, list[str]]:
    """Start the process; return its exit code, and the lines of its stderr."""
    written, error, only = folder / "order.json", folder / "stderr", own_place(folder)
    was = recorded.get("PYTHONPATH", "")
    python_path = os.pathsep.join(relocated(was.split(os.pathsep), order["folders"])) if was else ""
    # Other tasks, called by the script or in the run, write no run elsewhere than beside this one.
    within = os.pathsep.join(map(os.path.realpath, (folder, order["save_dir"])))
    variables = variables_for(recorded) | {"NAGA_SNAPSHOT": "on", "NAGA_REPRODUCES": within}
    if (bin_ := Path(python[0]).parent).is_relative_to(folder):  # as if the environment that was made were activated
        variables = {name: value for name, value in variables.items() if name != "VIRTUAL_ENV"}
        variables["PATH"] = f"{bin_}{os.pathsep}{variables.get('PATH', os.defpath)}"
    variables["PYTHONPATH"] = os.pathsep.join(filter(None, (python_path, str(only))))
    written.write_text(json.dumps(order | {"python_path": python_path}), encoding="utf-8")
    # -P: nothing of the laid-out code stands in for a module of Python's.
    words = [*python, "-P", "-m", "naga.reproduce.child", str(written)]
    with error.open("wb") as stderr:
        code = _wait(words, variables, cwd, stderr)
    return code, error.read_text(errors="replace").strip().splitlines()


def _wait(words: list[str], variables: Mapping[str, str], cwd: Path, stderr: Any) -> int:
    """Run a process in a session of its own, which Ctrl-C does not reach, and which ends with this process."""
    with subprocess.Popen(
        words, cwd=cwd, env=variables, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=stderr,
        start_new_session=True,
    ) as process:  # fmt: skip
        try:
            return process.wait()
        except BaseException:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise
