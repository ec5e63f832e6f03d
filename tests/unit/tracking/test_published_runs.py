"""What a SQLite store says of runs, read as the file that it is."""

import math
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from integration.diagnose.publications import Store

from naga.errors import TrackerError
from naga.tracking.published_runs import artifacts_of, delete_published, metrics_of, newest_published
from naga.tracking.tags import Tag

TABLES = """
    CREATE TABLE experiments (experiment_id INTEGER, lifecycle_stage TEXT);
    CREATE TABLE runs (run_uuid TEXT, experiment_id INT, start_time INT, artifact_uri TEXT, status TEXT,
        lifecycle_stage TEXT);
    CREATE TABLE tags (key TEXT, value TEXT, run_uuid TEXT);
    CREATE TABLE latest_metrics (key TEXT, value REAL, is_nan BOOLEAN, run_uuid TEXT);
    INSERT INTO experiments VALUES (0, 'active'), (1, 'deleted');
"""


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    """A file with the tables of MLflow that are read."""
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as connection:
        connection.executescript(TABLES)
    return tmp_path / "mlflow.db"


def add(tables: Path, name: str, *, experiment: int = 0, stage: str = "active", **tags: str) -> None:
    """Write a publication into it."""
    with closing(sqlite3.connect(tables)) as connection, connection:
        artifacts = (tables.parent / "art ifacts" / name).as_uri()
        connection.execute("INSERT INTO runs VALUES (?, ?, 5, ?, 'FINISHED', ?)", (name, experiment, artifacts, stage))
        for key, value in {"logical_run_key": "any", **tags}.items():
            connection.execute("INSERT INTO tags VALUES (?, ?, ?)", (f"naga.{key}", value, name))


def test_the_newest_that_is_complete(tables: Path) -> None:
    """Of a run the largest generation; not what is pending, deleted, or in a deleted experiment."""
    add(tables, "one", run_id="r1", run_status="deprecated", generation="1")
    add(tables, "two", run_id="r1", run_status="active", generation="2", details='{"diag": "exp.py:diag"}')
    add(tables, "three", run_id="r1", run_status="pending", generation="3")
    add(tables, "four", run_id="r2", run_status="active", stage="deleted")
    add(tables, "five", run_id="r3", run_status="active", experiment=1)
    found = newest_published(f"sqlite:///{tables}")
    assert {run_id: one.run_id for run_id, one in found.items()} == {"r1": "two"}
    assert found["r1"].tags[Tag.DIAG] == "exp.py:diag"


def test_metrics_and_artifacts(tables: Path) -> None:
    """The last value of each metric, NaN too; files by their paths below the run's folder."""
    add(tables, "one", run_id="r1", run_status="active")
    with closing(sqlite3.connect(tables)) as connection, connection:
        connection.execute("INSERT INTO latest_metrics VALUES ('loss', 0.5, 0, 'one'), ('bad', 0, 1, 'one')")
    folder = tables.parent / "art ifacts/one/diag"
    folder.mkdir(parents=True)
    (folder / "table.csv").touch()
    uri = f"sqlite:///{tables}"
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
    (tmp_path / "mlflow.db").write_bytes(b"SQLite format 3\0" + b"no page " * 500)
    with pytest.raises(TrackerError, match="cannot be read as an MLflow store: ") as caught:
        newest_published(f"sqlite:///{tmp_path}/mlflow.db")
    assert str(tmp_path / "mlflow.db") in caught.value.message


def test_deleted_with_all_its_publications(store: Store) -> None:
    """All those of a run are deleted as MLflow does it, those of others stay."""
    made = [
        store.client.create_run(store.experiment_id, tags={Tag.LOGICAL_KEY: "k", Tag.RUN_ID: run_id}).info.run_id
        for run_id in ("r1", "r2", "r1")
    ]
    assert sorted(delete_published(store.uri, "r1")) == sorted([made[0], made[2]])
    assert [run.info.run_id for run in store.runs()] == [made[1]]
    assert delete_published(store.uri, "r1") == []


def test_as_mlflow_itself_tells_it(store: Store) -> None:
    """A store that is read through MLflow says the same as its file."""
    tags = {Tag.LOGICAL_KEY: "k", Tag.RUN_ID: "r1", Tag.STATUS: "active", Tag.DETAILS: '{"diag": "exp.py:diag"}'}
    run = store.client.create_run(store.experiment_id, start_time=5, tags=tags)
    store.client.create_run(store.experiment_id, tags={**tags, Tag.RUN_ID: "r2", Tag.STATUS: "pending"})
    store.client.log_metric(run.info.run_id, "loss", 0.5)
    store.client.log_text(run.info.run_id, "a", "diag/deep/a.txt")
    store.client.log_text(run.info.run_id, "b", "b.txt")
    through_mlflow = f"{store.uri}?timeout=5"  # no plain file
    (one,), (other,) = newest_published(store.uri).values(), newest_published(through_mlflow).values()
    assert one.run_id == other.run_id == run.info.run_id
    assert one.order == other.order
    assert one.tags[Tag.DIAG] == other.tags[Tag.DIAG] == "exp.py:diag"
    for uri in (store.uri, through_mlflow):
        assert metrics_of(uri, one) == {"loss": 0.5}
        assert artifacts_of(uri, one) == {"diag/deep/a.txt", "b.txt"}
    served = replace(one, artifact_uri=f"mlflow-artifacts:/0/{one.run_id}/artifacts")
    assert artifacts_of(store.uri, served) == {"diag/deep/a.txt", "b.txt"}
