import os
import pty
import subprocess
import sys

import pytest

HASHING = """
import sys, threading, time
from naga.hashing import progress
progress._AFTER_S = float(sys.argv[1])

def hash():
    with progress.Progress("hashing data [raw]", 2, 1_000_000) as bar:
        bar.advance(1, 400_000)
        time.sleep(0.2)
        bar.advance(1, 600_000)

if sys.argv[2] == "thread":
    thread = threading.Thread(target=hash)
    thread.start()
    thread.join()
else:
    hash()
print("rich" in sys.modules)
"""


def watch(after_s: float, where: str = "main", **environment: str) -> tuple[str, str]:
    """Run the program on a terminal; return what it wrote to stdout and to the terminal."""
    ours, theirs = pty.openpty()
    try:
        done = subprocess.run(
            [sys.executable, "-c", HASHING, str(after_s), where],
            stdout=subprocess.PIPE,
            stderr=theirs,
            text=True,
            check=True,
            env={**os.environ, "TERM": "xterm", "COLUMNS": "150", **environment},
        )
        os.write(theirs, b"|")  # so that there is something to read
        shown = b""
        while not shown.endswith(b"|"):
            shown += os.read(ours, 100_000)
        return done.stdout, shown.decode()
    finally:
        os.close(ours)
        os.close(theirs)


@pytest.fixture(autouse=True)
def no_job(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever tests within a job wants the same answers."""
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)


def test_bar() -> None:
    """What takes longer is shown: what, how many files, how much, and how fast; afterwards the line is empty."""
    imported, shown = watch(-1)
    assert imported == "True\n"
    for word in ("hashing data [raw]", "1 of 2 files", "2 of 2 files", "1.0/1.0 MB"):
        assert word in shown
    assert shown.endswith("\x1b[2K|")


def test_quick() -> None:
    """What is done within a second shows nothing, and does not import what would."""
    assert watch(1) == ("False\n", "|")


@pytest.mark.parametrize(("where", "environment"), [("main", {"SLURM_JOB_ID": "1"}), ("thread", {})])
def test_silent(where: str, environment: dict[str, str]) -> None:
    """In a job, and beside a function that may use the terminal, nothing is shown."""
    assert watch(-1, where, **environment) == ("False\n", "|")


def test_not_a_terminal() -> None:
    """A log gets no bar."""
    done = subprocess.run([sys.executable, "-c", HASHING, "-1", "main"], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("False\n", "")
