import os
import shutil
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from naga.cache_dir import cache_folder
from naga.errors import DataError
from naga.hashing import cache as hash_cache
from naga.hashing import hash_tree
from naga.hashing.hash_tree import hash_listed, hash_path, list_path
from naga.hashing.listing import row_of

QUIET_S = hash_cache._QUIET_NS / 1e9


@pytest.fixture
def trusting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the cache believe what was written just now, so that tests need not wait."""
    monkeypatch.setattr(hash_cache, "_QUIET_NS", -(10**12))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Make a folder with some files."""
    root = tmp_path / "data"
    (root / "sub").mkdir(parents=True)
    for name in ("a", "b", "sub/c", "sub/d"):
        (root / name).write_bytes(b"first")
    return root


def test_remembers(folder: Path, trusting: None) -> None:
    """What did not change is not read again, and has the same hash."""
    first, again = hash_path(folder), hash_path(folder)
    assert (first.source, again.source) == ("fresh", "cached")
    assert first.hash == again.hash
    assert list(first.entries()) == list(again.entries())


def test_single_file(folder: Path, trusting: None) -> None:
    """A file of its own is remembered, too."""
    assert [hash_path(folder / "a").source for _ in range(2)] == ["fresh", "cached"]


def test_reads_only_what_changed(folder: Path, trusting: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a folder with a new, a changed and a removed file, two are read."""
    hash_path(folder)
    (folder / "a").write_bytes(b"other")
    (folder / "new").touch()
    (folder / "b").unlink()
    reads, real = [], os.read

    def count(descriptor: int, size: int) -> bytes:
        reads.append(descriptor)
        return real(descriptor, size)

    monkeypatch.setattr(os, "read", count)
    tree = hash_path(folder)
    assert len(reads) == 2
    assert tree.hash == hash_path(folder, fresh=True).hash


def test_fresh(folder: Path, trusting: None) -> None:
    """A fresh hash believes nothing, and mends what is remembered."""
    hash_path(folder)
    with sqlite3.connect(cache_folder() / "hashes-1.sqlite") as database:
        key, false = (os.fsencode(folder), 0), b"\1" * 64
        [(rows,)] = database.execute("SELECT rows FROM blocks WHERE path = ? AND start = ?", key)
        seal = hash_cache._checksum(key, rows, false)
        database.execute("UPDATE blocks SET digests = ?, seal = ? WHERE path = ? AND start = ?", (false, seal, *key))
    database.close()
    true = hash_path(folder, fresh=True)
    assert true.source == "fresh"
    assert hash_path(folder).hash == true.hash


def rewrite(path: Path) -> None:
    path.write_bytes(b"other")


def rewrite_in_place(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(b"other")


def replace(path: Path) -> None:
    shutil.copy2(path, path.with_name("new"))
    rewrite(path.with_name("new"))
    path.with_name("new").replace(path)


def replace_folder(path: Path) -> None:
    shutil.copytree(path.parent, path.parent.with_name("new"))
    rewrite(path.parent.with_name("new") / path.name)
    shutil.rmtree(path.parent)
    path.parent.with_name("new").rename(path.parent)


def swap(path: Path) -> None:
    rewrite(path.with_name("d"))
    path.rename(path.with_name("x"))
    path.with_name("d").rename(path)
    path.with_name("x").rename(path.with_name("d"))


@pytest.mark.parametrize("restore", [True, False])
@pytest.mark.parametrize("change", [rewrite, rewrite_in_place, replace, replace_folder, swap])
def test_never_stale(folder: Path, trusting: None, change: Callable[[Path], None], restore: bool) -> None:
    """The same size, an old mtime, another inode: no such change goes unseen."""
    path = folder / "sub" / "c"
    status = path.stat()
    before = hash_path(folder).hash
    time.sleep(0.02)  # a tick of the clock that files are stamped by
    change(path)
    if restore:
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    after = hash_path(folder)
    assert after.hash != before
    assert after.hash == hash_path(folder, fresh=True).hash


def test_recent_files_are_not_believed(folder: Path) -> None:
    """A file that was touched just before it was hashed is read again; one that was left alone is not."""
    hash_path(folder)
    assert hash_path(folder).source == "fresh"
    time.sleep(QUIET_S + 0.1)
    assert hash_path(folder).source == "fresh"
    assert hash_path(folder).source == "cached"


def test_file_from_the_future(folder: Path, trusting: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file whose time is still to come is never believed."""
    monkeypatch.setattr(hash_cache, "_QUIET_NS", 0)
    os.utime(folder / "a", (4e9, 4e9))
    hash_path(folder / "a")
    assert hash_path(folder / "a").source == "fresh"


def test_other_patterns(folder: Path, trusting: None) -> None:
    """What is remembered of a folder serves it under other patterns."""
    hash_path(folder)
    tree = hash_path(folder, ignore=["b"])
    assert tree.source == "cached"
    assert tree.hash == hash_path(folder, ignore=["b"], fresh=True).hash


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"NAGA_CACHE_DIR": "/x"}, "/x"),
        ({"NAGA_CACHE_DIR": "~/x"}, "/home/me/x"),
        ({"XDG_CACHE_HOME": "/y"}, "/y/naga"),
        ({}, "/home/me/.cache/naga"),
    ],
)
def test_where(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], expected: str) -> None:
    """The variable of Naga decides, then that of the desktop, then the home."""
    for name in ("NAGA_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"HOME": "/home/me", **variables}.items():
        monkeypatch.setenv(name, value)
    assert cache_folder() == Path(expected)


def test_a_refused_hash_leaves_no_digests(folder: Path, trusting: None) -> None:
    """Where one file could not be read, the digests of the others stand for no file, and none is remembered."""
    listed = list_path(folder)
    (folder / "a").unlink()
    with pytest.raises(DataError):
        hash_listed(listed)
    (folder / "a").write_bytes(b"again")
    tree = hash_path(folder)
    assert tree.source == "fresh"
    assert tree.hash == hash_path(folder, fresh=True).hash


def test_blocks_of_a_wide_folder(folder: Path, trusting: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each block of a folder's files is remembered by its own place, and none is read again."""
    for number in range(5):
        (folder / f"wide{number}").write_text(str(number))
    expected = hash_path(folder, fresh=True).hash
    monkeypatch.setattr(hash_tree, "_BLOCK", 2)
    assert hash_path(folder, fresh=True).hash == expected
    reads, real = [], os.read

    def count(descriptor: int, size: int) -> bytes:
        reads.append(descriptor)
        return real(descriptor, size)

    monkeypatch.setattr(os, "read", count)
    assert hash_path(folder).hash == expected
    assert reads == []


def test_quiet_before_the_hash_began(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hash that takes long does not make a file believed that was touched just before it."""
    monkeypatch.setattr(hash_cache, "_QUIET_NS", 200_000_000)
    (folder / "a").touch()
    key, row = (os.fsencode(folder), 0), row_of(b"a", (folder / "a").stat())
    with hash_cache.HashCache(fresh=False) as cache:
        time.sleep(0.4)
        cache.keep(key, [row], [bytes(32)])
    with hash_cache.HashCache(fresh=False) as cache:
        assert cache.known(key, [row]) == [None]
        cache.keep(key, [row], [bytes(32)])
    with hash_cache.HashCache(fresh=False) as cache:
        assert cache.known(key, [row]) == [bytes(32)]
