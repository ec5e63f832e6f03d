"""One MLflow run, from its first write to the last."""

import os
import threading
from contextlib import suppress
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from naga.layout import DIAG
from naga.terminal import say
from naga.tracking.experiment import experiment_named
from naga.tracking.history import History
from naga.tracking.mlflow_errors import answering_soon
from naga.tracking.mlflow_settings import quiet
from naga.tracking.publication import Publication
from naga.tracking.published_runs import PublishedRun, published_run
from naga.tracking.supersede import next_generation, supersede
from naga.tracking.tags import Status, Tag, packed

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run as MlflowRun

_starting = threading.Lock()  # MLflow's first call in a process creates what its other threads would create, too


def open_run(publication: Publication, uri: str, experiment: str | None = None) -> "OpenRun":
    """Begin an MLflow run, in an experiment of this name; what the diag logs from now on in this thread goes there."""
    import mlflow

    outer = mlflow.active_run()
    with _starting, quiet(), answering_soon():
        client = mlflow.MlflowClient(uri)
        number = experiment_named(client, experiment) if experiment else None
        tags = packed({**publication.tags, **({Tag.EXPERIMENT: experiment} if experiment else {})})
        # The load of the machine that publishes says nothing of the run.
        run = mlflow.start_run(
            run_name=publication.name, tags=tags, nested=True, log_system_metrics=False, experiment_id=number
        )
    return OpenRun(publication, client, run, outer.info.run_id if outer else None)


class OpenRun:
    """An MLflow run that has begun."""

    def __init__(self, publication: Publication, client: "MlflowClient", run: "MlflowRun", outer: str | None) -> None:
        self._publication = publication
        self._client = client
        self._run_id: str = run.info.run_id
        self._outer = outer
        self._entry = published_run(run)
        self._history = History(client, [run.info.experiment_id])

    def write(self) -> None:
        """Log what is known before the diag's body runs."""
        from mlflow.entities import Param
        from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

        for batch in self._publication.params:
            params = [Param(key, value) for key, value in batch.items()]
            self._client.log_batch(self._run_id, params=params, synchronous=True)
        # MLflow's client would ask the server where they go, which it said when the run began.
        artifacts = get_artifact_repository(self._entry.artifact_uri, tracking_uri=self._client.tracking_uri)
        for path in self._publication.artifacts:
            artifacts.log_artifact(str(path))  # type: ignore[no-untyped-call]
        if self._publication.datasets:
            self._write_inputs()

    def _write_inputs(self) -> None:
        from mlflow.entities import Dataset, DatasetInput, InputTag
        from mlflow.exceptions import MlflowException

        tag = InputTag("mlflow.data.context", "input")
        inputs = [
            DatasetInput(Dataset(data.name, data.digest, "local", data.source, profile=data.profile), [tag])
            for data in self._publication.datasets
        ]
        # MLflow fails, and writes nothing, where another process adds the same data set to the experiment meanwhile.
        for _ in inputs:
            with suppress(MlflowException):
                return self._client.log_inputs(self._run_id, inputs)
        return self._client.log_inputs(self._run_id, inputs)

    def next_generation(self) -> int:
        """Ask which number it would have if it was complete now."""
        return next_generation(self._history, self._publication)

    @property
    def experiment_id(self) -> str:
        """The experiment that it is in."""
        return self._entry.experiment_id

    def log_folder(self, generation: int, folder: Path) -> None:
        """Publish what the diag has made in the folder of its own."""
        files = [path for path in folder.rglob("*") if not path.is_dir()] if generation else []
        odd = {path: why for path in files if (why := _why_not(path))}
        for path, why in odd.items():
            say(f"warning: '{path}' {why}: it is not published")
        for path in [path for path in files if path not in odd] if odd else []:
            self._client.log_artifact(self._run_id, str(path), str(PurePath(DIAG, path.parent.relative_to(folder))))
        if files and not odd:
            self._client.log_artifacts(self._run_id, str(folder), DIAG)
        if files:
            self._history.edit(self._entry, {Tag.DIAG_DIR: f"{DIAG}/{generation}"})

    def succeed(self, *, reserved: int) -> PublishedRun:
        """End the run, and make it the active one; ``reserved`` is the number of the folder that its diag was given."""
        import mlflow

        mlflow.flush_async_logging()  # what the diag has logged in its own way is part of it
        self._end("FINISHED")
        mine = supersede(self._history, self._entry, self._publication, reserved=reserved)
        if self._publication.archived and mine.status != Status.ACTIVE:
            name = self._publication.name
            say(f"{name}: a newer run was computed in this folder, whose MLflow run stays the active one")
        return mine

    def discard(self) -> None:
        """Delete the run, which belongs elsewhere."""
        self.fail()
        self._client.delete_run(self._run_id)

    def fail(self) -> None:
        """End the run as failed, if the server still answers."""
        from mlflow.exceptions import MlflowException

        with suppress(MlflowException, OSError):
            self._end("FAILED")
            self._history.edit(self._entry, {Tag.STATUS: Status.FAILED})

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
            where = f"is in MLflow run {', '.join(strays)}" if strays else "is not in its MLflow run"
            say(f"warning: the diag ended its own MLflow run (mlflow.end_run()): what it logged afterwards {where}")
        if failures:
            raise failures[0]


def _why_not(path: Path) -> str:
    """Say why a file cannot be published: MLflow would be blamed for it, or wait for ever on a pipe."""
    if not path.exists():
        return f"is a link to '{path.readlink()}', which is not there"
    if not path.is_file():
        return "is no regular file"
    return "" if os.access(path, os.R_OK) else "cannot be read"
