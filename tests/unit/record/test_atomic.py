import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from naga.record.atomic import write_atomic


def test_new_file(tmp_path: Path) -> None:
    """A file that was not there holds the bytes, and nothing else is in the folder."""
    write_atomic(tmp_path / "a", b"\x00new")
    assert (tmp_path / "a").read_bytes() == b"\x00new"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a"]


def test_replaces_whole(tmp_path: Path) -> None:
    """A shorter content leaves nothing of a longer one, and who has the old file open keeps reading the old."""
    path = tmp_path / "a"
    path.write_bytes(b"long old content")
    with path.open("rb") as reader:
        write_atomic(path, b"new")
        assert reader.read() == b"long old content"
    assert path.read_bytes() == b"new"


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_umask(tmp_path: Path, umask: int) -> None:
    """The mode is what `open` would have given."""
    former = os.umask(umask)
    try:
        write_atomic(tmp_path / "a", b"")
    finally:
        os.umask(former)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o666 & ~umask


def test_longest_name(tmp_path: Path) -> None:
    """A name of 255 bytes leaves no room for a suffix, and needs none."""
    path = tmp_path / ("n" * 255)
    write_atomic(path, b"x")
    assert path.read_bytes() == b"x"


def test_failure_leaves_nothing(tmp_path: Path) -> None:
    """What could not take the name is removed, and what had it stays."""
    (tmp_path / "a").mkdir()
    with pytest.raises(IsADirectoryError):
        write_atomic(tmp_path / "a", b"x")
    assert [entry.name for entry in tmp_path.iterdir()] == ["a"]


def test_ctrl_c_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while the disk is busy leaves the old file and no other."""

    def interrupt(descriptor: int) -> None:
        raise KeyboardInterrupt

    (tmp_path / "a").write_bytes(b"old")
    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_atomic(tmp_path / "a", b"new")
    assert [entry.name for entry in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_bytes() == b"old"


@pytest.mark.parametrize(("code", "raises"), [(errno.EINVAL, False), (errno.EIO, True)])
def test_folder_sync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, raises: bool) -> None:
    """A filesystem that cannot sync folders is accepted; a disk that fails is reported."""
    real, folder = os.fsync, tmp_path.stat().st_ino

    def fsync(descriptor: int) -> None:
        if os.fstat(descriptor).st_ino == folder:
            raise OSError(code, os.strerror(code))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    if raises:
        with pytest.raises(OSError, match=os.strerror(code)):
            write_atomic(tmp_path / "a", b"new")
    else:
        write_atomic(tmp_path / "a", b"new")
    assert (tmp_path / "a").read_bytes() == b"new"


def test_killed_writer(tmp_path: Path) -> None:
    """SIGKILL at any moment leaves one of the two contents, whole."""
    path = tmp_path / "a"
    path.write_bytes(b"A" * 1_000_000)
    program = (
        "import sys; from pathlib import Path; from naga.record.atomic import write_atomic\n"
        "while True:\n    for letter in b'AB':\n        write_atomic(Path(sys.argv[1]), bytes([letter]) * 1_000_000)"
    )
    for _ in range(3):
        writer = subprocess.Popen([sys.executable, "-c", program, str(path)])
        time.sleep(0.3)
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        content = path.read_bytes()
        assert content in (b"A" * 1_000_000, b"B" * 1_000_000)


def test_all_bytes_are_with_the_system_before_it_is_asked_to_write_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sync of a file whose last bytes are still in the process would say too much."""
    sizes = []
    real = os.fsync

    def seen(descriptor: int) -> None:
        sizes.append(os.fstat(descriptor).st_size)
        real(descriptor)

    monkeypatch.setattr(os, "fsync", seen)
    write_atomic(tmp_path / "a", b"12345")
    assert sizes[0] == 5
