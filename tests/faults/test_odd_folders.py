"""A folder that somebody else made: links that lead out of it, fifos, devices and endless files where Naga's lie."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from workbench import some_record

from naga import runlock
from naga.cli import main
from naga.diagnose.diag_dir import DiagFolder
from naga.errors import DiagError, NagaError
from naga.layout import DIAG, diag_marks
from naga.record.final import write_final_lock
from naga.runs.metrics import note_failure
from naga.save_dir import heartbeat
from naga.save_dir.heartbeat import beating, filesystem_time

NAMES = ("run.lock", ".naga", ".naga/claims", ".naga/claims/first", ".naga/attempts", ".naga/heartbeat",
         ".naga/outputs.json", ".naga/inputs.json", ".naga/metrics.json", "console.log", "diag",
         ".naga/diag")  # fmt: skip
KINDS: dict[str, Callable[[Path], object]] = {
    "fifo": os.mkfifo,
    "endless": lambda path: path.symlink_to("/dev/zero"),
    "folder": Path.mkdir,
    "deep": lambda path: path.write_text("[" * 100_000),
    "empty": Path.touch,
    "loop": lambda path: path.symlink_to(path.name),
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of a run that failed, beside a good one; nothing waits longer than ten seconds."""
    monkeypatch.chdir(tmp_path)
    runlock(lambda cfg={"save_dir": "good"}: None)()
    with pytest.raises(ZeroDivisionError):
        runlock(lambda cfg={"save_dir": "run"}: 1 / 0)()
    signal.alarm(10)
    yield tmp_path / "run"
    signal.alarm(0)


def put(path: Path, make: Callable[[Path], object]) -> None:
    """Put something odd where a file or folder of Naga's is."""
    subprocess.run(["rm", "-rf", path], check=True)
    path.parent.mkdir(exist_ok=True, parents=True)
    make(path)


def outside(folder: Path) -> Path:
    """A folder that no run may write into."""
    (folder.parent / "outside").mkdir()
    return folder.parent / "outside"


@pytest.mark.parametrize("name", NAMES)
def test_a_new_attempt_writes_through_no_link(folder: Path, name: str) -> None:
    """It takes the folder or refuses it, and leaves nothing where the link leads."""
    there = outside(folder)
    put(folder / name, lambda path: path.symlink_to(there / ("" if "." not in name[1:] else "new")))
    try:
        runlock(lambda cfg={"save_dir": "run"}: None)()
    except NagaError as error:
        assert "\n" not in error.message
    assert list(there.iterdir()) == []


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_file_is_one_line_for_each_command(
    folder: Path, name: str, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """And the good run beside it is listed and verified all the same."""
    put(folder / name, KINDS[kind])
    for words in (["ls"], ["verify", "run", "good"], ["show", "run"], ["diff", "run", "good"],
                  ["status", "."], ["log", "run"]):  # fmt: skip
        assert main(words) in (0, 1, 2)
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        assert words[0] not in ("ls", "verify") or "good" in said.out
    try:
        runlock(lambda cfg={"save_dir": "run"}: None)()
    except NagaError as error:
        assert "\n" not in error.message


def test_no_sign_of_life_is_given_through_a_link(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a beat, nor the question what time it is there."""
    there = outside(folder)
    monkeypatch.setattr(heartbeat, "BEAT_S", 0.01)
    put(folder / ".naga/heartbeat", lambda path: path.symlink_to(there / "beat"))
    with beating(folder, lambda: True):
        time.sleep(0.1)
    put(folder / ".naga", lambda path: path.symlink_to(there))
    os.utime(there, (1, 1))
    with beating(folder, lambda: True):
        time.sleep(0.1)
    filesystem_time(folder)
    assert (list(there.iterdir()), there.stat().st_mtime) == ([], 1)


def test_the_end_of_a_superseded_run_is_put_through_no_link(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is stored elsewhere, as on a full disk, and that is said."""
    there = outside(folder)
    put(folder / ".naga/attempts", lambda path: path.symlink_to(there))
    write_final_lock(folder, some_record(), superseded=True)
    assert "is a link, and nothing is written through one" in capsys.readouterr().err
    assert list(there.iterdir()) == []


def test_a_failure_is_noted_through_no_link(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The note would lie in somebody else's folder."""
    there = outside(folder)
    put(folder / ".naga", lambda path: path.symlink_to(there))
    note_failure(folder, diag="d", tracking_uri="u", error="e")
    assert "is a link" in capsys.readouterr().err
    assert list(there.iterdir()) == []


@pytest.mark.parametrize("linked", [DIAG, ".naga/diag", ".naga"])
def test_a_diag_has_no_folder_behind_a_link(folder: Path, linked: str) -> None:
    """Neither its own, nor the mark that it is one."""
    there = outside(folder)
    put(folder / linked, lambda path: path.symlink_to(there))
    with pytest.raises(DiagError, match="is a link, and nothing is written through one"):
        DiagFolder(folder, lambda: 1).make()
    assert list(there.iterdir()) == []
    assert diag_marks(folder).is_symlink() or not list(diag_marks(folder).glob("*")) or linked == DIAG


PRINTING = """
import naga
@naga.runlock
def main(cfg={"save_dir": "run"}):
    print("computed")
main()
"""


@pytest.mark.parametrize("kind", ["fifo", "endless", "folder", "device"])
def test_a_log_that_is_no_file_costs_no_run(folder: Path, kind: str) -> None:
    """Output is not logged, and that is said in a line."""
    make = KINDS.get(kind, lambda path: os.mknod(path, 0o20666, os.makedev(1, 5)))
    try:
        put(folder / "console.log", make)
    except PermissionError:
        pytest.skip("devices are made by root alone")
    done = subprocess.run([sys.executable, "-c", PRINTING], capture_output=True, text=True, check=True, timeout=8)
    assert done.stdout == "computed\n"
    assert "output is not being logged" in done.stderr
    assert "status: finished" in (folder / "run.lock").read_text()
