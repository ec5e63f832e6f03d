"""What a SQLite store says of runs, read as the file that it is."""

import math
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from naga.errors import TrackerError
from naga.tracking.published_runs import artifacts_of, metrics_of, newest_published
from naga.tracking.tags import Tag

TABLES = """
    CREATE TABLE experiments (experiment_id INTEGER, lifecycle_stage TEXT);
    CREATE TABLE runs (run_uuid TEXT, experiment_id INT, start_time INT, artifact_uri TEXT, lifecycle_stage TEXT);
    CREATE TABLE tags (key TEXT, value TEXT, run_uuid TEXT);
    CREATE TABLE latest_metrics (key TEXT, value REAL, is_nan BOOLEAN, run_uuid TEXT);
    INSERT INTO experiments VALUES (0, 'active'), (1, 'deleted');
"""


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A file with the tables of MLflow that are read."""
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as connection:
        connection.executescript(TABLES)
    return tmp_path / "mlflow.db"


def add(store: Path, name: str, *, experiment: int = 0, stage: str = "active", **tags: str) -> None:
    """Write a publication into it."""
    with closing(sqlite3.connect(store)) as connection, connection:
        artifacts = (store.parent / "art ifacts" / name).as_uri()
        connection.execute("INSERT INTO runs VALUES (?, ?, 5, ?, ?)", (name, experiment, artifacts, stage))
        for key, value in tags.items():
            connection.execute("INSERT INTO tags VALUES (?, ?, ?)", (f"naga.{key}", value, name))


def test_the_newest_that_is_complete(store: Path) -> None:
    """Of a run the largest generation; not what is pending, deleted, or in a deleted experiment."""
    add(store, "one", run_id="r1", run_status="deprecated", generation="1")
    add(store, "two", run_id="r1", run_status="active", generation="2", details='{"diag": "exp.py:diag"}')
    add(store, "three", run_id="r1", run_status="pending", generation="3")
    add(store, "four", run_id="r2", run_status="active", stage="deleted")
    add(store, "five", run_id="r3", run_status="active", experiment=1)
    found = newest_published(f"sqlite:///{store}")
    assert {run_id: one.run_id for run_id, one in found.items()} == {"r1": "two"}
    assert found["r1"].tags[Tag.DIAG] == "exp.py:diag"


def test_metrics_and_artifacts(store: Path) -> None:
    """The last value of each metric, NaN too; files by their paths below the run's folder."""
    add(store, "one", run_id="r1", run_status="active")
    with closing(sqlite3.connect(store)) as connection, connection:
        connection.execute("INSERT INTO latest_metrics VALUES ('loss', 0.5, 0, 'one'), ('bad', 0, 1, 'one')")
    folder = store.parent / "art ifacts/one/diag"
    folder.mkdir(parents=True)
    (folder / "table.csv").touch()
    uri = f"sqlite:///{store}"
    (one,) = newest_published(uri).values()
    metrics = metrics_of(uri, one)
    assert metrics["loss"] == 0.5
    assert math.isnan(metrics["bad"])
    assert artifacts_of(uri, one) == {"diag/table.csv"}


def test_no_store_and_no_database(tmp_path: Path) -> None:
    """Nothing is created by looking; what is no store is said to be none."""
    assert newest_published(f"sqlite:///{tmp_path}/mlflow.db") == {}
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "mlflow.db").write_text("no database at all")
    with pytest.raises(TrackerError, match="no SQLite database"):
        newest_published(f"sqlite:///{tmp_path}/mlflow.db")
