import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from blake3 import blake3

from naga.errors import DataError
from naga.hashing.hash_tree import hash_path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Make a small folder with one of each."""
    root = tmp_path / "data"
    (root / "sub" / "empty").mkdir(parents=True)
    (root / "a.csv").write_bytes(b"a")
    (root / "b.csv").write_bytes(b"b")
    (root / "sub" / "none").write_bytes(b"")
    (root / "sub" / "link").symlink_to("../a.csv")
    return root


def swap(root: Path) -> None:
    (root / "a.csv").write_bytes(b"b")
    (root / "b.csv").write_bytes(b"a")


def folder_to_file(root: Path) -> None:
    (root / "sub" / "empty").rmdir()
    (root / "sub" / "empty").touch()


def link_elsewhere(root: Path) -> None:
    (root / "sub" / "link").unlink()
    (root / "sub" / "link").symlink_to("../b.csv")


def link_to_file(root: Path) -> None:
    (root / "sub" / "link").unlink()
    (root / "sub" / "link").write_text("../a.csv")


CHANGES: dict[str, Callable[[Path], object]] = {
    "content": lambda root: (root / "a.csv").write_bytes(b"c"),
    "swap": swap,
    "rename": lambda root: (root / "a.csv").rename(root / "c.csv"),
    "rename folder": lambda root: (root / "sub").rename(root / "other"),
    "move": lambda root: (root / "a.csv").rename(root / "sub" / "a.csv"),
    "empty file": lambda root: (root / "new").touch(),
    "empty folder": lambda root: (root / "new").mkdir(),
    "empty folder gone": lambda root: (root / "sub" / "empty").rmdir(),
    "empty folder to file": folder_to_file,
    "link elsewhere": link_elsewhere,
    "link to file": link_to_file,
    "removed": lambda root: (root / "b.csv").unlink(),
}


@pytest.mark.parametrize("change", CHANGES)
def test_changes(folder: Path, change: str) -> None:
    """Whatever differs in content, names or structure gives another hash."""
    before = hash_path(folder).hash
    CHANGES[change](folder)
    assert hash_path(folder).hash != before


def test_indifferent(folder: Path, tmp_path: Path) -> None:
    """Mode, times, place and order of creation do not count."""
    before = hash_path(folder).hash
    (folder / "a.csv").chmod(0o400)
    os.utime(folder / "a.csv", (1, 1))
    shutil.copytree(folder, tmp_path / "copy", symlinks=True)
    assert hash_path(folder).hash == before == hash_path(tmp_path / "copy").hash


def test_file(tmp_path: Path) -> None:
    """A file's hash is BLAKE3 of its content, whatever its size."""
    for size in (0, 1, 1 << 20, (1 << 22) + 7):
        content = os.urandom(size)
        (tmp_path / "f").write_bytes(content)
        tree = hash_path(tmp_path / "f")
        assert tree.hash == f"blake3:{blake3(content).hexdigest()}"
        assert (tree.kind, tree.size_bytes, tree.files) == ("file", size, 1)


def test_link_to_what_is_hashed(folder: Path, tmp_path: Path) -> None:
    """A path that is a link stands for what it leads to."""
    (tmp_path / "to_file").symlink_to(folder / "a.csv")
    (tmp_path / "to_folder").symlink_to(folder)
    assert hash_path(tmp_path / "to_file") == hash_path(folder / "a.csv")
    assert hash_path(tmp_path / "to_folder") == hash_path(folder)


def test_entries(folder: Path) -> None:
    """Every file, link and empty folder is listed with its size and hash."""
    listed = {entry.path: (entry.kind, entry.size_bytes) for entry in hash_path(folder).entries()}
    assert listed == {
        "a.csv": ("file", 1),
        "b.csv": ("file", 1),
        "sub/none": ("file", 0),
        "sub/link": ("link", 0),
        "sub/empty": ("folder", 0),
    }
    hashes = {entry.path: entry.hash for entry in hash_path(folder).entries()}
    assert hashes["a.csv"] == hash_path(folder / "a.csv").hash
    assert hashes["sub/empty"] == hash_path(folder / "sub" / "empty").hash


