"""What a shell is offered."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from workbench import some_record

from naga.cli.completion import keys, runs
from naga.record.lockfile import write_lock


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two runs below the current folder."""
    monkeypatch.chdir(tmp_path)
    for name in "ab":
        Path("results", name).mkdir(parents=True)
        write_lock(
            Path("results", name), some_record(run_id=f"20260101T000000-{name * 8}", config={"optim": {"lr": 1}})
        )
    return tmp_path


def test_runs_and_keys(place: Path) -> None:
    """Folders and run_ids; of several keys, the last."""
    assert runs("results/") == ["results/a", "results/b"]
    assert runs("20260101T000000-b") == ["20260101T000000-bbbbbbbb"]
    assert keys("save_dir,config.o") == ["save_dir,config.optim.lr"]


def test_as_a_shell_asks(place: Path, tmp_path: Path) -> None:
    """By argcomplete's own protocol."""
    line = "naga show results/"
    asked = {
        "_ARGCOMPLETE": "1",
        "COMP_LINE": line,
        "COMP_POINT": str(len(line)),
        "_ARGCOMPLETE_STDOUT_FILENAME": "out",
    }
    program = str(Path(sys.executable).with_name("naga"))
    subprocess.run([program], env={**os.environ, **asked, "_ARGCOMPLETE_STDOUT_FILENAME": "out"}, check=False)
    assert Path("out").read_text().split() == ["results/a", "results/b"]
