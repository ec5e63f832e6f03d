"""An index of runs saves time, and never changes what is seen of them."""

import os
import shutil
import sqlite3
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from workbench import some_record

from naga.record import lockfile
from naga.record.lockfile import write_lock
from naga.record.schema import Record
from naga.runs import find, reader
from naga.runs.find import Run, each_run, look_for_runs
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
    """No one else reads it; its root is known to those who look for runs everywhere."""
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


def test_a_page_that_is_broken_is_found_while_rows_are_read(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file opens well; its rows do not read: it is removed, and made again."""
    for number in range(200):
        (root / f"d{number}").mkdir()
        write_lock(root / f"d{number}", some_record(run_id=f"r{number}", config={"k": "x" * 500}))
    first, file = _listed(root), index_file(str(root))
    content = bytearray(file.read_bytes())
    content[8192:40960] = b"\xff" * 32768
    file.write_bytes(content)
    assert _listed(root) == first
    read = _reads(monkeypatch)
    assert _listed(root) == first
    assert read == []


def test_a_row_that_was_damaged_is_not_believed(root: Path) -> None:
    """SQLite reads it without a word: its seal says so."""
    first = _listed(root)
    with sqlite3.connect(index_file(str(root))) as database:
        (row,) = database.execute("SELECT row FROM folders WHERE instr(row, x'2d6161616161')").fetchone()
        database.execute("UPDATE folders SET row = ? WHERE row = ?", (row.replace(b"finished", b"failed"), row))
    database.close()
    assert _listed(root) == first


@pytest.mark.timeout(20)
def test_a_locked_index_is_waited_for_once(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not for each of its rows."""
    monkeypatch.setattr("naga.runs.index._PATIENCE_S", 0.2)
    for number in range(100):
        (root / f"d{number}").mkdir()
        write_lock(root / f"d{number}", some_record(run_id=f"r{number}", config={"k": "x"}))
    first = _listed(root)
    with sqlite3.connect(index_file(str(root))) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        began = time.monotonic()
        assert _listed(root) == first
        assert time.monotonic() - began < 10
    other.close()


def test_the_age_is_that_before_the_reading(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lock that was young when it was looked at, and is read slowly, may have changed in between."""
    monkeypatch.setattr("naga.runs.index._SETTLED_S", 0.3)
    write_lock(root / "a", some_record(run_id="20260101T000000-aaaaaaaa", config={"k": "a"}))

    def slowly(path: Path) -> tuple[Record, str]:
        time.sleep(0.4)
        return lockfile.read_hashed_lock(path)

    with monkeypatch.context() as patched:
        patched.setattr(reader, "read_hashed_lock", slowly)
        first = _listed(root)
    read = _reads(monkeypatch)
    assert _listed(root) == first
    assert root / "a" in read


def test_two_processes_read_many(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other one from the end; what it could not read is looked at here, with what is wrong."""
    monkeypatch.setattr(reader, "_MANY", 2)
    (root / "b/run.lock").write_text("schema: [")
    (root / "d").mkdir()
    write_lock(root / "d", some_record(run_id="20260101T000000-dddddddd", status="running"))
    lines: list[bytes] = []
    beside = reader._beside

    @contextmanager
    def waited_for(folders: list[str]) -> Iterator[list[bytes]]:
        with beside(folders) as found:
            deadline = time.monotonic() + 30
            while len(found) < len(folders) and time.monotonic() < deadline:
                time.sleep(0.01)
            lines.extend(found)
            yield found

    monkeypatch.setattr(reader, "_beside", waited_for)
    found = list(look_for_runs(root))
    assert [type(one).__name__ for one in found] == ["Run", "LockError", "Run", "Run"]
    assert [line == b"\n" for line in lines] == [True, False, True, False]  # from d to a
    assert [run.run_id[-1] for run in found if isinstance(run, Run)] == ["a", "c", "d"]


def test_without_another_process(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where Python cannot be started a second time, this one reads all."""
    first = _listed(root)
    index_file(str(root)).unlink()
    monkeypatch.setattr(reader, "_MANY", 1)
    for program in ("/nowhere/python", "/bin/false"):
        monkeypatch.setattr("sys.executable", program)
        assert _listed(root) == first


def test_what_is_gone_is_forgotten_without_the_archive(root: Path) -> None:
    """A search that leaves the archive out says nothing of it."""
    (root / ".archive/old").mkdir(parents=True)
    write_lock(root / ".archive/old", some_record(run_id="20260101T000000-eeeeeeee", config={"k": "old"}))
    _listed(root)
    shutil.rmtree(root / "a")
    assert len(list(each_run(root))) == 2
    with sqlite3.connect(index_file(str(root))) as database:
        rows = database.execute("SELECT path FROM folders WHERE row != x''").fetchall()
    database.close()
    assert [Path(os.fsdecode(path)).name for (path,) in rows] == ["old", "b", "c"]


def test_the_kind_of_journal(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write-ahead log needs one host: elsewhere it is not used, also by a file that was made with one."""
    modes = []
    for is_local in (True, False):
        monkeypatch.setattr("naga.runs.index.is_local", lambda _, answer=is_local: answer)
        (root / f"new{is_local}").mkdir()
        write_lock(root / f"new{is_local}", some_record(run_id=f"r{is_local}", config={"k": "n"}))
        _listed(root)
        with sqlite3.connect(index_file(str(root))) as database:
            modes.append(database.execute("PRAGMA journal_mode").fetchone()[0])
        database.close()
    assert modes == ["wal", "delete"]


def test_names_that_are_no_text(root: Path) -> None:
    """Whoever made the folder; it is listed, and known the next time."""
    folder = os.fsdecode(os.fsencode(root) + b"/\xff")
    Path(folder).mkdir()
    write_lock(Path(folder), some_record(run_id="20260101T000000-ffffffff", config={"k": "f"}))
    assert [run.folder for run in each_run(root)] == [run.folder for run in each_run(root)]
    assert folder in [run.folder for run in each_run(root)]


def test_an_interrupted_search_is_gone_on_with(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was read before Ctrl-C is not read again, and nothing is forgotten."""

    def interrupted(path: Path) -> tuple[Record, str]:
        if path.name == "c":
            raise KeyboardInterrupt
        return lockfile.read_hashed_lock(path)

    with monkeypatch.context() as patched:
        patched.setattr(reader, "read_hashed_lock", interrupted)
        with pytest.raises(KeyboardInterrupt):
            _listed(root)
    read = _reads(monkeypatch)
    assert len(_listed(root)) == 3
    assert [path.name for path in read] == ["c"]
