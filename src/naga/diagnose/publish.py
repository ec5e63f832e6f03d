"""Run a diag's body inside a new MLflow run."""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Generic, TypeVar

from naga.diagnose.diag_dir import diag_folder
from naga.errors import DiagError, TrackerError
from naga.frozen import dataclass
from naga.paths import near
from naga.record.schema import now
from naga.runs.metrics import note_failure, note_publication
from naga.secrets import redact_text
from naga.terminal import say, tell
from naga.tracking.experiment import active_experiment, configured_experiment, name_of_active, remember_active
from naga.tracking.mlflow_errors import in_one_line
from naga.tracking.mlflow_settings import environment
from naga.tracking.open_run import OpenRun, open_run
from naga.tracking.publication import Publication
from naga.tracking.published_runs import PublishedRun, metrics_of
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
    publication: Publication,
    body: Callable[[], T],
    where: Destination,
    require_same_run: Callable[[], None],
    *,
    later: str,
) -> T:
    """Run a diag's body inside a new MLflow run, make that the active one, and note it in the run's folder.

    ``require_same_run`` raises `FolderTakenError` where the folder that the body read is another run's by now.
    """
    require_mlflow()
    return _Publishing(publication, body, where, require_same_run, later, store_of(where.project)).run()


@dataclass(frozen=True, slots=True)
class _Publishing(Generic[T]):
    """One publication while it is made; ``later`` is the hint where the store does not answer."""

    publication: Publication
    body: Callable[[], T]
    where: Destination
    require_same_run: Callable[[], None]
    later: str
    uri: str

    def run(self) -> T:
        """Do all of it; return what the body returns."""
        with self._explained("nothing was published to MLflow at '{store}'"):
            # What the script has set was looked up in the store that MLflow used until now.
            named = self.where.experiment or name_of_active(self.uri)
        with tracking_store(self.where.project), _as_guest():
            run = self._begun(named or configured_experiment(self.where.project))
            before = active_experiment()
            result, number = self._filled(run)
            if active_experiment() != before:
                remember_active(self.uri)
                if self.where.experiment is None and active_experiment() != run.experiment_id:
                    run, result, number = self._again(run)
            self._finish(run, number)
            return result

    def _begun(self, experiment: str | None = None) -> OpenRun:
        with self._explained("nothing was published to MLflow at '{store}'"):
            return open_run(self.publication, self.uri, experiment)

    def _filled(self, run: OpenRun) -> tuple[T, int]:
        """Log what is known, run the body, log its files; return its result, and the number of its folder."""
        try:
            with self._explained("half of it was published to MLflow at '{store}'"):
                run.write()
            with diag_folder(self.where.files_in, run.next_generation) as folder:
                result = self.body()
            with self._explained("the files of the diag were not published to MLflow at '{store}'"):
                run.log_folder(folder.generation, folder.path)
            self.require_same_run()
        except FolderTakenError:
            run.discard()
            raise
        except BaseException as error:
            run.fail()
            self._note_failure(error)
            raise
        return result, folder.generation

    def _again(self, run: OpenRun) -> tuple[OpenRun, T, int]:
        """Discard the run, and run the body in the experiment that it has set."""
        say("warning: the diag sets its MLflow experiment in its body: it runs again, in that experiment "
            "(call mlflow.set_experiment at the top of the script)")  # fmt: skip
        run.discard()
        run = self._begun()
        return run, *self._filled(run)

    def _finish(self, run: OpenRun, number: int) -> None:
        with self._explained("the diag ran, but MLflow at '{store}' was lost before it was published"):
            published = run.succeed(reserved=number)
        if self.where.note_in:
            note_publication(self.where.note_in, _facts(published, self.uri))
            _say_published(self.where.note_in, published, shown_uri(self.uri))

    def _note_failure(self, error: BaseException) -> None:
        if not isinstance(error, KeyboardInterrupt | TrackerError):
            self.require_same_run()  # else the failure would be noted beside a run that this diag never saw
            if self.where.note_in:
                diag, reason = self.publication.tags.get(Tag.DIAG, ""), redact_text(first_line_of(error))
                note_failure(self.where.note_in, diag=diag, tracking_uri=shown_uri(self.uri), error=reason)
        if "is already active. To start a new run" in text_of(error):
            say("warning: a diag has a run already: mlflow.start_run() needs nested=True, or is not needed at all")

    def _explained(self, what: str) -> AbstractContextManager[None]:
        return in_one_line(what.format(store=shown_uri(self.uri)), self.later)


def _say_published(save_dir: Path, published: PublishedRun, store: str) -> None:
    """Say in one line where the publication is; a store without a server has no address of its own."""
    about = f"{near(save_dir)} as MLflow run {published.run_id[:8]} (generation {published.generation})"
    address = f": {store.rstrip('/')}/#/experiments/{published.experiment_id}/runs/{published.run_id}"
    tell(f"published {about}{address if store.startswith('http') else ''}")


def _facts(published: PublishedRun, uri: str) -> dict[str, object]:
    tags = published.tags
    return {
        "metrics": metrics_of(uri, published),
        "generation": published.generation,
        "mlflow_run_id": published.run_id,
        "tracking_uri": shown_uri(uri),
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
