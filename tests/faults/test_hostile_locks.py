"""Whatever a run.lock holds, every reader gives a value or one line; nothing is run, resolved or waited for."""

import contextlib
import io
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from faults.hostile_locks import GOOD, corpus

import naga
from naga.cli import main as command
from naga.errors import NagaError
from naga.record.lockfile import read_lock


def readers(folder: Path) -> dict[str, Callable[[], Any]]:
    """Name everything that reads a run.lock."""
    from naga.diagnose.target import target_of

    task = naga.clicfg(naga.runlock(lambda cfg={"save_dir": "results/run", "lr": 0.0}: cfg))
    stage = naga.load_stage("stage")(lambda cfg={"stage": str(folder)}: cfg)
    options: dict[str, Any] = {"run_lock_path": None, "log_file_path": None, "allow_unfinished": True, "upgrade": None}
    return {
        "read_lock": lambda: read_lock(folder),
        "load_run": lambda: (naga.load_run(folder).status, naga.load_run(folder).config),
        "find_runs": lambda: [run.status for run in naga.find_runs(folder)],
        "ls": lambda: command(["ls", str(folder)]),
        "json": lambda: command(["ls", str(folder), "--format", "json"]),
        "show": lambda: command(["show", str(folder)]),
        "--reuse": lambda: task.cli(["--reuse", str(folder)]),
        "load_stage": stage,
        "subject": lambda: target_of(lambda cfg: None, folder, **options),
    }


def outcome(read: Callable[[], Any]) -> str:
    """Tell what a reader makes of it; anything but a value or one line is an exception here."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        try:
            read()
        except NagaError as error:
            assert "\n" not in error.message
            return "refused"
        except SystemExit as error:
            assert error.code == 2
            return "refused"
    assert "Traceback" not in said.getvalue()
    assert "\x1b[2J" not in said.getvalue()
    return "read"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for a hostile lock, which is not the current one."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run").mkdir()
    return tmp_path / "run"


@pytest.mark.parametrize("every", [40, pytest.param(1, marks=pytest.mark.stress)])
def test_2000_hostile_locks(folder: Path, every: int) -> None:
    """Every one through `read_lock`, and what it reads, with some or all of what it refuses, through all others."""
    reading = readers(folder)
    seen: dict[str, int] = {"read": 0, "refused": 0}
    for number, content in enumerate(corpus()):
        (folder / "run.lock").write_bytes(content)
        began = time.monotonic()
        first = outcome(reading["read_lock"])
        seen[first] += 1
        for name in reading if first == "read" or number % every == 0 else ():
            try:
                outcome(reading[name])
            except BaseException as error:
                raise AssertionError(f"{name} of number {number}: {content[:2000]!r}") from error
        assert time.monotonic() - began < 5 * len(reading), number
    assert sum(seen.values()) == 2000
    assert min(seen.values()) > 100, seen
    assert os.listdir(folder.parent) == ["run"]  # nothing was run
    (folder / "run.lock").write_text(GOOD.replace("plain", '"${oc.env:HOME}"'))
    assert naga.load_run(folder).config.note == "${oc.env:HOME}"
