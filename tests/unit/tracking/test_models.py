"""A model is linked where one of its name, file and run is whole in MLflow, and logged again in every other case."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import mlflow
import pytest
from integration.diagnose.publications import Store

from naga.errors import UsageError
from naga.tracking.models import log_model_once
from naga.tracking.tags import Tag


class Log:
    """Logs models as MLflow's flavours do, and counts them."""

    def __init__(self, store: Store, status: str = "READY") -> None:
        self.store, self.status, self.ids = store, status, list[str]()

    def __call__(self, name: str) -> Any:
        """Make one that is whole, or is not yet."""
        model = self.store.client.create_logged_model(self.store.experiment_id, name=name)
        if self.status == "READY":
            self.store.client.finalize_logged_model(model.model_id, "READY")
        self.ids.append(model.model_id)
        return SimpleNamespace(model_id=model.model_id)


def once(store: Store, name: str, file: Path, log: Log, key: str = "k") -> str:
    """Log a model in an MLflow run of this logical run."""
    with mlflow.start_run(experiment_id=store.experiment_id, tags={Tag.LOGICAL_KEY: key}):
        return log_model_once(name, file, log)


def test_linked_where_it_is_the_same(store: Store, project: Path) -> None:
    """The same name, file and logical run; another of these is another model."""
    file, log = project / "model", Log(store)
    file.write_text("1")
    first = once(store, "m", file, log)
    assert once(store, "m", file, log) == first
    assert log.ids == [first]
    linked = store.runs()[-1].outputs
    assert linked is not None
    assert [(one.model_id, one.step) for one in linked.model_outputs] == [(first, 0)]
    for name, text, key in (("a", "1", "k"), ("z", "1", "k"), ("m", "1", "other"), ("m", "2", "k")):
        file.write_text(text)
        assert once(store, name, file, log, key) == log.ids[-1] != first
    assert len(log.ids) == 5
    assert once(store, "m", file, log) == log.ids[-1]


def test_one_that_is_not_whole_is_logged_again(store: Store, project: Path) -> None:
    """A process that died while it logged leaves a model that nobody may use."""
    (project / "model").write_text("1")
    half, whole = Log(store, status="PENDING"), Log(store)
    left = once(store, "m", project / "model", half)
    made = once(store, "m", project / "model", whole)
    assert [left, made] == half.ids + whole.ids
    assert once(store, "m", project / "model", whole) == made


def test_outside_of_a_diag(store: Store, project: Path) -> None:
    """Neither without a run nor in one that is no diag's is anything logged."""
    (project / "model").write_text("1")
    log = Log(store)
    with pytest.raises(UsageError, match="outside of a diag") as caught:
        log_model_once("m", project / "model", log)
    assert caught.value.hint == "@mlflow_log_run decorates diags"
    with (
        mlflow.start_run(experiment_id=store.experiment_id),
        pytest.raises(UsageError, match="outside of a diag"),
    ):
        log_model_once("m", project / "model", log)
    assert log.ids == []
