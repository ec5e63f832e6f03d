"""A model that is logged again by every diag, but stored once."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from naga.errors import UsageError
from naga.tracking.tags import Tag

if TYPE_CHECKING:
    from mlflow.entities import Run as MlflowRun
    from mlflow.models.model import ModelInfo


_HASH = "naga.artifact_hash"


def log_model_once(name: str, artifact: str | os.PathLike[str], log: Callable[[str], "ModelInfo"]) -> str:
    """Log a model inside a diag, unless an earlier diag of the same run has logged it from the same file.

    MLflow copies a model each time that it is logged. With this, a re-diagnosed run links the model that is there, and
    ``log`` is not even called.

    Parameters
    ----------
    name : str
        The name of the model in MLflow.
    artifact : path
        The file or folder that the model is loaded from; another content is another model.
    log : callable
        Called with the name where the model is new; logs it and returns what MLflow returned.

    Returns
    -------
    str
        MLflow's id of the model.

    Raises
    ------
    UsageError
        It is called outside of a diag.

    Examples
    --------
    ::

        log_model_once("classifier", save_dir / "model.joblib", lambda name: mlflow.sklearn.log_model(
            joblib.load(save_dir / "model.joblib"), name=name))
    """
    import mlflow
    from mlflow.entities import LoggedModelOutput

    from naga.hashing.hash_tree import hash_path

    run = mlflow.active_run()
    if run is None or Tag.LOGICAL_KEY not in run.data.tags:
        raise UsageError("log_model_once was called outside of a diag", hint="@mlflow_log_run decorates diags")
    client = mlflow.MlflowClient()
    tags = {Tag.LOGICAL_KEY: run.data.tags[Tag.LOGICAL_KEY], _HASH: hash_path(Path(artifact)).hash}
    known = _find(client, run, name, tags)
    if known is not None:
        client.log_outputs(run.info.run_id, [LoggedModelOutput(known, 0)])
        return known
    model_id = str(log(name).model_id)
    client.set_logged_model_tags(model_id, tags)
    return model_id


def _find(client: Any, run: "MlflowRun", name: str, tags: dict[str, str]) -> str | None:
    wanted = " AND ".join(f"tags.`{key}` = '{value}'" for key, value in tags.items())
    models = client.search_logged_models([run.info.experiment_id], wanted)
    return next((model.model_id for model in models if model.name == name and model.status == "READY"), None)
