"""Runs as tasks leave them, and what MLflow holds of them afterwards."""

import hashlib
import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import mlflow
from mlflow.entities import Run as MlflowRun
from mlflow.entities import ViewType

from naga.process.identity import this_process
from naga.record.lockfile import write_lock
from naga.record.schema import Code, Data, Environment, Record
from naga.tracking.tags import Tag

MakeRun = Callable[..., Path]

COMMIT = hashlib.sha1(b"code").hexdigest()
CONTENT = hashlib.sha256(b"data").hexdigest()


def copy_store(migrated: Path, folder: Path) -> str:
    """Put a copy of the store into a folder, its artifacts below it, and return its URI."""
    file = folder / "mlflow.db"
    shutil.copy(migrated, file)
    connection = sqlite3.connect(file)
    with connection:
        connection.execute("UPDATE experiments SET artifact_location = ?", [(folder / "mlruns/0").as_uri()])
    connection.close()
    return f"sqlite:///{file}"


@dataclass
class Store:
    """A tracking store and what is in it."""

    uri: str
    experiment_id: str = "0"
    client: mlflow.MlflowClient = field(init=False)

    def __post_init__(self) -> None:
        self.client = mlflow.MlflowClient(self.uri)

    def runs(self, wanted: str = "", *, deleted: bool = False) -> list[MlflowRun]:
        """List the runs in the order in which they began."""
        view = ViewType.ALL if deleted else ViewType.ACTIVE_ONLY
        found: list[MlflowRun] = []
        token = None
        while True:
            page = self.client.search_runs(
                [self.experiment_id], wanted, view, order_by=["attributes.start_time ASC"], page_token=token
            )
            found += page
            token = page.token
            if not token:
                return found

    def statuses(self) -> list[str]:
        """List the Naga statuses in the order in which the runs began."""
        return [run.data.tags.get(Tag.STATUS, "") for run in self.runs()]

    def active(self) -> list[MlflowRun]:
        """List the runs that Naga calls active."""
        return self.runs(f"tags.`{Tag.STATUS}` = 'active'")


def leave_run(save_dir: str = "results/a", *, run_id: str = "20260101T000000-aaaaaaaa", **changes: Any) -> Path:
    """Write a run.lock and return its folder."""
    folder = Path.cwd() / save_dir
    folder.mkdir(parents=True, exist_ok=True)
    config = {"save_dir": save_dir, "learning_rate": 0.01, "epochs": 10, "input_data": "data/raw.csv"}
    values: dict[str, Any] = {
        "run_id": run_id,
        "status": "finished",
        "task": "my_experiment.main",
        "save_dir": save_dir,
        "started": "2026-01-01T00:00:00.000Z",
        "ended": "2026-01-01T00:01:00.000Z",
        "duration_s": 60.0,
        "config": config,
        "code": (Code(name="project", path=str(Path.cwd()), commit=COMMIT, log_branch="run_logs"),),
        "data": {"input_data": Data(path="data/raw.csv", kind="file", hash=f"blake3:{CONTENT}", size_bytes=8, files=1)},
        "process": this_process(),
        "environment": Environment(python="3.11.7", executable="python", platform="linux"),
    }
    write_lock(folder, Record(**{**values, **changes}))
    (folder / "experiment.log").write_text("what happened\n")
    return folder
