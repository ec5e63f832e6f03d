import os
import subprocess
import sys
from pathlib import Path

import pytest
from blake3 import blake3

from naga.errors import DataError
from naga.hashing.file_reader import Reader
from naga.hashing.hash_tree import hash_listed, hash_path, list_path
from naga.hashing.listing import name_of, row_of

LARGE = 1 << 26  # hashed in another process


def digest_of(content: bytes) -> str:
    return f"blake3:{blake3(content).hexdigest()}"


@pytest.mark.parametrize("size", [1 << 20, (1 << 20) + 1, LARGE - 1, LARGE, 3 * LARGE + 7])
def test_sizes(tmp_path: Path, size: int) -> None:
    """Whatever the way in which a file of some size is read, its hash is that of its content."""
    with (tmp_path / "f").open("wb") as file:
        file.truncate(size)
        file.seek(size // 2)
        file.write(b"not only zeros")
    assert hash_path(tmp_path / "f").hash == digest_of((tmp_path / "f").read_bytes())
    assert hash_path(tmp_path).size_bytes == (tmp_path / "f").stat().st_size


@pytest.mark.parametrize("size", [10, 3 << 20, LARGE])
def test_changed_once_while_read(tmp_path: Path, size: int) -> None:
    """A file that another content replaces while it is read is read again, and known by what it then holds."""
    (tmp_path / "f").write_bytes(b"a" * size)
    listed = row_of(b"f", (tmp_path / "f").stat())
    opened: list[bytes] = []

    def open_and_change(name: bytes, flags: int) -> int:
        descriptor = os.open(tmp_path / os.fsdecode(name), flags)
        if not opened:
            (tmp_path / "f").write_bytes(b"b" * size)
        opened.append(name)
        return descriptor

    with Reader(lambda files, size_bytes: None) as reader:
        [(row, digest)] = reader.hash_rows([listed], open_and_change, shares=False)
    assert digest == blake3(b"b" * size).digest()
    assert name_of(row) == b"f"
    assert row == row_of(b"f", (tmp_path / "f").stat()) != listed


@pytest.mark.parametrize("inside", [True, False])
def test_changes_all_the_time(tmp_path: Path, inside: bool) -> None:
    """A file that never stays the same for long enough is named in an error."""
    path = tmp_path / "log"
    with path.open("wb") as file:
        file.truncate(300_000_000)
    program = "import sys\nwith open(sys.argv[1], 'ab', buffering=0) as file:\n    while True: file.write(b'x')"
    writer = subprocess.Popen([sys.executable, "-c", program, str(path)])
    try:
        while path.stat().st_size == 300_000_000:
            pass
        with pytest.raises(DataError, match=r"log.*it changes while it is read"):
            hash_path(tmp_path if inside else path)
    finally:
        writer.kill()
        writer.wait()


def test_changed_between_listing_and_reading(tmp_path: Path) -> None:
    """What was hashed in another state than it was listed in is named, and hashed as it is."""
    (tmp_path / "same").write_bytes(b"1")
    (tmp_path / "other").write_bytes(b"1")
    listed = list_path(tmp_path)
    (tmp_path / "other").write_bytes(b"22")
    tree = hash_listed(listed)
    assert tree.changed == (b"other",)
    assert tree.hash == hash_path(tmp_path).hash
    assert tree.size_bytes == 3


@pytest.mark.parametrize("what", ["file", "folder"])
def test_removed_between_listing_and_reading(tmp_path: Path, what: str) -> None:
    """What is gone when its turn comes is named."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "f").touch()
    listed = list_path(tmp_path)
    (tmp_path / "sub" / "f").unlink()
    if what == "folder":
        (tmp_path / "sub").rmdir()
    with pytest.raises(DataError, match=r"sub"):
        hash_listed(listed)


def test_nothing_is_read_in_vain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the first file that cannot be read the rest are only opened, and all that cannot are named."""
    for name in "abcd":
        (tmp_path / name).touch()
    listed, reads, real = list_path(tmp_path), [], os.read
    for name in "ac":
        (tmp_path / name).unlink()

    def count(descriptor: int, size: int) -> bytes:
        reads.append(descriptor)
        return real(descriptor, size)

    monkeypatch.setattr(os, "read", count)
    with pytest.raises(DataError, match=r"a \(it was removed meanwhile\), c \(it was removed meanwhile\)"):
        hash_listed(listed)
    assert reads == []


def test_fifo_in_the_place_of_a_file(tmp_path: Path) -> None:
    """A file that became a fifo since it was listed is not waited for."""
    (tmp_path / "f").touch()
    listed = list_path(tmp_path)
    (tmp_path / "f").unlink()
    os.mkfifo(tmp_path / "f")
    with pytest.raises(DataError, match="it became a fifo"):
        hash_listed(listed)


def test_hard_links_are_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten names of one file cost one reading, and hash like ten copies."""
    (tmp_path / "links").mkdir()
    (tmp_path / "copies").mkdir()
    (tmp_path / "links" / "0").write_bytes(b"content")
    for number in range(10):
        (tmp_path / "copies" / str(number)).write_bytes(b"content")
        if number:
            (tmp_path / "links" / str(number)).hardlink_to(tmp_path / "links" / "0")
    expected, reads, real = hash_path(tmp_path / "copies").hash, [], os.read

    def count(descriptor: int, size: int) -> bytes:
        reads.append(descriptor)
        return real(descriptor, size)

    monkeypatch.setattr(os, "read", count)
    assert hash_path(tmp_path / "links").hash == expected
    assert len(reads) == 1


def count_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_descriptors_are_closed(tmp_path: Path) -> None:
    """Neither a hash nor an error leaves a file open."""
    for number in range(200):
        (tmp_path / f"{number:03}").touch()
    hash_path(tmp_path)
    before = count_descriptors()
    hash_path(tmp_path, fresh=True)
    listed = list_path(tmp_path)
    (tmp_path / "100").unlink()
    with pytest.raises(DataError):
        hash_listed(listed)
    assert count_descriptors() == before


@pytest.mark.parametrize("what", ["sub", "sub/f", "sub/deep"])
def test_a_link_in_its_place_is_not_followed(tmp_path: Path, what: str) -> None:
    """What became a link since it was listed is named: where it leads was never asked for."""
    for top in ("data", "elsewhere"):
        (tmp_path / top / "sub/deep").mkdir(parents=True)
        for name in ("f", "sub/f", "sub/deep/f"):
            (tmp_path / top / name).write_text(top)
    listed = list_path(tmp_path / "data")
    (tmp_path / "data" / what).rename(tmp_path / "moved")
    (tmp_path / "data" / what).symlink_to(tmp_path / "elsewhere" / what)
    with pytest.raises(DataError, match=rf"{what} \("):
        hash_listed(listed, fresh=True)
