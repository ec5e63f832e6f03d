"""Which process owns a run, and whether it still lives."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from naga.process import identity
from naga.process.identity import age_s, is_alive, is_here, name_job, started_ticks, this_process
from naga.record.schema import Process


@pytest.fixture
def other() -> Iterator["subprocess.Popen[bytes]"]:
    """A process that waits for its standard input to end."""
    with subprocess.Popen(
        [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        yield process
        process.kill()


def described(pid: int) -> Process:
    """That process, as it would describe itself."""
    return replace(this_process(), pid=pid, started_ticks=started_ticks(pid))


def test_a_process_lives_until_it_ends(other: "subprocess.Popen[bytes]") -> None:
    """A zombie, whose parent has not asked for it, owns nothing any more."""
    process = described(other.pid)
    assert is_alive(process) is True
    assert is_alive(replace(process, started_ticks=None)) is True
    other.kill()
    os.waitid(os.P_PID, other.pid, os.WEXITED | os.WNOWAIT)
    assert started_ticks(other.pid) is None
    assert is_alive(process) is False
    other.wait()
    assert is_alive(process) is False
    assert is_alive(replace(process, started_ticks=None)) is False


def test_another_process_of_the_same_number_is_another() -> None:
    """One that began at another time, before the machine was started, or of a number that none has."""
    mine = this_process()
    assert is_alive(mine) is True
    assert mine.started_ticks is not None
    assert is_alive(replace(mine, started_ticks=mine.started_ticks + 1)) is False
    assert is_alive(replace(mine, boot_id="another")) is False
    assert is_alive(replace(mine, boot_id=None)) is True
    for number in (0, -1, 2**80):
        assert is_alive(replace(mine, pid=number, started_ticks=None)) is False
    assert is_alive(replace(mine, pid=1, started_ticks=None)) is True


def test_where_it_cannot_be_known() -> None:
    """On another host, and in another container."""
    mine = this_process()
    assert is_alive(replace(mine, host="node17")) is None
    assert is_alive(replace(mine, pid_namespace="pid:[1]")) is None
    assert is_alive(replace(mine, pid_namespace=None)) is True
    assert is_here(mine)
    assert is_here(replace(mine, boot_id=None))
    assert not is_here(replace(mine, boot_id="another"))
    assert not is_here(replace(mine, host="node17"))


def test_how_long_ago_this_process_began(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the kernel; where that does not say, since Naga was imported."""
    began = float(subprocess.check_output(["ps", "-o", "etimes=", "-p", str(os.getpid())]))
    assert began - 2 < age_s() < began + 60
    monkeypatch.setattr(identity, "started_ticks", lambda pid: None)
    monkeypatch.setattr(identity, "_IMPORTED", time.monotonic() - 100)
    assert 100 <= age_s() < 160


def test_the_words_of_a_job(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that would start it alone; else what this process was started with, without its secrets."""
    assert this_process().argv == tuple(sys.orig_argv)
    monkeypatch.setattr(sys, "orig_argv", ["python", "exp.py", "password=tr0ub4dor"])
    assert this_process().argv == ("python", "exp.py", "password=<redacted>")
    name_job(Path("exp.py"), ["lr=1"])
    assert this_process().argv == (sys.executable, "exp.py", "lr=1")
    name_job(None, ["lr=1"])
    assert this_process().argv == ("python", "exp.py", "password=<redacted>")
