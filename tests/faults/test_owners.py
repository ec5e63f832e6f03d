"""Runs that are stopped, superseded or killed at the worst moment: no successor loses a file, no result is lost."""

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from naga import load_run, runlock
from naga.capture.data.inputs import capture_beside, capture_data
from naga.cli import main
from naga.compare.verify import verify
from naga.declarations import Tracked
from naga.errors import ClaimError
from naga.record import final
from naga.record.atomic import write_atomic
from naga.record.final import write_final_lock
from naga.record.lockfile import write_lock
from naga.record.schema import BEING_HASHED, Outputs
from naga.save_dir import kernel_lock

WAITING = """
import os, sys, time
from pathlib import Path
import naga
import naga.save_dir.heartbeat

naga.save_dir.heartbeat.BEAT_S = 0.05

@naga.runlock
@naga.clicfg
def main(cfg={"save_dir": "results/run", "name": "a"}):
    Path("started-" + cfg["name"]).touch()
    print(cfg["name"], "begins", flush=True)
    while not Path("go-" + cfg["name"]).exists():
        time.sleep(0.01)
    print(cfg["name"], "ends", flush=True)
    Path(cfg["save_dir"], "result-" + cfg["name"]).touch()

if __name__ == "__main__":
    main()
"""
FOLDER = Path("results/run")


def wait_for(what: Path, text: str = "") -> None:
    """Wait until a file is there, and holds a text."""
    deadline = time.monotonic() + 60
    while not (what.exists() and (not text or text in what.read_text())):
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def start(project: Path) -> Iterator[Any]:
    """Start a run that waits until it may go on, and let none outlive the test."""
    (project / "waiting.py").write_text(WAITING)
    started = []

    def begin(name: str) -> "subprocess.Popen[str]":
        words = [sys.executable, "waiting.py", f"name={name}"]
        started.append(subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
        wait_for(Path(f"started-{name}"))
        return started[-1]

    yield begin
    for process in started:
        process.kill()
        process.communicate()


def seem_dead() -> None:
    """Let a run seem to be one of another host that has given no sign for ten minutes."""
    for file in (FOLDER / "run.lock", FOLDER / ".naga/claims/first"):
        file.write_text(file.read_text().replace(os.uname().nodename, "node17"))
    for file in (FOLDER / "run.lock", *(FOLDER / ".naga").rglob("*")):
        os.utime(file, (time.time() - 600,) * 2)


def test_a_stopped_run_keeps_its_folder_on_its_own_host(start: Any) -> None:
    """However long it has given no sign of life: the kernel knows that it lives."""
    process = start("a")
    process.send_signal(signal.SIGSTOP)
    for file in (FOLDER / "run.lock", *(FOLDER / ".naga").rglob("*")):
        os.utime(file, (1, 1))
    assert load_run(FOLDER).status == "running"
    with pytest.raises(ClaimError, match="is still running"):
        runlock(lambda cfg={"save_dir": str(FOLDER)}: None)()


def test_a_superseded_run_touches_nothing_of_its_successor_when_it_wakes(start: Any) -> None:
    """Not its lock, its heartbeat nor its list of outputs; its own end is recorded among the attempts."""
    first = start("a")
    first.send_signal(signal.SIGSTOP)
    run_id = load_run(FOLDER).run_id
    seem_dead()
    second = start("b")
    wait_for(FOLDER / ".naga/heartbeat")
    (FOLDER / ".naga/outputs.json").write_text("the successor's")
    wait_for(FOLDER / "console.log", "b begins\n")
    log = (FOLDER / "console.log").read_text()
    lock = (FOLDER / "run.lock").read_bytes()
    Path("go-a").touch()
    first.send_signal(signal.SIGCONT)
    assert "has taken" in first.communicate()[1]
    assert (FOLDER / "run.lock").read_bytes() == lock
    assert (FOLDER / ".naga/outputs.json").read_text() == "the successor's"
    assert (FOLDER / "console.log").read_text() == log
    assert (FOLDER / ".naga/heartbeat").exists()
    assert "status: finished" in (FOLDER / f".naga/attempts/0001-{run_id}.lock").read_text()
    Path("go-b").touch()
    assert second.wait() == 0
    assert load_run(FOLDER).record.attempt == 2
    assert not (FOLDER / ".naga/heartbeat").exists()


def test_a_run_that_wakes_after_its_folder_was_archived_finds_it_there(start: Any) -> None:
    """A third run has the name now, and knows nothing of the first."""
    first = start("a")
    first.send_signal(signal.SIGSTOP)
    run_id = load_run(FOLDER).run_id
    seem_dead()
    for name in "bc":
        Path(f"go-{name}").touch()
        assert start(name).wait() == 0
    Path("go-a").touch()
    first.send_signal(signal.SIGCONT)
    first.communicate()
    assert load_run(FOLDER).record.config["name"] == "c"
    assert not (FOLDER / ".naga/attempts").exists()
    (kept,) = Path("results/.archive").glob(f"run~*/.naga/attempts/0001-{run_id}.lock")
    assert "status: finished" in kept.read_text()


def test_a_run_that_was_superseded_before_it_began_does_not_compute(project: Path) -> None:
    """The capture may take hours, and the laptop may sleep meanwhile."""
    text = """
import naga, naga.run.begin
from pathlib import Path
real = naga.run.begin.capture_environment
def slow(*words, **more):
    claims = Path("results/run/.naga/claims")
    (claims / f"after-{naga.load_run('results/run').run_id}").write_text(
        (claims / "first").read_text().replace(naga.load_run("results/run").run_id, "two"))
    return real(*words, **more)
naga.run.begin.capture_environment = slow
@naga.runlock
def main(cfg={"save_dir": "results/run"}):
    print("computes")
main()
"""
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=False)
    assert "computes" not in done.stdout
    assert "was taken over by another run" in done.stderr


