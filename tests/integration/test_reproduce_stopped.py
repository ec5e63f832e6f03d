"""Reproductions that are stopped, or that run out of room: one line, and nothing is left of them."""

import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from workbench import git

SCRIPT = """
import os, time
from pathlib import Path
from naga import clicfg, runlock, snapshot, track_data

@runlock
@snapshot
@track_data("raw")
@clicfg
def main(cfg={"save_dir": "results/run", "raw": "raw.txt"}):
    if Path(os.environ["WAITING"]).exists():
        Path(os.environ["WAITING"]).write_text(str(os.getpid()))
        time.sleep(60)
    Path(cfg["save_dir"], "large.txt").write_text("1\\n" * 200_000)
    return cfg

if __name__ == "__main__":
    main()
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A finished run, a folder for temporary files, and a file whose being there makes the run wait."""
    for name in ("project", "temporary"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "project")
    monkeypatch.setenv("WAITING", str(tmp_path / "waiting"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    monkeypatch.setattr(tempfile, "tempdir", None)
    Path("exp.py").write_text(SCRIPT)
    Path("raw.txt").write_bytes(b"1" * 300_000)
    Path(".gitignore").write_text("results/\nraw.txt\n")
    git("init", "-q", cwd=Path())
    git("add", "-A", cwd=Path())
    git("commit", "-qm", "Begin", cwd=Path())
    subprocess.run([sys.executable, "exp.py"], check=True, capture_output=True)
    return tmp_path


def files() -> dict[str, bytes]:
    """Give the bytes of all that is there."""
    return {str(file): file.read_bytes() for file in Path().rglob("*") if file.is_file()}


def command(*words: str) -> list[str]:
    """Name the command."""
    return [str(Path(sys.executable).with_name("naga")), "reproduce", "results/run", "--format", "json", *words]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("phase", ["restoring", "running", "comparing"])
def test_a_signal_in_each_phase(phase: str, number: signal.Signals, place: Path) -> None:
    """The process of the run ends, too; what was begun is removed, and the original is as it was."""
    waiting = place / "waiting"
    if phase == "running":
        waiting.touch()
    before = files()
    Path("new").mkdir()
    with subprocess.Popen(
        command("--to", "new/deep/run"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        assert process.stderr
        said = ""
        while f"naga: {phase}" not in said:
            said += process.stderr.readline()
        while phase == "running" and not waiting.read_text():
            time.sleep(0.02)
        process.send_signal(number)
        printed, said = process.communicate(timeout=60)
    if process.returncode == 0 and phase == "comparing":
        pytest.skip("it was faster")
    assert process.returncode == (130 if number == signal.SIGINT else -signal.SIGTERM)
    assert len(said.strip().splitlines()) == 1, said
    if number == signal.SIGINT:
        assert json.loads(printed)["verdict"] == "not restored"
    assert files() == before
    assert list(Path("new").iterdir()) == []
    assert list((place / "temporary").iterdir()) == []
    if phase == "running":
        with pytest.raises(ProcessLookupError):
            os.kill(int(waiting.read_text()), 0)


@pytest.mark.parametrize("most", [1000, 200_000, 350_000], ids=["code", "inputs", "outputs"])
def test_no_room(most: int, place: Path) -> None:
    """Files may be only so large, as on a full disk: it is not restored, and says so in one line."""
    Path("exp.py").write_text(SCRIPT)
    before = files()

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))

    done = subprocess.run(
        command(),
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=limit,
        env={**os.environ, "NAGA_CONSOLE": "off"},
    )
    said = json.loads(done.stdout)
    assert (done.returncode, said["verdict"]) == (2, "not restored"), said
    assert any("File too large" in reason for reason in said["not_restored"]), said
    assert files() == before
    assert list((place / "temporary").iterdir()) == []
