"""An index of runs saves time, and never changes what is seen of them."""

import os
import sqlite3
import stat
from pathlib import Path

import pytest
from workbench import some_record

from naga.record import lockfile
from naga.record.lockfile import write_lock
from naga.record.schema import Record
from naga.runs import find, reader
from naga.runs.find import Run, each_run
from naga.runs.index import index_file, known_roots
from naga.runs.notes import change_tags, read_notes, set_note


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three runs that have long been there, and a cache folder of one's own."""
    monkeypatch.setenv("NAGA_CACHE_DIR", str(tmp_path / "cache"))
    root = tmp_path / "results"
    for name in "abc":
        (root / name).mkdir(parents=True)
        write_lock(root / name, some_record(run_id=f"20260101T000000-{name * 8}", config={"k": name}))
    monkeypatch.setattr("naga.runs.index._SETTLED_S", -1.0)
    return root


def _listed(root: Path) -> list[tuple[str, str, str]]:
    return [(run.run_id, run.status, run.summary.config["k"]) for run in each_run(root, archived=True)]


def _reads(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    read: list[Path] = []
    original = lockfile.read_hashed_lock

    def reading(path: Path) -> tuple[Record, str]:
        read.append(path)
        return original(path)

    monkeypatch.setattr(find, "read_hashed_lock", reading)
    monkeypatch.setattr(reader, "read_hashed_lock", reading)
    return read


def test_known_locks_are_not_read_again(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second time says the same without reading any; a record is read when it is asked for."""
    first, read = _listed(root), _reads(monkeypatch)
    assert _listed(root) == first
    assert read == []
    assert next(iter(each_run(root))).record.task == "exp.main"
    assert len(read) == 1


def test_whatever_changes_is_read_again(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another lock of the same size and time; metrics; tags; a folder that is gone."""
    _listed(root)
    lock = root / "a/run.lock"
    about = lock.stat()
    write_lock(root / "a", some_record(run_id="20260101T000000-aaaaaaaa", config={"k": "z"}))
    os.utime(lock, ns=(about.st_atime_ns, about.st_mtime_ns))
    assert lock.stat().st_size == about.st_size
    change_tags(root / "b", ["best"], [])
    for file in (root / "c").iterdir():
        file.unlink()
    runs = list(each_run(root, archived=True))
    assert [(run.summary.config["k"], run.tags) for run in runs] == [("z", ()), ("b", ("best",))]


def test_young_and_running_ones_are_not_believed(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock too coarse to see a change of the same moment must not hide it."""
    monkeypatch.setattr("naga.runs.index._SETTLED_S", 3.0)
    write_lock(root / "a", some_record(run_id="20260101T000000-aaaaaaaa", status="running", config={"k": "a"}))
    _listed(root)
    read = _reads(monkeypatch)
    _listed(root)
    assert len(read) == 3


@pytest.mark.parametrize("content", [b"", b"not a database", b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_broken_index_costs_only_time(root: Path, content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is made again."""
    first = _listed(root)
    index_file(str(root)).write_bytes(content)
    assert _listed(root) == first
    read = _reads(monkeypatch)
    assert _listed(root) == first
    assert read == []


def test_an_index_that_cannot_be_used(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Locked by another process, or in a folder that cannot be: it is done without."""
    first = _listed(root)
    with sqlite3.connect(index_file(str(root))) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert _listed(root) == first
    other.close()
    (tmp_path / "file").touch()
    monkeypatch.setenv("NAGA_CACHE_DIR", str(tmp_path / "file/below"))
    assert _listed(root) == first


def test_rows_of_another_form_are_nothing(root: Path) -> None:
    """A later Naga may write others."""
    first = _listed(root)
    with sqlite3.connect(index_file(str(root))) as database:
        database.execute("DROP TABLE folders")
        database.execute("PRAGMA user_version = 99")
    database.close()
    assert _listed(root) == _listed(root) == first


def test_it_is_the_users_own(root: Path) -> None:
    """Nobody else reads it; its root is known to those who look for runs everywhere."""
    _listed(root)
    assert stat.S_IMODE(index_file(str(root)).stat().st_mode) == 0o600
    assert list(known_roots()) == [root]


def test_what_is_gone_is_forgotten(root: Path) -> None:
    """Or the index of a folder that changes every day would grow for ever."""
    _listed(root)
    (root / "a/run.lock").unlink()
    _listed(root)
    with sqlite3.connect(index_file(str(root))) as database:
        assert database.execute("SELECT count(*) FROM folders WHERE row != x''").fetchone() == (2,)
    database.close()


def test_a_run_without_an_index(root: Path) -> None:
    """The same summary, from the record."""
    run = Run(root / "a")
    assert (run.run_id, run.status, run.metrics, run.tags, run.note) == (
        "20260101T000000-aaaaaaaa",
        "finished",
        {},
        (),
        "",
    )
    assert run == Run(root / "a", run.record)


def test_notes(root: Path) -> None:
    """Tags are sorted and each is there once; a note takes the place of the one before."""
    lock = (root / "a/run.lock").read_bytes()
    change_tags(root / "a", ["b", "a", "b"], ["c"])
    set_note(root / "a", "first")
    set_note(root / "a", "second: 'quoted'\nlines")
    change_tags(root / "a", [], ["b"])
    assert read_notes(root / "a") == type(read_notes(root / "a"))(("a",), "second: 'quoted'\nlines")
    assert (root / "a/run.lock").read_bytes() == lock


@pytest.mark.parametrize("content", [b"[", b"- 1", b"tags: 3", b"\xff", b"tags: {a: 1}"])
def test_odd_notes_are_none(root: Path, content: bytes) -> None:
    """Whoever wrote them, the run is still listed."""
    (root / "a/.naga").mkdir(exist_ok=True)
    (root / "a/.naga/notes.yaml").write_bytes(content)
    assert read_notes(root / "a").tags == ()
    assert len(_listed(root)) == 3
