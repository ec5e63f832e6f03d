"""A diag is a good guest: whatever else the process does with MLflow goes on as before."""

import os
import threading
from pathlib import Path
from typing import Any

import mlflow
import pytest
from integration.diagnose.publications import MakeRun, Store

from naga.mlflow_log import mlflow_log_run
from naga.tracking.tags import Tag


@mlflow_log_run
def diag(cfg: Any) -> None:
    """Log one number."""
    mlflow.log_metric("accuracy", 0.95)


def naga_run(store: Store) -> Any:
    """The one run that Naga wrote."""
    (run,) = store.runs(f"tags.`{Tag.GENERATION}` = '1'")
    return run


def test_inside_an_active_run(store: Store, make_run: MakeRun) -> None:
    """Called inside a run of the user's, the publication is nested in it, and that run goes on."""
    folder = make_run()
    with mlflow.start_run() as outer:
        diag(folder)
        active = mlflow.active_run()
        assert active is not None
        assert active.info.run_id == outer.info.run_id
        mlflow.log_metric("after", 1)
    run = naga_run(store)
    assert run.data.tags["mlflow.parentRunId"] == outer.info.run_id
    assert run.data.metrics == {"accuracy": 0.95}
    assert store.client.get_run(outer.info.run_id).data.metrics == {"after": 1}


