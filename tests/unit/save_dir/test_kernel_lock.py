"""The lock of a run's claim: held once, given up once, and never another file's."""

import os
import time
from pathlib import Path

import pytest

from naga.save_dir.kernel_lock import hold, is_held, let_go


@pytest.fixture
def locked(tmp_path: Path) -> tuple[Path, int]:
    """A file that this process holds the lock of, and its descriptor."""
    file = tmp_path / "claim"
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
    hold(descriptor)
    assert is_held(file)
    return file, descriptor


def test_given_up_once(locked: tuple[Path, int]) -> None:
    """A second time the number may be another file's, which stays open."""
    file, descriptor = locked
    let_go(descriptor)
    assert not is_held(file)
    other = os.open(file, os.O_RDONLY)
    assert other == descriptor
    let_go(descriptor)
    os.close(other)  # an error, if it was closed


def test_closed_by_the_function(locked: tuple[Path, int]) -> None:
    """What it did not open it may have closed: whatever has the number by then is left alone, and nothing fails."""
    file, descriptor = locked
    os.close(descriptor)
    assert not is_held(file)
    other = os.open(file.with_name("other"), os.O_RDWR | os.O_CREAT, 0o600)
    assert other == descriptor
    let_go(descriptor)
    os.close(other)
    hold(again := os.open(file, os.O_RDWR))
    os.close(again)
    let_go(again)


def test_a_child_has_no_share(locked: tuple[Path, int]) -> None:
    """One that outlives the run, as a daemon does, does not take the folder for ever."""
    file, descriptor = locked
    reads, writes = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(writes)
        os.read(reads, 1)  # until the parent is done
        os._exit(0)
    os.close(reads)
    try:
        assert is_held(file)
        os.close(descriptor)  # as the end of the process does, without unlocking
        deadline = time.monotonic() + 30
        while is_held(file):  # until the child has come to close its own
            assert time.monotonic() < deadline
    finally:
        os.close(writes)
        os.waitpid(pid, 0)


def test_what_is_no_file_is_not_held(tmp_path: Path) -> None:
    """Neither is a file that is not there, nor a link to one that is held."""
    assert not is_held(tmp_path / "none")
    descriptor = os.open(tmp_path / "claim", os.O_RDWR | os.O_CREAT, 0o600)
    hold(descriptor)
    (tmp_path / "link").symlink_to("claim")
    assert not is_held(tmp_path / "link")
    let_go(descriptor)