def test_a_run_that_was_superseded_while_it_hashed_its_inputs_lists_none(project: Path) -> None:
    """The list in the folder is its successor's."""
    for background in (True, False):
        listed = project / f"run-{background}" / ".naga" / "inputs.json"
        config, tracked = {"x": "data/raw.csv"}, [Tracked(keys=("x",), background=background)]
        for capture in (capture_data, lambda *given, **more: capture_beside(*given, **more).join()):
            capture(config, tracked, project, manifest_dir=listed.parent, may_write=lambda: False)
        assert not listed.exists()


HASHING = """
import os, signal, time
from pathlib import Path
import naga, naga.capture.data.outputs as outputs
real = outputs.hash_listed
def slow(*words, **more):
    Path("hashing").touch()
    {instead}
    return real(*words, **more)
outputs.hash_listed = slow
@naga.runlock
def main(cfg={{"save_dir": "results/run"}}):
    Path(cfg["save_dir"], "model").write_text("1")
main()
"""


def test_a_run_that_is_killed_while_its_outputs_are_hashed_is_finished(project: Path) -> None:
    """It says why they are not hashed, `verify` says so, and the next run of the name archives it."""
    text = HASHING.format(instead="os.kill(os.getpid(), signal.SIGKILL)")
    assert subprocess.run([sys.executable, "-c", text], check=False).returncode == -signal.SIGKILL
    run = load_run(FOLDER)
    assert (run.status, run.record.ended is not None) == ("finished", True)
    assert run.record.outputs
    assert run.record.outputs.reason
    assert f"naga hash --record '{run.save_dir}'" in verify(run)[0]
    assert main(["hash", "--record", str(FOLDER)]) == 0
    assert verify(load_run(FOLDER)) == ()
    runlock(lambda cfg={"save_dir": str(FOLDER)}: None)()
    assert len(list(Path("results/.archive").iterdir())) == 1


def test_ctrl_c_while_outputs_are_hashed_keeps_the_run_finished(project: Path) -> None:
    """Somebody does not want to wait for the hash: the function had returned."""
    text = HASHING.format(instead="os.kill(os.getpid(), signal.SIGINT)")
    subprocess.run([sys.executable, "-c", text], check=False, capture_output=True)
    record = load_run(FOLDER).record
    assert record.status == "finished"
    assert record.outputs
    assert record.outputs.reason == "not hashed: that was interrupted, or failed"


