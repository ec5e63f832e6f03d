"""Models that are logged again are stored once."""

from pathlib import Path
from typing import Any

import joblib
import mlflow
import pytest
from integration.diagnose.publications import MakeRun, Store
from sklearn.linear_model import LogisticRegression

from naga.errors import UsageError
from naga.mlflow_log import mlflow_log_run
from naga.tracking.models import log_model_once

LOADED: list[str] = []


def log(name: str, file: Path) -> Any:
    """Load a model and log it."""
    LOADED.append(name)
    requirements = ["scikit-learn"]  # else MLflow loads the model in a new process to find them out
    return mlflow.sklearn.log_model(
        joblib.load(file), name=name, serialization_format="cloudpickle", pip_requirements=requirements
    )


@mlflow_log_run
def diag(cfg: Any, *names: str) -> list[str]:
    """Log a run's model under some names."""
    file = Path(cfg.save_dir, "model.joblib")
    return [log_model_once(name, file, lambda name: log(name, file)) for name in names]


def fit(file: Path, *labels: int) -> None:
    """Train a model."""
    joblib.dump(LogisticRegression().fit([[0.0], [1.0], [2.0]], labels), file)


def test_stored_once(store: Store, make_run: MakeRun) -> None:
    """An unchanged model is linked, not stored; each MLflow run shows it; another file, or name, is another model."""
    LOADED.clear()
    folder = make_run()
    fit(folder / "model.joblib", 0, 1, 1)
    first, second = diag(folder, "the model"), diag(folder, "the model")
    assert first == second
    assert LOADED == ["the model"]
    for run in store.runs():
        assert run.outputs is not None
        assert [model.model_id for model in run.outputs.model_outputs] == first
    fit(folder / "model.joblib", 0, 0, 1)
    third = diag(folder, "the model")
    assert third != first
    assert diag(folder, "another", "the model")[1:] == third
    assert LOADED == ["the model", "the model", "another"]
    models = store.client.search_logged_models([store.experiment_id])
    assert len(models) == 3


def test_outside_of_a_diag(store: Store) -> None:
    """Without a diag there is no run to link it to."""
    with pytest.raises(UsageError, match="outside of a diag"):
        log_model_once("model", "model.joblib", lambda name: log(name, Path("model.joblib")))
