"""What was published is noted beside the run, for the store that it was published to."""

import json
import threading
from pathlib import Path
from typing import Any

import mlflow
import pytest
from integration.diagnose.publications import MakeRun, Store

from naga import load_run
from naga.cli import main
from naga.mlflow_log import mlflow_log_run
from naga.runs.metrics import KEYS


@mlflow_log_run
def diag(cfg: Any, value: float = 1.0) -> None:
    """Log one number, or fail."""
    mlflow.log_metric("accuracy", 0.5)
    mlflow.log_metric("accuracy", value)
    assert value < 9, "too much"


def noted(folder: Path) -> dict[str, Any]:
    """Read the note."""
    return dict(json.loads((folder / ".naga" / "metrics.json").read_text()))


def listed(capsys: pytest.CaptureFixture[str]) -> str:
    """Ask `naga ls` about the one run."""
    capsys.readouterr()
    assert main(["ls", "--format", "json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    return str(row["diag"])


def test_every_publication_is_noted(store: Store, make_run: MakeRun) -> None:
    """The last value of each metric, and where it was published; a later publication replaces the note."""
    folder = make_run()
    diag(folder)
    diag(folder, value=2.0)
    note, (run,) = noted(folder), store.active()
    assert tuple(note) == KEYS
    assert (note["metrics"], note["generation"], note["last_failure"]) == ({"accuracy": 2.0}, 2, None)
    assert (note["mlflow_run_id"], note["tracking_uri"]) == (run.info.run_id, store.uri)
    assert (note["experiment_id"], note["lock_hash"]) == (store.experiment_id, load_run(folder).lock_hash)
    assert note["diag_key"] == run.data.tags["naga.diag_key"]
    assert note["diag_arguments"] == '{"value": 2.0}'


def test_listed_without_the_store(
    store: Store, make_run: MakeRun, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`naga ls` reads the note, and believes it for the store alone that is configured now."""
    folder = make_run()
    diag(folder)
    note = noted(folder)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    assert listed(capsys) == "never"
    file = folder / ".naga" / "metrics.json"
    file.write_text(json.dumps({**note, "tracking_uri": "http://127.0.0.1:9"}))
    assert listed(capsys) in ("fresh", "stale")


def test_a_failing_diag(store: Store, make_run: MakeRun, capsys: pytest.CaptureFixture[str]) -> None:
    """It is listed as failed, with its reason in the note, until one succeeds."""
    folder = make_run()
    with pytest.raises(AssertionError):
        diag(folder, value=9.0)
    assert noted(folder)["last_failure"]["error"].startswith("AssertionError: too much")
    assert listed(capsys) == "failed"
    diag(folder)
    assert listed(capsys) != "failed"


def test_a_folder_that_cannot_be_written(store: Store, make_run: MakeRun, capsys: pytest.CaptureFixture[str]) -> None:
    """The run is published, and a warning says what is missing."""
    folder = make_run()
    (folder / ".naga").touch()
    diag(folder)
    assert store.statuses() == ["active"]
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("naga: warning: ")
    assert "metrics.json' cannot be written" in line


def test_asynchronous_logging(store: Store, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the environment says of MLflow's writes, what is published is whole when the diag returns."""
    monkeypatch.setenv("MLFLOW_ENABLE_ASYNC_LOGGING", "true")
    monkeypatch.setenv("MLFLOW_ASYNC_LOGGING_BUFFERING_SECONDS", "30")
    folder = make_run()
    for _ in range(2):
        diag(folder)
        assert noted(folder)["metrics"] == {"accuracy": 1.0}
    assert store.statuses() == ["deprecated", "active"]


def test_the_load_of_this_machine_is_not_logged(
    store: Store, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the diagnosing machine does says nothing of the run."""
    monkeypatch.setenv("MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING", "true")

    @mlflow_log_run
    def watched(cfg: Any) -> list[str]:
        return [thread.name for thread in threading.enumerate()]

    assert "SystemMetricsMonitor" not in watched(make_run())
