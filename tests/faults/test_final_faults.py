"""Faults at every system call of the final lock: the run.lock is the old one or the new one, and nothing is lost."""

import ctypes
import multiprocessing
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from workbench import check_table

import naga.run.end
import naga.run.life
from naga import load_run, runlock
from naga.record.final import put_back_all

FORK = multiprocessing.get_context("fork")  # a child that has imported everything
CALLS = ("mkdir", "openat", "write", "fsync", "rename", "close")
FAULTS = {
    "SIGKILL": "signal=KILL:when={}",
    "ENOSPC": "error=ENOSPC:when={}",
    "ENOSPC from then on": "error=ENOSPC:when={}+",
    "EIO": "error=EIO:when={}",
    "EIO from then on": "error=EIO:when={}+",
}
needs_strace = pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")


def task(cfg: Any = {"save_dir": ""}) -> None:  # noqa: B006
    Path(cfg["save_dir"], "model").write_text("1")


def _end_under_strace(save_dir: Path, step: str) -> None:
    """Run a task; a step of its ending, `end` or the `write_final_lock` within, waits for the tracer."""
    os.chdir(save_dir.parent)
    with (save_dir.parent / "stderr").open("w") as file:
        os.dup2(file.fileno(), 2)
    sys.stderr = os.fdopen(os.dup(2), "w")
    module = naga.run.life if step == "end" else naga.run.end
    real = getattr(module, step)

    def traced(*words: Any, **more: Any) -> None:
        ctypes.CDLL(None).prctl(0x59616D61, ctypes.c_ulong(-1))  # PR_SET_PTRACER, PR_SET_PTRACER_ANY
        Path("ready").touch()
        while not Path("go").exists():
            time.sleep(0.002)
        real(*words, **more)

    setattr(module, step, traced)  # in this child alone
    runlock(task)({"save_dir": str(save_dir)})
    os._exit(0)


def _strike(folder: Path, step: str, call: str, fault: str, number: int) -> tuple[bool, int | None]:
    """Let one fault happen; tell whether it did, and how the process ended."""
    folder.mkdir()
    child = FORK.Process(target=_end_under_strace, args=(folder / "run", step))
    child.start()
    while not (folder / "ready").exists() and child.is_alive():
        time.sleep(0.002)
    log, pid = folder / "strace", str(child.pid)
    inject = ("-e", f"trace={call}", "-e", f"inject={call}:{FAULTS[fault].format(number)}")
    with subprocess.Popen(["strace", "-qq", "-o", log, *inject, "-p", pid]) as strace:
        while "TracerPid:\t0\n" in Path(f"/proc/{pid}/status").read_text():
            assert strace.poll() is None, "strace cannot trace"
            time.sleep(0.002)
        time.sleep(0.02)  # from the first attachment to the first call that is traced
        (folder / "go").touch()
        child.join()
    struck = "INJECTED" in log.read_text() or (fault == "SIGKILL" and child.exitcode == -9)
    return struck, child.exitcode


def _check(folder: Path, call: str, fault: str, code: int | None) -> str:
    """Hold what a fault may leave; give the status that the lock has."""
    said, run = (folder / "stderr").read_text(), load_run(folder / "run")
    assert run.record.status in ("running", "finished")
    if fault == "SIGKILL":
        assert code == -9
        return run.status
    assert code == 0
    if run.record.status == "running" and call != "write":
        assert "status: finished" in said
    if run.record.status == "running" and not fault.endswith("on"):
        assert [line for line in put_back_all() if run.run_id in line and "put back" in line]
        assert load_run(folder / "run").status == "finished"
        return "lost, then put back"
    if run.record.is_being_hashed and not fault.endswith("on"):
        assert [line for line in put_back_all() if run.run_id in line and "put back" in line]
        assert (outputs := load_run(folder / "run").record.outputs)
        assert outputs.hash
        return "finished, its outputs put back"
    if run.record.status == "finished":
        assert not [line for line in put_back_all() if "put back" in line]
    return run.status


def _points(
    folder: Path, step: str, calls: tuple[str, ...], faults: tuple[str, ...], most: int
) -> dict[str, list[str]]:
    """Strike each call in turn until there is none left to strike; what was left, by call and fault."""
    folder.mkdir()
    runlock(task)({"save_dir": str(folder / "first")})  # imports what the children shall not have to
    left: dict[str, list[str]] = {}
    for call in calls:
        for fault in faults:
            for number in range(1, most + 1):
                place = folder / f"{call} {fault} {number}"
                struck, code = _strike(place, step, call, fault, number)
                if not struck:
                    assert load_run(place / "run").status == "finished"
                    break
                left.setdefault(f"{call}, {fault}", []).append(_check(place, call, fault, code))
    return left


@needs_strace
def test_a_fault_tears_no_lock(tmp_path: Path) -> None:
    """The first write, fsync, rename and mkdir fail, or the process is killed there."""
    left = _points(
        tmp_path / "few", "write_final_lock", ("write", "fsync", "rename"), ("SIGKILL", "ENOSPC", "EIO from then on"), 1
    )
    assert sum(map(len, left.values())) == 9
    assert left["rename, ENOSPC"] == ["finished, its outputs put back"]
    assert left["write, SIGKILL"] == ["finished"]


@needs_strace
@pytest.mark.stress
@pytest.mark.timeout(1800)
def test_no_fault_tears_a_lock(tmp_path: Path) -> None:
    """Each call after the function fails or is the last, in every way; at least 75 points."""
    left = _points(tmp_path / "all", "end", CALLS, tuple(FAULTS), 100)
    assert sum(map(len, left.values())) >= 75
    _write_table(left)


def test_temporary_files_are_swept(tmp_path: Path) -> None:
    """What a killed writer left goes with the next attempt."""

    def broken(cfg: Any = {"save_dir": str(tmp_path / "run")}) -> None:  # noqa: B006
        raise ValueError

    with pytest.raises(ValueError):
        runlock(broken)()
    left = [tmp_path / "run" / ".naga-00ff.tmp", tmp_path / "run" / ".naga" / ".naga-11ee.tmp"]
    for file in left:
        file.touch()
    runlock(task)({"save_dir": str(tmp_path / "run")})
    assert not any(file.exists() for file in left)


HEAD = ["System call", "Fault", "Points", "What the lock says"]


def _write_table(left: dict[str, list[str]]) -> None:
    rows = []
    for name, statuses in left.items():
        call, _, fault = name.partition(", ")
        rows.append([f"`{call}`", fault, str(len(statuses)), ", or ".join(sorted(set(statuses)))])
    check_table("faults", lambda _: [HEAD, *rows])
