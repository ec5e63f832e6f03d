"""One publication, from its first write to the last."""

import os
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from naga.diagnose.diag_dir import OwnFolder, own_folder
from naga.layout import DIAG
from naga.terminal import say
from naga.tracking.history import Ledger, entry_of
from naga.tracking.mlflow_settings import environment, quiet
from naga.tracking.publication import Draft
from naga.tracking.store import answering_soon, require_mlflow, shown_uri, told_in_one_line, tracking_store
from naga.tracking.supersede import next_generation, settle
from naga.tracking.tags import Status, Tag

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run as MlflowRun


T = TypeVar("T")

_RETRIES = "MLFLOW_HTTP_REQUEST_MAX_RETRIES"

_starting = threading.Lock()


def publish(draft: Draft, body: Callable[[], T], *, project: Path, files_in: Path, later: str) -> T:
    """Run a diag's body inside a new MLflow run, and make that run the active one of its logical run."""
    require_mlflow()
    hint = f"later: {later}"
    with tracking_store(project) as uri, _as_guest():
        with told_in_one_line(f"nothing was published to MLflow at '{shown_uri(uri)}'", hint):
            publication = _begin(draft, uri)
        try:
            with told_in_one_line(f"half of it was published to MLflow at '{shown_uri(uri)}'", hint):
                publication.write()
            with own_folder(files_in, publication.next_generation) as folder:
                result = body()
        except BaseException as error:
            publication.fail()
            if "is already active. To start a new run" in str(error):
                say("warning: a diag has a run already: mlflow.start_run() needs nested=True, or is not needed at all")
            raise
        with told_in_one_line(f"the diag ran, but MLflow at '{shown_uri(uri)}' was lost before it was published", hint):
            publication.succeed(folder)
        return result


def _as_guest() -> AbstractContextManager[None]:
    """Keep MLflow from resuming a run that the environment names, from printing addresses and from endless retries."""
    retries = {} if _RETRIES in os.environ else {_RETRIES: "2"}
    return environment({"MLFLOW_RUN_ID": None, "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true", **retries})


def _begin(draft: Draft, uri: str) -> "Publication":
    import mlflow

    outer = mlflow.active_run()
    with _starting, quiet(), answering_soon():
        run = mlflow.start_run(run_name=draft.name, tags=dict(draft.tags), nested=True)
    return Publication(draft, mlflow.MlflowClient(uri), run, outer.info.run_id if outer else None)


class Publication:
    """An MLflow run that has begun."""

    def __init__(self, draft: Draft, client: "MlflowClient", run: "MlflowRun", outer: str | None) -> None:
        self._draft = draft
        self._client = client
        self._run_id: str = run.info.run_id
        self._outer = outer
        self._entry = entry_of(run)
        self._ledger = Ledger(client, run.info.experiment_id)

    def write(self) -> None:
        """Log what is known before the diag's body runs."""
        from mlflow.entities import Param

        for batch in self._draft.params:
            self._client.log_batch(self._run_id, params=[Param(key, value) for key, value in batch.items()])
        for path in self._draft.artifacts:
            self._client.log_artifact(self._run_id, str(path))
        if self._draft.datasets:
            self._write_inputs()

    def _write_inputs(self) -> None:
        from mlflow.entities import Dataset, DatasetInput, InputTag
        from mlflow.exceptions import MlflowException

        tag = InputTag("mlflow.data.context", "input")
        inputs = [
            DatasetInput(Dataset(data.name, data.digest, "local", data.source, profile=data.profile), [tag])
            for data in self._draft.datasets
        ]
        # MLflow fails, and writes nothing, where another process adds the same data set to the experiment meanwhile.
        for _ in inputs:
            with suppress(MlflowException):
                return self._client.log_inputs(self._run_id, inputs)
        return self._client.log_inputs(self._run_id, inputs)

    def next_generation(self) -> int:
        """Ask which number it would have if it was complete now."""
        return next_generation(self._ledger, self._draft)

    def succeed(self, folder: OwnFolder) -> None:
        """End the run, and make it the active one."""
        named = {}
        if folder.generation and any(folder.path.iterdir()):
            self._client.log_artifacts(self._run_id, str(folder.path), DIAG)
            named = {Tag.DIAG_DIR: folder.name}
        self._end("FINISHED")
        active = settle(self._ledger, self._entry, self._draft, reserved=folder.generation, further=named)
        if self._draft.archived and active != self._run_id:
            say(f"{self._draft.name}: a newer run was computed in this folder, and its page stays the active one")

    def fail(self) -> None:
        """End the run as failed, as far as the server can still be told."""
        from mlflow.exceptions import MlflowException

        with suppress(MlflowException, OSError):
            self._end("FAILED")
            self._ledger.edit(self._entry, {Tag.STATUS: Status.FAILED})

    def _end(self, status: str) -> None:
        """Leave the run, and whatever the body began and left open: MLflow's stack is as it was before."""
        import mlflow

        strays, failures = [], []
        while (run := mlflow.active_run()) is not None and run.info.run_id != self._outer:
            try:
                mlflow.end_run(status)
            except Exception as error:  # noqa: BLE001  # it has left the stack all the same; the others must, too
                failures.append(error)
            if run.info.run_id == self._run_id:
                break
            strays.append(run.info.run_id)
        else:
            self._client.set_terminated(self._run_id, status)
            where = f"is in MLflow run {', '.join(strays)}" if strays else "is not on its page"
            say(f"warning: the diag ended its own MLflow run (mlflow.end_run()): what it logged afterwards {where}")
        if failures:
            raise failures[0]