def test_while_outputs_are_hashed_the_folder_is_not_taken(project: Path) -> None:
    """The lock says finished, and the run still writes there."""
    text = HASHING.format(instead="\n    while not Path('go').exists(): time.sleep(0.01)")
    with subprocess.Popen([sys.executable, "-c", text]) as process:
        wait_for(project / "hashing")
        assert load_run(FOLDER).status == "finished"
        assert main(["hash", "--record", str(FOLDER)]) == 2
        with pytest.raises(ClaimError, match="still recording its outputs"):
            runlock(lambda cfg={"save_dir": str(FOLDER)}: None)()
        (project / "go").touch()
        assert process.wait() == 0
    assert verify(load_run(FOLDER)) == ()


@pytest.mark.parametrize("gone", ["folder", "claims"])
def test_a_folder_that_the_function_removed_gets_its_lock(project: Path, gone: str) -> None:
    """The whole folder, or Naga's own part of it."""
    text = f"""
import shutil, naga
@naga.runlock
def main(cfg={{"save_dir": "results/run"}}):
    shutil.rmtree(cfg["save_dir"] + {"''" if gone == "folder" else "'/.naga'"})
main()
"""
    subprocess.run([sys.executable, "-c", text], check=True)
    assert load_run(FOLDER).status == "finished"


@pytest.mark.parametrize(
    ("outputs", "warnings"), [(None, ()), (Outputs(reason=BEING_HASHED), ("spooled",))], ids=["final", "hashing"]
)
def test_a_lock_that_is_put_back_replaces_no_final_one(
    project: Path, monkeypatch: pytest.MonkeyPatch, outputs: Outputs | None, warnings: tuple[str, ...]
) -> None:
    """But one that was written before the outputs were hashed is completed."""
    runlock(lambda cfg={"save_dir": str(FOLDER)}: None)()
    record, real = load_run(FOLDER).record, write_atomic

    def full(path: Path, data: bytes) -> None:
        if path.name == "run.lock":
            raise OSError(errno.ENOSPC, "No space left on device")
        real(path, data)

    with monkeypatch.context() as patch:
        patch.setattr(final, "write_atomic", full)
        write_final_lock(FOLDER.absolute(), replace(record, warnings=("spooled",)))
    write_lock(FOLDER, replace(record, outputs=outputs or record.outputs))
    assert len(list(final.put_back_all())) == 1
    assert load_run(FOLDER).record.warnings == warnings


BROKEN_STREAM = "import sys; sys.stderr = type('Broken', (), {'write': lambda *_: 1 / 0, 'flush': lambda _: 1 / 0})()"
CLOSING = """
import os, naga
@naga.runlock
def main(cfg={"save_dir": "results/run"}):
    {body}
main()
"""


@pytest.mark.parametrize(
    "body",
    [
        "os.closerange(3, 256)",
        "os.closerange(0, 256)",
        "os.mkdir('gone'); os.chdir('gone'); os.rmdir('../gone')",
        BROKEN_STREAM,
    ],
)
def test_a_function_that_takes_its_process_apart_gets_its_lock(project: Path, body: str) -> None:
    """It closes what it did not open, or works in a folder that is gone: its run has finished."""
    done = subprocess.run([sys.executable, "-c", CLOSING.replace("{body}", body)], check=False, capture_output=True)
    code = 120 if body == BROKEN_STREAM else 0  # Python's own, of a stream that cannot be flushed
    assert (done.returncode, load_run(FOLDER).status) == (code, "finished"), done.stderr


def test_a_lock_that_was_closed_closes_no_other_file(tmp_path: Path) -> None:
    """Its number is another file's by then."""
    file = (tmp_path / "claim").open("wb")
    number = os.dup(file.fileno())
    kernel_lock.hold(number)
    os.close(number)
    other = os.open(tmp_path / "other", os.O_CREAT)
    assert other == number
    kernel_lock.let_go(number)
    os.close(other)
    file.close()
