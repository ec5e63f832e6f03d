"""A million files: neither the memory nor the number of open files grows with them as they please."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = r"""
import re, sys
from pathlib import Path
from naga.capture.data.inputs import capture_data, changed_inputs
from naga.declarations import Tracked

base = Path(sys.argv[1])
given = {"x": "data"}, [Tracked(keys=("x",))], base
data = capture_data(*given, manifest_dir=base / ".naga")
assert changed_inputs(data, *given) == ()
# What `getrusage` says includes the memory of who started this process.
[peak] = re.findall(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
print(data["x"].files, int(peak) * 1024)
"""


def capture(base: Path) -> tuple[int, int]:
    """Capture ``data`` in a process of its own; return the number of files and the most memory it had."""
    done = subprocess.run([sys.executable, "-c", PROGRAM, str(base)], capture_output=True, text=True, check=True)
    files, memory = done.stdout.split()
    return int(files), int(memory)


def fill(folder: Path, files: int) -> None:
    folder.mkdir(parents=True)
    descriptor = os.open(folder, os.O_RDONLY)
    for number in range(files):
        os.close(os.open(f"some_ordinary_name_{number:07}.bin", os.O_CREAT | os.O_WRONLY, dir_fd=descriptor))
    os.close(descriptor)


@pytest.mark.stress
@pytest.mark.parametrize("folders", [1, 1000])
def test_memory(tmp_path: Path, folders: int) -> None:
    """Captured, listed and looked at again in less than 500 MB."""
    for number in range(folders):
        fill(tmp_path / "data" / f"{number:04}", 1_000_000 // folders)
    files, memory = capture(tmp_path)
    assert files == 1_000_000
    assert memory < 500e6


def test_memory_of_some(tmp_path: Path) -> None:
    """The same, scaled down to what every run of the tests can afford: a few hundred bytes for a file."""
    fill(tmp_path / "few", 1)
    (tmp_path / "few").rename(tmp_path / "data")
    _, before = capture(tmp_path)
    (tmp_path / "data").rename(tmp_path / "few")
    fill(tmp_path / "data", 20_000)
    files, after = capture(tmp_path)
    assert files == 20_000
    assert after - before < 20_000 * 600
