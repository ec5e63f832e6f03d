import os
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from blake3 import blake3

from naga.hashing import large_file
from naga.hashing.hash_tree import hash_path
from naga.hashing.large_file import WINDOW, OtherProcess


@pytest.fixture
def other() -> Iterator[OtherProcess]:
    """Give a other, and stop its process."""
    other = OtherProcess()
    yield other
    other.close()


@pytest.fixture
def sparse(tmp_path: Path) -> Iterator[tuple[Path, int]]:
    """Make a file of five windows of zeros, and open it."""
    path = tmp_path / "sparse"
    path.touch()
    os.truncate(path, 5 * WINDOW)
    descriptor = os.open(path, os.O_RDONLY)
    yield path, descriptor
    os.close(descriptor)


def test_several_files(tmp_path: Path, other: OtherProcess) -> None:
    """One process hashes one file after the other, and says how far it is."""
    for size in (0, 1, WINDOW, WINDOW + 1):
        path = tmp_path / str(size)
        path.touch()
        os.truncate(path, size)
        done: list[int] = []
        with path.open("rb") as file:
            assert other.hash(file.fileno(), size, done.append) == blake3(bytes(size)).digest()
        assert sum(done) == size


def test_file_that_shrinks(sparse: tuple[Path, int], other: OtherProcess) -> None:
    """A file that shrinks under its map kills the other process alone, and the next file gets a new one."""
    path, descriptor = sparse
    assert other.hash(descriptor, 5 * WINDOW, lambda _: os.truncate(path, 1)) is None
    assert other.hash(descriptor, 1, lambda _: None) == blake3(b"\0").digest()


def test_killed(sparse: tuple[Path, int], other: OtherProcess) -> None:
    """A process that is killed from outside gives no digest, and no wrong one."""
    _, descriptor = sparse
    assert other.hash(descriptor, 5 * WINDOW, lambda _: os.kill(other._child, 9)) is None


@pytest.mark.parametrize("executable", ["", "/usr/bin/embedding", "/nowhere/python"])
def test_no_interpreter_to_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, other: OtherProcess, executable: str
) -> None:
    """Embedded in another program, the file is read in this process."""
    monkeypatch.setattr(sys, "executable", executable)
    path = tmp_path / "f"
    path.touch()
    os.truncate(path, 1 << 26)
    with path.open("rb") as file:
        assert other.hash(file.fileno(), 1 << 26, lambda _: None) is None
    assert hash_path(path).hash == f"blake3:{blake3(bytes(1 << 26)).hexdigest()}"


def test_nothing_stays(sparse: tuple[Path, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """After a large file neither a process nor a thread is left."""
    children: list[int] = []
    start = large_file._start

    def start_and_note() -> tuple[socket.socket, int]:
        channel, child = start()
        children.append(child)
        return channel, child

    monkeypatch.setattr(large_file, "_start", start_and_note)
    threads = len(list(Path("/proc/self/task").iterdir()))
    hash_path(sparse[0])
    assert len(children) == 1
    with pytest.raises(ProcessLookupError):
        os.kill(children[0], 0)
    assert len(list(Path("/proc/self/task").iterdir())) == threads
    assert threading.active_count() <= threads
