"""Ctrl-C while data is hashed: it ends at once, and leaves nothing behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

PROGRAM = """
import sys
from pathlib import Path
from naga.hashing.hash_tree import hash_path
print("began", flush=True)
hash_path(Path(sys.argv[1]))
"""


@pytest.mark.parametrize("files", [1, 2000])
def test_ctrl_c(tmp_path: Path, files: int) -> None:
    """One large file, hashed in another process, or many that are not: within a second all is over."""
    folder = tmp_path / "data"
    folder.mkdir()
    for number in range(files):
        (folder / str(number)).touch()
        os.truncate(folder / str(number), (1 << 38 if files == 1 else 1 << 25))
    running = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(folder)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert running.stdout
    assert running.stdout.readline() == "began\n"
    time.sleep(0.5)
    children = Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text().split()
    assert len(children) == (files == 1)
    began = time.monotonic()
    running.send_signal(signal.SIGINT)
    _, error = running.communicate(timeout=20)
    assert time.monotonic() - began < 5
    assert "KeyboardInterrupt" in error
    for child in children:
        with pytest.raises(ProcessLookupError):
            os.kill(int(child), 0)
    assert {path.name for path in Path(os.environ["NAGA_CACHE_DIR"]).iterdir()} == {"hashes-1.sqlite"}
    assert len(list(folder.iterdir())) == files


def test_killed(tmp_path: Path) -> None:
    """After SIGKILL the other process ends by itself."""
    path = tmp_path / "large"
    path.touch()
    os.truncate(path, 1 << 38)
    running = subprocess.Popen([sys.executable, "-c", PROGRAM, str(path)], stdout=subprocess.PIPE, text=True)
    assert running.stdout
    assert running.stdout.readline() == "began\n"
    time.sleep(0.5)
    [child] = Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text().split()
    running.kill()
    running.communicate()
    until = time.monotonic() + 10
    while Path(f"/proc/{child}").exists() and "(zombie)" not in Path(f"/proc/{child}/status").read_text():
        assert time.monotonic() < until
        time.sleep(0.05)
