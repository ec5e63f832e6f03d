"""Where publications go."""

import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from naga.errors import TrackerError
from naga.project import project_root
from naga.tracking.store import _sqlite_file, _sqlite_uri, check_store, shown_uri


@pytest.mark.parametrize("marker", [".git", "pyproject.toml"])
def test_project_root(tmp_path: Path, marker: str) -> None:
    """The project begins at the nearest folder with a mark; a folder in no project stands for itself."""
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    (tmp_path / "a" / marker).touch()
    assert project_root(below) == tmp_path / "a"
    assert project_root(Path("/nowhere/at/all")) == Path("/nowhere/at/all")


@pytest.mark.parametrize("name", ["plain", "with space", "ü☃", "per%20cent", "ha#sh", "quest?ion", "quo'te", "a&b=c"])
def test_any_folder_has_a_uri(name: str) -> None:
    """The URI of a store names the file that SQLAlchemy then opens."""
    file = Path("/projects") / name / "mlflow.db"
    assert _sqlite_file(_sqlite_uri(file)) == file


@pytest.mark.parametrize(
    "uri", ["http://localhost:5000", "sqlite://", "sqlite:///file:x?mode=memory&uri=true", "mlruns"]
)
def test_what_is_not_ours_to_create(uri: str) -> None:
    """Only a plain SQLite file is created beforehand."""
    assert _sqlite_file(uri) is None


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("http://me:secret@host:5000", "http://host:5000"),
        ("postgresql+psycopg2://me:p@ss@db/mlflow", "postgresql+psycopg2://db/mlflow"),
        ("sqlite:////home/a@b/mlflow.db", "sqlite:////home/a@b/mlflow.db"),
        ("databricks", "databricks"),
    ],
)
def test_shown_without_credentials(uri: str, shown: str) -> None:
    """Neither name nor password is ever shown."""
    assert shown_uri(uri) == shown


HOLD = """
import sqlite3, sys, time
store = sqlite3.connect(sys.argv[1], isolation_level=None)
store.execute("CREATE TABLE IF NOT EXISTS t (a)")
for n in range(int(sys.argv[2])):
    store.execute("BEGIN IMMEDIATE")
    store.execute("INSERT INTO t VALUES (1)")
    if n == 0:
        print("locked", flush=True)
    time.sleep(float(sys.argv[3]))
    store.execute("COMMIT")
"""


@contextmanager
def held(store: Path, times: int, seconds: float) -> Iterator[int]:
    """Another process holds the store's lock so often, and writes each time; its number."""
    words = [sys.executable, "-c", HOLD, str(store), str(times), str(seconds)]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.readline() == b"locked\n"
        yield process.pid
        process.kill()


def test_a_store_that_is_locked_is_said_within_seconds_with_who_holds_it(tmp_path: Path) -> None:
    """MLflow would wait for half a minute, and not say for whom."""
    store, begun = tmp_path / "mlflow.db", time.monotonic()
    with held(store, 1, 60) as pid, pytest.raises(TrackerError) as caught:
        check_store(f"sqlite:///{store}")
    assert f"'{store}' is locked by process {pid} (" in caught.value.message
    assert time.monotonic() - begun < 10
    check_store(f"sqlite:///{store}")


def test_a_store_that_others_write_to_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Longer than for one that stands still."""
    monkeypatch.setattr("naga.tracking.store._PATIENCE_S", 1)
    store, begun = tmp_path / "mlflow.db", time.monotonic()
    with held(store, 12, 0.2):
        check_store(f"sqlite:///{store}")
        assert time.monotonic() - begun < 12


def test_a_store_that_is_none_is_left_to_mlflow(tmp_path: Path) -> None:
    """A server, a store that is yet to be made, and one that cannot be written to."""
    check_store("http://localhost:1")
    check_store(f"sqlite:///{tmp_path}/none.db")
    store = tmp_path / "read.db"
    sqlite3.connect(store).execute("CREATE TABLE t (a)").connection.close()
    store.chmod(0o444)
    check_store(f"sqlite:///{store}")
    assert not (tmp_path / "none.db").exists()