def test_links_that_lead_nowhere(tmp_path: Path) -> None:
    """Dangling and cyclic links are recorded, not followed."""
    (tmp_path / "dangling").symlink_to("nothing")
    (tmp_path / "cycle").symlink_to(".")
    (tmp_path / "self").symlink_to("self")
    assert {entry.path: entry.kind for entry in hash_path(tmp_path).entries()} == {
        "dangling": "link",
        "cycle": "link",
        "self": "link",
    }


@pytest.mark.timeout(5)
@pytest.mark.parametrize("inside", [True, False])
@pytest.mark.parametrize("kind", ["fifo", "socket", "character device"])
def test_special(tmp_path: Path, kind: str, inside: bool) -> None:
    """What has no content is reported at once, and never waited for."""
    path = tmp_path / "odd"
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as one:
            one.bind(str(path))
    else:
        try:
            os.mknod(path, 0o020666, os.makedev(1, 3))
        except PermissionError:
            pytest.skip("only root makes devices")
    with pytest.raises(DataError, match=kind):
        hash_path(tmp_path if inside else path)


def test_missing(tmp_path: Path) -> None:
    """Nothing there is an error that names the path."""
    with pytest.raises(DataError, match=r"no file or folder '.*/nothing'"):
        hash_path(tmp_path / "nothing")


def test_unusual_names(tmp_path: Path) -> None:
    """Names that are not UTF-8, or differ only in case, are names like any other."""
    for name in (b"caf\xe9", b"Data", b"data", b"new\nline"):
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).write_bytes(name)
    tree = hash_path(tmp_path)
    assert {os.fsencode(entry.path) for entry in tree.entries()} == {b"caf\xe9", b"Data", b"data", b"new\nline"}


def test_ignore(folder: Path) -> None:
    """What a pattern leaves out does not count, nor does a folder that holds nothing else."""
    before = hash_path(folder, ignore=["*.pyc", "cache/"]).hash
    assert before == hash_path(folder).hash
    (folder / "sub" / "x.pyc").touch()
    (folder / "deep" / "__pycache__").mkdir(parents=True)
    (folder / "deep" / "__pycache__" / "y.pyc").touch()
    (folder / "cache").mkdir()
    (folder / "cache" / "z").touch()
    assert hash_path(folder, ignore=["*.pyc", "cache/"]).hash == before
    assert hash_path(folder, ignore=["*.pyc"]).hash != before


def test_very_deep(tmp_path: Path) -> None:
    """5,000 levels are as good as one."""
    descriptor = os.open(tmp_path, os.O_RDONLY)
    for _ in range(5000):
        os.mkdir("deep", dir_fd=descriptor)
        deeper = os.open("deep", os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = deeper
    os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=descriptor))
    os.close(descriptor)
    try:
        tree = hash_path(tmp_path)
        assert [entry.path for entry in tree.entries()] == ["deep/" * 5000 + "file"]
    finally:
        os.system(f"rm -rf '{tmp_path}/deep'")  # pytest's own cleaning recurses


def test_removed_while_it_is_listed(tmp_path: Path) -> None:
    """Of files that go while their folder is read, those count that are still there."""
    for name in "abc":
        (tmp_path / name).touch()

    def first_come(path: bytes, mode: int) -> bool:
        for other in {b"a", b"b", b"c"} - {path}:
            (tmp_path / os.fsdecode(other)).unlink(missing_ok=True)
        return False

    assert hash_path(tmp_path, leave_out=first_come).files == 1


def test_few_folders_are_open_at_once(tmp_path: Path) -> None:
    """A folder of many folders is listed with a handful of descriptors."""
    for number in range(200):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "f").touch()
    most = 0

    def count(path: bytes, mode: int) -> bool:
        nonlocal most
        most = max(most, len(os.listdir("/proc/self/fd")))
        return False

    before = len(os.listdir("/proc/self/fd"))
    assert hash_path(tmp_path, leave_out=count).files == 200
    assert most < before + 50
