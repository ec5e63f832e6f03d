"""The cache of hashes, broken in every way: that costs time, and never gives a wrong hash."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from naga.cache_dir import cache_folder
from naga.hashing import cache as hash_cache
from naga.hashing.hash_tree import hash_path

TRUSTING = "from naga.hashing import cache; cache._QUIET_NS = 20_000_000"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a folder that is remembered."""
    monkeypatch.setattr(hash_cache, "_QUIET_NS", -(10**12))
    root = tmp_path / "data"
    root.mkdir()
    for number in range(50):
        (root / str(number)).write_text(str(number))
    hash_path(root)
    assert hash_path(root).source == "cached"
    return root


def database_file() -> Path:
    return cache_folder() / "hashes-1.sqlite"


def garbage(file: Path) -> None:
    file.write_bytes(random.Random(1).randbytes(20_000))


def torn(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def empty(file: Path) -> None:
    file.write_bytes(b"")


def missing(file: Path) -> None:
    file.unlink()


def a_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def other_table(file: Path) -> None:
    file.unlink()
    database = sqlite3.connect(file)
    database.execute("CREATE TABLE blocks (a, b)")
    database.close()


def stale_journal(file: Path) -> None:
    file.with_name(f"{file.name}-journal").write_bytes(random.Random(2).randbytes(5_000))


@pytest.mark.parametrize("damage", [garbage, torn, empty, missing, a_folder, other_table, stale_journal])
def test_damaged(folder: Path, damage: Callable[[Path], None]) -> None:
    """A damaged file gives the true hash, and where it can be, it is mended by the next."""
    expected = hash_path(folder, fresh=True).hash
    damage(database_file())
    assert hash_path(folder).hash == expected
    assert hash_path(folder).hash == expected
    if damage not in (a_folder, other_table):
        assert hash_path(folder).source == "cached"


def test_every_damaged_byte(folder: Path) -> None:
    """Whatever byte of the file is another, the hash is true."""
    expected = hash_path(folder, fresh=True).hash
    intact = database_file().read_bytes()
    for place in random.Random(3).sample(range(len(intact)), 300):
        damaged = bytearray(intact)
        damaged[place] ^= 1 << place % 8
        database_file().write_bytes(damaged)
        assert hash_path(folder).hash == expected


@pytest.mark.parametrize("lock", ["BEGIN IMMEDIATE", "BEGIN EXCLUSIVE"])
def test_locked(folder: Path, monkeypatch: pytest.MonkeyPatch, lock: str) -> None:
    """A cache that another process keeps for itself is done without, after a while."""
    monkeypatch.setattr(hash_cache, "_PATIENCE_S", 0.2)
    (folder / "new").touch()
    database = sqlite3.connect(database_file(), isolation_level=None)
    database.execute(lock)
    began = time.monotonic()
    tree = hash_path(folder)
    assert time.monotonic() - began < 10
    assert database_file().exists()  # busy, not broken
    database.close()
    assert tree.hash == hash_path(folder, fresh=True).hash


@pytest.mark.parametrize("what", ["file", "folder", "no folder", "in a file"])
def test_not_writable(folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, what: str) -> None:
    """A cache that cannot be written is read, or done without."""
    (folder / "new").touch()
    expected = hash_path(folder).hash
    (folder / "newer").touch()
    cache = cache_folder()
    if what == "no folder":
        monkeypatch.setenv("NAGA_CACHE_DIR", "/proc/nothing")
    elif what == "in a file":
        (tmp_path / "file").touch()
        monkeypatch.setenv("NAGA_CACHE_DIR", str(tmp_path / "file" / "cache"))
    else:
        (database_file() if what == "file" else cache).chmod(0o500 if what == "folder" else 0o400)
    try:
        (folder / "newer").unlink()
        assert hash_path(folder).hash == expected
    finally:
        cache.chmod(0o700)


def test_full_disk(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache that cannot grow stays what it was."""
    expected = hash_path(folder).hash
    connect = hash_cache._connect

    def small() -> sqlite3.Connection | None:
        database = connect()
        if database:
            database.execute("PRAGMA max_page_count = 1")
        return database

    monkeypatch.setattr(hash_cache, "_connect", small)
    for number in range(3000):
        (folder / f"new{number:04}").touch()
    grown = hash_path(folder).hash
    assert grown == hash_path(folder, fresh=True).hash != expected


def hash_with_kills(folder: Path, workers: int, rounds: int) -> None:
    """Hash a folder in several processes at once, kill some of them, change some files; again and again."""
    program = f"{TRUSTING}\nimport sys; from pathlib import Path; from naga.hashing.hash_tree import hash_path\n"
    program += "for _ in range(3): print(hash_path(Path(sys.argv[1])).hash, flush=True)"
    chance = random.Random(4)
    for _ in range(rounds):
        for path in chance.sample(sorted(folder.rglob("*.bin")), 20):
            path.write_bytes(chance.randbytes(100))
        time.sleep(0.05)  # longer than what the workers call quiet
        expected = hash_path(folder, fresh=True).hash
        running = [
            subprocess.Popen([sys.executable, "-c", program, str(folder)], stdout=subprocess.PIPE, text=True)
            for _ in range(workers)
        ]
        for worker in running[::2]:
            time.sleep(chance.uniform(0, 0.3))
            worker.send_signal(signal.SIGKILL)
        for worker in running:
            out, _ = worker.communicate()
            assert set(out.split()) <= {expected}
        for worker in running[1::2]:
            assert worker.returncode == 0


def fill(folder: Path, files: int) -> None:
    for number in range(files):
        path = folder / f"{number % 10}" / f"{number}.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(number.to_bytes(4) * 25)


def test_killed_processes(tmp_path: Path) -> None:
    """Processes that share a cache and are killed at any moment never give a wrong hash."""
    fill(tmp_path / "data", 500)
    hash_with_kills(tmp_path / "data", workers=4, rounds=3)


@pytest.mark.stress
def test_many_killed_processes(tmp_path: Path) -> None:
    """The same, with eight processes and 10,000 files."""
    fill(tmp_path / "data", 10_000)
    hash_with_kills(tmp_path / "data", workers=8, rounds=30)


@pytest.fixture
def coarse(tmp_path: Path) -> Iterator[Path]:
    """Mount a filesystem whose timestamps are whole seconds."""
    image, place = tmp_path / "image", tmp_path / "mounted"
    place.mkdir()
    image.touch()
    os.truncate(image, 8 << 20)
    commands = (f"mkfs.ext4 -q -F -I 128 {image}", f"mount -o loop {image} {place}")
    for command in commands:
        try:
            subprocess.run(command.split(), check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError) as error:
            pytest.skip(f"this machine cannot mount a filesystem with timestamps of 1 s: {error}")
    yield place
    subprocess.run(["umount", place], check=True)


def test_timestamps_of_a_second(coarse: Path) -> None:
    """A change that leaves size and timestamps as they were is seen: nothing so recent was believed."""
    path = coarse / "data"
    for number in range(30):
        path.write_bytes(b"a%05d" % number)
        first, state = hash_path(path), path.stat()
        path.write_bytes(b"b%05d" % number)
        second = hash_path(path)
        assert first.hash != second.hash
        if path.stat().st_ctime_ns == state.st_ctime_ns:
            break
    else:
        pytest.fail("no two writes fell into one second: this shows nothing")


def test_timestamps_of_a_second_when_believed(coarse: Path) -> None:
    """What was believed there, after a while, is not when it has changed."""
    path = coarse / "data"
    path.write_bytes(b"a")
    time.sleep(hash_cache._QUIET_NS / 1e9 + 1.1)
    assert [hash_path(path).source for _ in range(2)] == ["fresh", "cached"]
    status = path.stat()
    path.write_bytes(b"b")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert hash_path(path).source == "fresh"
