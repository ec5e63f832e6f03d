"""Run a diag's body inside a new MLflow run."""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TypeVar

from naga.diagnose.diag_dir import diag_folder
from naga.errors import TrackerError
from naga.runs.metrics import note_failure, note_publication, now
from naga.secrets import redact_text
from naga.terminal import say
from naga.tracking.history import PublishedRun
from naga.tracking.mlflow_settings import environment
from naga.tracking.open_run import open_run
from naga.tracking.publication import Publication
from naga.tracking.store import in_one_line, require_mlflow, shown_uri, tracking_store
from naga.tracking.tags import Tag

T = TypeVar("T")

_RETRIES = "MLFLOW_HTTP_REQUEST_MAX_RETRIES"


def publish(
    publication: Publication,
    body: Callable[[], T],
    *,
    project: Path,
    files_in: Path,
    later: str,
    note_in: Path | None = None,
) -> T:
    """Run a diag's body inside a new MLflow run, make that run the active one, and note it beside the run."""
    require_mlflow()
    hint = f"later: {later}"
    with tracking_store(project) as uri, _as_guest():
        store = shown_uri(uri)
        with in_one_line(f"nothing was published to MLflow at '{store}'", hint):
            run = open_run(publication, uri)
        try:
            with in_one_line(f"half of it was published to MLflow at '{store}'", hint):
                run.write()
            with diag_folder(files_in, run.next_generation) as folder:
                result = body()
        except BaseException as error:
            run.fail()
            if note_in and not isinstance(error, KeyboardInterrupt | TrackerError):
                _note_failure(note_in, publication, store, error)
            if "is already active. To start a new run" in str(error):
                say("warning: a diag has a run already: mlflow.start_run() needs nested=True, or is not needed at all")
            raise
        with in_one_line(f"the diag ran, but MLflow at '{store}' was lost before it was published", hint):
            published = run.succeed(reserved=folder.generation, folder=folder.path)
        if note_in:
            note_publication(note_in, _facts(published, store))
        return result


def _facts(published: PublishedRun, store: str) -> dict[str, object]:
    tags = published.tags
    return {
        "metrics": dict(published.metrics),
        "generation": published.generation,
        "mlflow_run_id": published.run_id,
        "tracking_uri": store,
        "experiment_id": published.experiment_id,
        "published": now(),
        "lock_hash": tags.get(Tag.LOCK_HASH),
        "diag": tags.get(Tag.DIAG),
        "diag_arguments": tags.get(Tag.DIAG_ARGUMENTS),
        "diag_code": tags.get(Tag.DIAG_CODE),
        "diag_key": tags.get(Tag.DIAG_KEY),
    }


def _note_failure(save_dir: Path, publication: Publication, store: str, error: BaseException) -> None:
    reason = redact_text(f"{type(error).__name__}: {error}".splitlines()[0][:300])
    note_failure(save_dir, diag=publication.tags.get(Tag.DIAG, ""), tracking_uri=store, error=reason)


def _as_guest() -> AbstractContextManager[None]:
    """Keep MLflow from resuming a run that the environment names, from writing later, and from endless retries."""
    retries = {} if _RETRIES in os.environ else {_RETRIES: "2"}
    settings = {
        "MLFLOW_RUN_ID": None,
        "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
        "MLFLOW_ENABLE_ASYNC_LOGGING": "false",
    }
    return environment({**settings, **retries})
