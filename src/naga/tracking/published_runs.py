"""What a store holds of runs, read without changing it.

A local SQLite store is read as the file that it is: MLflow takes seconds to import, and opening a store through it may
write to it.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from naga.errors import TrackerError
from naga.tracking.history import History, PublishedRun, experiment_ids
from naga.tracking.mlflow_errors import answering_soon, in_one_line
from naga.tracking.store import check_file, local_file, require_mlflow, shown_uri
from naga.tracking.tags import Status, Tag, unpacked

if TYPE_CHECKING:
    from mlflow import MlflowClient


_TAGS = """
    SELECT runs.run_uuid, CAST(experiment_id AS TEXT), runs.start_time, runs.artifact_uri, tags.key, tags.value
    FROM tags JOIN runs ON tags.run_uuid = runs.run_uuid JOIN experiments USING (experiment_id)
    WHERE runs.lifecycle_stage = 'active' AND experiments.lifecycle_stage = 'active'
    AND (tags.key LIKE 'naga.%' OR tags.key = 'mlflow.runName')
"""
_METRICS = "SELECT key, CASE WHEN is_nan THEN NULL ELSE value END FROM latest_metrics WHERE run_uuid = ?"


def newest_published(uri: str) -> dict[str, PublishedRun]:
    """Find the newest complete publication of every run."""
    complete = (one for one in _published(uri) if one.status in (Status.ACTIVE, Status.DEPRECATED))
    oldest_first = sorted(complete, key=attrgetter("order"))
    return {published.tags[Tag.RUN_ID]: published for published in oldest_first if Tag.RUN_ID in published.tags}


def metrics_of(uri: str, published: PublishedRun) -> dict[str, float]:
    """Give the last value of each metric of a publication."""
    file = local_file(uri)
    if file is None:
        with answering_soon():
            return dict(_client(uri).get_run(published.run_id).data.metrics)
    return {key: float("nan") if value is None else value for key, value in _rows(file, _METRICS, (published.run_id,))}


def artifacts_of(uri: str, published: PublishedRun) -> set[str]:
    """Name the artifacts of a publication."""
    if published.artifact_uri.startswith(("file:", "/")):
        folder = Path(unquote(urlsplit(published.artifact_uri).path))
        return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    return set(_listed(_client(uri), published.run_id, None))


def delete_published(uri: str, run_id: str) -> list[str]:
    """Delete, as MLflow does it, all publications of a run; give their ids."""
    mine = [one.run_id for one in _published(uri) if one.tags.get(Tag.RUN_ID) == run_id]
    client = _client(uri) if mine else None
    for name in mine:
        assert client  # noqa: S101  # there are some
        client.delete_run(name)
    return mine


def _listed(client: "MlflowClient", run_id: str, path: str | None) -> Iterator[str]:
    for found in client.list_artifacts(run_id, path):
        if found.is_dir:
            yield from _listed(client, run_id, found.path)
        else:
            yield found.path


def _published(uri: str) -> Iterable[PublishedRun]:
    file = local_file(uri)
    if file is None:
        hint = "MLFLOW_TRACKING_URI says where to look"
        with in_one_line(f"nothing can be read from MLflow at '{shown_uri(uri)}'", hint), answering_soon():
            client = _client(uri)
            return History(client, experiment_ids(client)).find(f"tags.`{Tag.LOGICAL_KEY}` != ''").values()
    if not file.exists():
        return ()
    check_file(file)
    found: dict[str, PublishedRun] = {}
    for run_id, experiment_id, start_time, artifact_uri, key, value in _rows(file, _TAGS):
        one = found.setdefault(run_id, PublishedRun(run_id, experiment_id, start_time, {}, artifact_uri))
        one.tags.update(unpacked({key: value}))
    return found.values()


def _rows(file: Path, query: str, values: tuple[Any, ...] = ()) -> list[Any]:
    try:
        with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True, timeout=4)) as connection:
            return connection.execute(query, values).fetchall()
    except sqlite3.Error as error:
        raise TrackerError(f"'{file}' cannot be read as an MLflow store: {error}") from error


def _client(uri: str) -> "MlflowClient":
    require_mlflow()
    import mlflow

    return mlflow.MlflowClient(uri)