def test_run_id_in_the_environment(store: Store, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that the environment names is not resumed, and is still named afterwards."""
    other = store.client.create_run(store.experiment_id).info.run_id
    monkeypatch.setenv("MLFLOW_RUN_ID", other)
    diag(make_run())
    assert os.environ["MLFLOW_RUN_ID"] == other
    assert store.client.get_run(other).data.metrics == {}
    assert naga_run(store).data.metrics == {"accuracy": 0.95}


def test_set_experiment(store: Store, make_run: MakeRun) -> None:
    """The publication goes to the experiment that is set, and its predecessors are looked for there."""
    folder = make_run()
    mlflow.set_experiment("mine")
    for _ in range(2):
        diag(folder)
    experiment = store.client.get_experiment_by_name("mine")
    assert experiment is not None
    store.experiment_id = experiment.experiment_id
    assert store.statuses() == ["deprecated", "active"]
    assert f"#/experiments/{experiment.experiment_id}/runs/" in store.active()[0].data.tags[Tag.NOTE]


def test_experiment_name_in_the_environment(store: Store, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    """So it does where the environment names the experiment."""
    monkeypatch.delenv("MLFLOW_EXPERIMENT_ID")
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "mine")
    diag(make_run())
    assert store.runs() == []


def test_set_experiment_in_the_body(store: Store, make_run: MakeRun, capsys: pytest.CaptureFixture[str]) -> None:
    """An experiment set inside the diag is where the publication goes, for the first run as for the others."""

    @mlflow_log_run
    def switching(cfg: Any) -> None:
        mlflow.set_experiment("another")
        mlflow.log_metric("accuracy", 0.95)

    for name, run_id in (("a", "20260101T000000-aaaaaaaa"), ("b", "20260101T000000-bbbbbbbb")):
        switching(make_run(f"results/{name}", run_id=run_id))
    assert capsys.readouterr().err.count("call mlflow.set_experiment at the top of the script") == 1
    assert store.runs() == []
    experiment = store.client.get_experiment_by_name("another")
    assert experiment is not None
    store.experiment_id = experiment.experiment_id
    assert store.statuses() == ["active", "active"]
    assert [run.data.metrics for run in store.runs()] == [{"accuracy": 0.95}] * 2


def test_end_run_in_the_body(store: Store, make_run: MakeRun, capsys: pytest.CaptureFixture[str]) -> None:
    """A diag that ends its own run is warned of, once; the MLflow run is active all the same; nothing stays open."""

    @mlflow_log_run
    def ending(cfg: Any) -> None:
        mlflow.log_metric("before", 1)
        mlflow.end_run()
        mlflow.log_metric("after", 1)

    ending(make_run())
    (line,) = capsys.readouterr().err.splitlines()
    (stray,) = store.runs("metrics.after = 1")
    assert line.startswith("naga: warning: the diag ended its own MLflow run")
    assert stray.info.run_id in line
    assert stray.info.status == "FINISHED"
    assert naga_run(store).data.metrics == {"before": 1}
    assert mlflow.active_run() is None


def test_nested_run_in_the_body(store: Store, make_run: MakeRun) -> None:
    """A diag may begin runs inside its own, and forget to end them."""

    @mlflow_log_run
    def nesting(cfg: Any) -> None:
        with mlflow.start_run(nested=True):
            mlflow.log_metric("child", 1)
        mlflow.start_run(nested=True)
        mlflow.log_metric("forgotten", 1)

    nesting(make_run())
    parent = naga_run(store)
    children = [run for run in store.runs() if run.data.tags.get("mlflow.parentRunId") == parent.info.run_id]
    assert [run.info.status for run in (parent, *children)] == ["FINISHED"] * 3
    assert mlflow.active_run() is None


def test_start_run_in_the_body(store: Store, make_run: MakeRun, capsys: pytest.CaptureFixture[str]) -> None:
    """A diag that begins a run beside its own fails as MLflow says it must, with one line on what to do instead."""

    @mlflow_log_run
    def starting(cfg: Any) -> None:
        with mlflow.start_run():
            mlflow.log_metric("accuracy", 0.95)

    with pytest.raises(Exception, match="is already active"):
        starting(make_run())
    (line,) = capsys.readouterr().err.splitlines()
    assert "mlflow.start_run() needs nested=True, or is not needed" in line
    assert store.statuses() == ["failed"]


def test_own_description(store: Store, make_run: MakeRun) -> None:
    """A description that the diag writes is kept, links added below it."""

    @mlflow_log_run
    def describing(cfg: Any) -> None:
        mlflow.set_tag("mlflow.note.content", "My own words.")

    folder = make_run()
    for _ in range(2):
        describing(folder)
    (run,) = store.active()
    assert run.data.tags[Tag.NOTE].startswith("My own words.\n\nSupersedes [")


def test_threads_with_run_id(store: Store, make_run: MakeRun) -> None:
    """What threads of a diag log with run_id= lands on its MLflow run."""

    @mlflow_log_run
    def threaded(cfg: Any) -> None:
        run = mlflow.active_run()
        assert run is not None
        thread = threading.Thread(target=mlflow.log_metric, args=("accuracy", 0.95), kwargs={"run_id": run.info.run_id})
        thread.start()
        thread.join()

    threaded(make_run())
    assert naga_run(store).data.metrics == {"accuracy": 0.95}
    assert len(store.runs()) == 1


def test_diags_in_threads(store: Store, make_run: MakeRun) -> None:
    """Diags may run in several threads at once; the environment is afterwards as it was."""
    folders = [make_run(f"results/{name}", run_id=f"20260101T000000-{name * 8}") for name in "abcd"]
    before = dict(os.environ)
    threads = [threading.Thread(target=diag, args=(folder,)) for folder in folders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.statuses() == ["active"] * 4
    assert all(run.data.metrics == {"accuracy": 0.95} for run in store.runs())
    assert dict(os.environ) == before


def test_figures_and_artifacts(store: Store, make_run: MakeRun, tmp_path: Path) -> None:
    """The fluent interface is MLflow's own: artifacts, text, tables of numbers, tags."""

    @mlflow_log_run
    def rich(cfg: Any) -> None:
        mlflow.log_text("text", "notes/text.txt")
        mlflow.log_dict({"a": 1}, "a.json")
        mlflow.log_metrics({"loss": 0.1, "f1": 0.9}, step=3)
        mlflow.log_param("threshold", 0.5)
        mlflow.set_tag("mood", "good")

    rich(make_run())
    run = naga_run(store)
    assert run.data.metrics == {"loss": 0.1, "f1": 0.9}
    assert (run.data.params["threshold"], run.data.tags["mood"]) == ("0.5", "good")
    names = {file.path for file in store.client.list_artifacts(run.info.run_id)}
    assert names == {"notes", "a.json", "run.lock", "experiment.log"}


def test_autolog(store: Store, make_run: MakeRun) -> None:
    """Autologging inside a diag goes to its MLflow run."""
    from sklearn.linear_model import LogisticRegression

    @mlflow_log_run
    def training(cfg: Any) -> None:
        mlflow.sklearn.autolog(log_models=False)
        try:
            LogisticRegression(max_iter=50).fit([[0.0], [1.0]], [0, 1])
        finally:
            mlflow.sklearn.autolog(disable=True)

    training(make_run())
    run = naga_run(store)
    assert run.data.params["max_iter"] == "50"
    assert run.data.params["learning_rate"] == "0.01"


def test_nothing_lasting(store: Store, make_run: MakeRun) -> None:
    """A publication leaves the environment, the tracking URI and MLflow's loggers as they were."""
    import logging

    def state() -> Any:
        names = ("alembic", "mlflow", "mlflow.store.db.utils", "mlflow.utils.git_utils")
        levels = [logging.getLogger(name).level for name in names]
        return dict(os.environ), mlflow.get_tracking_uri(), levels, logging.getLogger().handlers[:]

    before = state()
    diag(make_run())
    assert state() == before
