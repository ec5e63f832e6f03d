"""Run a diag's body inside a new MLflow run."""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import TypeVar

from naga.diagnose.diag_dir import diag_folder
from naga.errors import DiagError, TrackerError
from naga.frozen import dataclass
from naga.paths import near
from naga.runs.metrics import note_failure, note_publication, now
from naga.secrets import redact_text
from naga.terminal import say, tell
from naga.tracking.experiment import active_experiment, configured_experiment, name_of_active, remember_active
from naga.tracking.history import PublishedRun
from naga.tracking.mlflow_errors import in_one_line
from naga.tracking.mlflow_settings import environment
from naga.tracking.open_run import OpenRun, open_run
from naga.tracking.publication import Publication
from naga.tracking.store import require_mlflow, shown_uri, store_of, tracking_store
from naga.tracking.tags import Tag
from naga.wording import first_line_of, text_of

T = TypeVar("T")

_RETRIES = "MLFLOW_HTTP_REQUEST_MAX_RETRIES"


class FolderTakenError(DiagError):
    """A new run has taken the folder that a diag read: what it logged belongs to two runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """Where a publication goes, and which files it leaves behind.

    ``project`` is the folder whose store is used where none is configured; ``experiment`` is what the diag declares.
    ``files_in`` holds the folders of `naga.diag_dir`, and ``note_in`` what was published; None for a preview.
    """

    project: Path
    experiment: str | None
    files_in: Path
    note_in: Path | None


def publish(
    publication: Publication, body: Callable[[], T], where: Destination, still: Callable[[], None], *, later: str
) -> T:
    """Run a diag's body inside a new MLflow run, make that the active one, and note it in the run's folder.

    ``still`` raises `FolderTakenError` where the folder that the body read is another run's by now.
    """
    make = partial(_run_body, publication=publication, body=body, where=where, still=still, later=later)
    require_mlflow()
    uri = store_of(where.project)
    failed = f"nothing was published to MLflow at '{shown_uri(uri)}'"
    with in_one_line(failed, later):
        # What the script has set was looked up in the store that MLflow used until now.
        name = where.experiment or name_of_active(uri)
    with tracking_store(where.project) as uri, _as_guest():
        named = name or configured_experiment(where.project)
        with in_one_line(failed, later):
            run = open_run(publication, uri, named)
        before = active_experiment()
        result, generation = make(run)
        if active_experiment() != before:
            remember_active(uri)
            if where.experiment is None and active_experiment() != run.experiment_id:
                say("warning: the diag sets its MLflow experiment in its body: it runs again, in that experiment "
                    "(call mlflow.set_experiment at the top of the script)")  # fmt: skip
                run.discard()
                with in_one_line(failed, later):
                    run = open_run(publication, uri)
                result, generation = make(run)
        with in_one_line(f"the diag ran, but MLflow at '{shown_uri(uri)}' was lost before it was published", later):
            published = run.succeed(reserved=generation)
        if where.note_in:
            note_publication(where.note_in, _facts(published, shown_uri(uri)))
            _say_published(where.note_in, published, shown_uri(uri))
        return result


def _say_published(save_dir: Path, published: PublishedRun, store: str) -> None:
    """Say in one line where the publication is; a store without a server has no address of its own."""
    about = f"{near(save_dir)} as MLflow run {published.run_id[:8]} (generation {published.generation})"
    address = f": {store.rstrip('/')}/#/experiments/{published.experiment_id}/runs/{published.run_id}"
    tell(f"published {about}{address if store.startswith('http') else ''}")


def _run_body(
    run: OpenRun,
    *,
    publication: Publication,
    body: Callable[[], T],
    where: Destination,
    still: Callable[[], None],
    later: str,
) -> tuple[T, int]:
    """Log what is known, run the body, log what it made; return what it returns and the number of its folder."""
    store = shown_uri(store_of(where.project))
    try:
        with in_one_line(f"half of it was published to MLflow at '{store}'", later):
            run.write()
        with diag_folder(where.files_in, run.next_generation) as folder:
            result = body()
        with in_one_line(f"the files of the diag were not published to MLflow at '{store}'", later):
            run.log_folder(folder.generation, folder.path)
        still()
    except FolderTakenError:
        run.discard()
        raise
    except BaseException as error:
        run.fail()
        if not isinstance(error, KeyboardInterrupt | TrackerError):
            still()  # else the failure of this diag would be noted beside a run that it never saw
        if where.note_in and not isinstance(error, KeyboardInterrupt | TrackerError):
            reason = redact_text(first_line_of(error))
            note_failure(where.note_in, diag=publication.tags.get(Tag.DIAG, ""), tracking_uri=store, error=reason)
        if "is already active. To start a new run" in text_of(error):
            say("warning: a diag has a run already: mlflow.start_run() needs nested=True, or is not needed at all")
        raise
    return result, folder.generation


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


def _as_guest() -> AbstractContextManager[None]:
    """Keep MLflow from resuming a run that the environment names, from asynchronous logging, and from long retries."""
    retries = {} if _RETRIES in os.environ else {_RETRIES: "2"}
    settings = {
        "MLFLOW_RUN_ID": None,
        "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
        "MLFLOW_ENABLE_ASYNC_LOGGING": "false",
    }
    return environment({**settings, **retries})
