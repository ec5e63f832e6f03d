"""A new run that takes the folder while a diag reads it: what is published is of one run alone, or is not published."""

from pathlib import Path
from typing import Any

import mlflow
import pytest
from integration.diagnose.publications import MakeRun, Store

import naga
from naga.errors import DiagError
from naga.mlflow_log import mlflow_log_run
from naga.runs.metrics import last_publication

NEWER = "20260102T000000-bbbbbbbb"


@mlflow_log_run
def diag(cfg: Any) -> None:
    """Log one number."""
    mlflow.log_metric("accuracy", 0.95)


def archive(folder: Path) -> None:
    """Move a finished run away, as the next run of its folder does."""
    (folder.parent / ".archive").mkdir()
    folder.rename(folder.parent / ".archive/a~20260101T000000-aaaaaaaa")


@pytest.mark.parametrize("comes", [True, False], ids=["the newer run is there", "only the older has gone"])
def test_taken_while_the_body_runs(store: Store, make_run: MakeRun, comes: bool) -> None:
    """What was read may be of both runs: none of it becomes active, or is noted beside the newer run."""
    folder = make_run()
    diag(folder)

    @mlflow_log_run
    def slow(cfg: Any) -> None:
        archive(folder)
        if comes:
            make_run(run_id=NEWER)
        mlflow.log_metric("accuracy", 0.5)

    with pytest.raises(DiagError, match=NEWER if comes else "no longer in"):
        slow(folder)
    assert store.statuses() == ["active"]
    assert not last_publication(folder)


def test_taken_while_files_are_published(store: Store, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is looked at again when all has been written, before it becomes the active one."""
    folder = make_run()
    log_artifacts = mlflow.MlflowClient.log_artifacts

    def slow(*args: Any) -> None:
        log_artifacts(*args)
        archive(folder)
        make_run(run_id=NEWER)

    monkeypatch.setattr(mlflow.MlflowClient, "log_artifacts", slow)

    @mlflow_log_run
    def drawing(cfg: Any) -> None:
        (naga.diag_dir() / "figure.txt").write_text("1")

    with pytest.raises(DiagError, match=NEWER):
        drawing(folder)
    assert store.statuses() == []


def test_taken_by_what_breaks_the_body(store: Store, make_run: MakeRun) -> None:
    """The body that finds nothing to read any more has not failed, and the newer run is not blamed for it."""
    folder = make_run()

    @mlflow_log_run
    def reading(cfg: Any) -> None:
        archive(folder)
        make_run(run_id=NEWER)
        (folder / "results.json").read_text()

    with pytest.raises(DiagError, match=NEWER):
        reading(folder)
    assert "active" not in store.statuses()
    assert not last_publication(folder)
