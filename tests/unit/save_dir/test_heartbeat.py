"""Whether the owner of a folder lives, seen from its own host and from others."""

import os
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from naga import load_run
from naga.errors import ClaimError
from naga.process.identity import this_process
from naga.record.final import write_final_lock
from naga.record.lockfile import read_lock, write_lock
from naga.record.schema import Process, Record
from naga.save_dir import heartbeat
from naga.save_dir.claim import claim_folder
from naga.save_dir.heartbeat import STALE_S, beating, filesystem_time, is_living

ELSEWHERE = replace(this_process(), host="node17", pid=1)


def leave(folder: Path, run_id: str = "one", process: Process = ELSEWHERE) -> Record:
    """Leave a run that says running, as its owner on another host would."""
    started = "2026-01-01T00:00:00.000Z"
    record = Record(run_id=run_id, status="running", task="t", save_dir="s", started=started, process=process)
    claim_folder(folder, run_id, process).release()
    write_lock(folder, record)
    return record


def age(folder: Path, seconds: float) -> None:
    """Let a folder's files be as old as that."""
    for file in [folder / "run.lock", *(folder / ".naga").rglob("*")]:
        os.utime(file, (time.time() - seconds,) * 2)


OTHERS = {
    "another host": ELSEWHERE,
    "another container": replace(this_process(), pid=1, pid_namespace="pid:[1]"),
    "another host of this name, or this one before it was booted": replace(this_process(), boot_id="another"),
}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
def test_a_run_of_another_host_lives_while_it_gives_signs(tmp_path: Path, other: Process) -> None:
    """Where no one can see the process: running, then lost and free to be tried again."""
    folder = tmp_path / "run"
    leave(folder, process=other)
    age(folder, STALE_S - 60)
    assert load_run(folder).status == "running"
    with pytest.raises(ClaimError, match="is in use by run one, which is still running"):
        claim_folder(folder, "two", this_process())
    age(folder, STALE_S + 60)
    assert load_run(folder).status == "lost"
    assert claim_folder(folder, "two", this_process()).attempt == 2


def test_a_beat_keeps_a_run_alive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every so often, until the run ends; then the file goes."""
    monkeypatch.setattr(heartbeat, "BEAT_S", 0.01)
    folder = tmp_path / "run"
    leave(folder)
    age(folder, STALE_S + 60)
    with beating(folder, lambda: True):
        (beats,) = [thread for thread in threading.enumerate() if thread.name == "naga-heartbeat"]
        assert beats.daemon, "a process would never end while it beats"
        deadline = time.monotonic() + 30
        while not is_living(folder, "one", ELSEWHERE):
            assert time.monotonic() < deadline
        first = (folder / ".naga" / "heartbeat").stat().st_mtime_ns
        while (folder / ".naga" / "heartbeat").stat().st_mtime_ns == first:
            assert time.monotonic() < deadline
    assert not (folder / ".naga" / "heartbeat").exists()
    assert "naga-heartbeat" not in [thread.name for thread in threading.enumerate()]


def test_a_claim_trusts_the_clock_of_the_filesystem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host whose clock is an hour ahead takes nobody's folder."""
    folder = tmp_path / "run"
    leave(folder)
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + 3600)
    with pytest.raises(ClaimError):
        claim_folder(folder, "two", this_process())
    assert not list((folder / ".naga").glob(".clock-*"))


def test_a_run_that_lost_its_folder_does_not_take_it_back(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """One that was suspended until another host took over: its last word goes to the attempts."""
    folder = tmp_path / "run"
    first = leave(folder)
    age(folder, STALE_S + 60)
    claim_folder(folder, "two", this_process())
    # The clock of the host that took it over is a day behind.
    second = replace(first, run_id="two", attempt=2, started="2025-12-31T00:00:00.000Z", process=this_process())
    write_lock(folder, second)
    write_final_lock(folder, replace(first, status="finished"), superseded=True)
    assert read_lock(folder).run_id == "two"
    assert read_lock(folder / ".naga" / "attempts" / "0001-one.lock").status == "finished"
    assert "taken" in capfd.readouterr().err


def test_a_beat_ends_where_another_run_has_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """It would keep the successor's folder taken; and the end of the beats leaves the successor's file alone."""
    monkeypatch.setattr(heartbeat, "BEAT_S", 0.01)
    leave(tmp_path / "run")
    beat, mine = tmp_path / "run" / ".naga" / "heartbeat", [True]
    with beating(tmp_path / "run", lambda: mine[0]):
        deadline = time.monotonic() + 30
        while not beat.exists():
            assert time.monotonic() < deadline
        mine[0] = False
        while "taken" not in capfd.readouterr().err:
            assert time.monotonic() < deadline
        os.utime(beat, (1, 1))
        time.sleep(0.05)
    assert beat.stat().st_mtime == 1


def test_a_forked_child_ends_no_heartbeat(tmp_path: Path) -> None:
    """It leaves the function, too, while its parent goes on."""
    leave(tmp_path / "run")
    beat = tmp_path / "run" / ".naga" / "heartbeat"
    with beating(tmp_path / "run", lambda: True):
        beat.touch()
        child = os.fork()
        if child:
            os.waitpid(child, 0)
            assert beat.exists()
    if not child:
        os._exit(0)
    assert not beat.exists()


@pytest.mark.parametrize("sign", ["run.lock", ".naga/heartbeat", ".naga/claims/first"])
def test_each_file_is_a_sign_of_life(tmp_path: Path, sign: str) -> None:
    """The lock and the claim stand for the run until its first beat."""
    folder = tmp_path / "run"
    leave(folder)
    age(folder, STALE_S + 60)
    assert not is_living(folder, "one", ELSEWHERE)
    (folder / sign).touch()
    assert is_living(folder, "one", ELSEWHERE)


def test_a_beat_that_is_on_its_way_does_not_outlive_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its file would be a sign of life of a run that has ended."""
    monkeypatch.setattr(heartbeat, "BEAT_S", 0.01)
    leave(tmp_path)
    main, asked = threading.current_thread(), threading.Event()

    def slow() -> bool:
        if threading.current_thread() is not main:
            asked.set()
            time.sleep(0.3)
        return True

    with beating(tmp_path, slow):
        asked.wait()
    time.sleep(0.4)
    assert not (tmp_path / ".naga" / "heartbeat").exists()


def test_a_refusal_says_when_a_run_of_another_host_was_last_seen(tmp_path: Path) -> None:
    """And how long it takes until it is taken for dead."""
    leave(tmp_path / "run")
    age(tmp_path / "run", 100)
    with pytest.raises(ClaimError, match=r"last seen 10\d s ago") as refused:
        claim_folder(tmp_path / "run", "two", this_process())
    assert "not seen for 300 s, it is taken for dead" in refused.value.hint


def test_the_time_of_a_folder_that_cannot_be_written_is_that_of_this_host(tmp_path: Path) -> None:
    """`naga ls` asks in folders of others, too."""
    (tmp_path / ".naga").touch()
    assert abs(filesystem_time(tmp_path) - time.time()) < 60


@pytest.mark.parametrize("other", ["a", "z"])
def test_the_lock_that_another_run_holds_is_no_sign_of_life(tmp_path: Path, other: str) -> None:
    """A run is dead whose successor lives in its folder."""
    claim = claim_folder(tmp_path, other, this_process())
    assert is_living(tmp_path, other, this_process())
    assert not is_living(tmp_path, "m", replace(this_process(), started_ticks=1))
    claim.release()
