"""Run a diag's body inside a new MLflow run."""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TypeVar

from naga.diagnose.diag_dir import diag_folder
from naga.terminal import say
from naga.tracking.mlflow_settings import environment
from naga.tracking.open_run import open_run
from naga.tracking.publication import Publication
from naga.tracking.store import in_one_line, require_mlflow, shown_uri, tracking_store

T = TypeVar("T")

_RETRIES = "MLFLOW_HTTP_REQUEST_MAX_RETRIES"


def publish(publication: Publication, body: Callable[[], T], *, project: Path, files_in: Path, later: str) -> T:
    """Run a diag's body inside a new MLflow run, and make that run the active one of its logical run."""
    require_mlflow()
    hint = f"later: {later}"
    with tracking_store(project) as uri, _as_guest():
        with in_one_line(f"nothing was published to MLflow at '{shown_uri(uri)}'", hint):
            run = open_run(publication, uri)
        try:
            with in_one_line(f"half of it was published to MLflow at '{shown_uri(uri)}'", hint):
                run.write()
            with diag_folder(files_in, run.next_generation) as folder:
                result = body()
        except BaseException as error:
            run.fail()
            if "is already active. To start a new run" in str(error):
                say("warning: a diag has a run already: mlflow.start_run() needs nested=True, or is not needed at all")
            raise
        with in_one_line(f"the diag ran, but MLflow at '{shown_uri(uri)}' was lost before it was published", hint):
            run.succeed(reserved=folder.generation, folder=folder.path)
        return result


def _as_guest() -> AbstractContextManager[None]:
    """Keep MLflow from resuming a run that the environment names, from printing addresses and from endless retries."""
    retries = {} if _RETRIES in os.environ else {_RETRIES: "2"}
    return environment({"MLFLOW_RUN_ID": None, "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true", **retries})
