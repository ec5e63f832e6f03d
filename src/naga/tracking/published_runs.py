"""What a store holds of runs, read without changing it.

A local SQLite store is read as the file that it is: MLflow takes seconds to import, and opening a store through it may
write to it.
"""

import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from naga.errors import TrackerError
from naga.tracking.store import answering_soon, in_one_line, local_file, require_mlflow, shown_uri
from naga.tracking.tags import Status, Tag, generation_of

if TYPE_CHECKING:
    from mlflow import MlflowClient


_PAGES = """
    SELECT runs.run_uuid, runs.artifact_uri, runs.start_time, tags.key, tags.value
    FROM tags JOIN runs ON tags.run_uuid = runs.run_uuid JOIN experiments USING (experiment_id)
    WHERE runs.lifecycle_stage = 'active' AND (tags.key LIKE 'naga.%' OR tags.key = 'mlflow.runName')
    AND (? IS NULL OR CAST(experiment_id AS TEXT) = ?) AND (? IS NULL OR experiments.name = ?)
"""
_METRICS = "SELECT key, CASE WHEN is_nan THEN NULL ELSE value END FROM latest_metrics WHERE run_uuid = ?"


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedRun:
    """One publication: its id in MLflow, where its artifacts lie, when it began, and Naga's tags."""

    id: str
    artifact_uri: str
    start_time: int
    tags: Mapping[str, str]

    @property
    def name(self) -> str:
        """As MLflow shows it."""
        return self.tags.get(Tag.NAME, self.id)

    @property
    def order(self) -> tuple[int, int, str]:
        """Which of several is the newest: the largest."""
        return generation_of(self.tags), self.start_time, self.id


def newest_published(uri: str) -> dict[str, PublishedRun]:
    """Find the newest complete publication of every run."""
    newest: dict[str, PublishedRun] = {}
    for page in sorted(_pages(uri), key=lambda page: page.order):
        if page.tags.get(Tag.STATUS) in (Status.ACTIVE, Status.DEPRECATED) and Tag.RUN_ID in page.tags:
            newest[page.tags[Tag.RUN_ID]] = page
    return newest


def metrics_of(uri: str, page: PublishedRun) -> dict[str, float]:
    """Give the last value of each metric of a page."""
    file = local_file(uri)
    if file is None:
        with answering_soon():
            return dict(_client(uri).get_run(page.id).data.metrics)
    return {key: float("nan") if value is None else value for key, value in _rows(file, _METRICS, (page.id,))}


def artifacts_of(uri: str, page: PublishedRun) -> set[str]:
    """Name the artifacts of a page."""
    if page.artifact_uri.startswith(("file:", "/")):
        folder = Path(unquote(urlsplit(page.artifact_uri).path))
        return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    return set(_listed(_client(uri), page.id, None))


def _listed(client: "MlflowClient", run_id: str, path: str | None) -> Iterator[str]:
    for found in client.list_artifacts(run_id, path):
        if found.is_dir:
            yield from _listed(client, run_id, found.path)
        else:
            yield found.path


def _pages(uri: str) -> Iterable[PublishedRun]:
    file = local_file(uri)
    if file is None:
        return _asked(uri)
    if not file.exists():
        return ()
    number, name = (os.environ.get(f"MLFLOW_EXPERIMENT_{part}") for part in ("ID", "NAME"))
    name = None if number else name
    facts: dict[str, tuple[str, int]] = {}
    tags: dict[str, dict[str, str]] = {}
    for run_id, artifacts, began, key, value in _rows(file, _PAGES, (number, number, name, name)):
        facts[run_id] = artifacts, began
        tags.setdefault(run_id, {})[key] = value
    return [PublishedRun(id=i, artifact_uri=facts[i][0], start_time=facts[i][1], tags=tags[i]) for i in tags]


def _rows(file: Path, query: str, values: tuple[Any, ...]) -> list[Any]:
    try:
        with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True, timeout=30)) as connection:
            return connection.execute(query, values).fetchall()
    except sqlite3.Error as error:
        raise TrackerError(f"'{file}' cannot be read as an MLflow store: {error}") from error


def _client(uri: str) -> "MlflowClient":
    require_mlflow()
    import mlflow

    return mlflow.MlflowClient(uri)


def _asked(uri: str) -> list[PublishedRun]:
    client = _client(uri)
    hint = "MLFLOW_TRACKING_URI says where to look"
    with in_one_line(f"nothing can be read from MLflow at '{shown_uri(uri)}'", hint), answering_soon():
        return list(_searched(client, _experiments(client)))


def _experiments(client: "MlflowClient") -> list[str]:
    if number := os.environ.get("MLFLOW_EXPERIMENT_ID"):
        return [number]
    if name := os.environ.get("MLFLOW_EXPERIMENT_NAME"):
        experiment = client.get_experiment_by_name(name)
        return [experiment.experiment_id] if experiment else []
    found, token = [], None
    while True:
        page = client.search_experiments(page_token=token)
        found += [experiment.experiment_id for experiment in page]
        token = page.token
        if not token:
            return found


def _searched(client: "MlflowClient", experiments: list[str]) -> Iterator[PublishedRun]:
    token = None
    while experiments:
        runs = client.search_runs(experiments, f"tags.`{Tag.LOGICAL_KEY}` != ''", max_results=1000, page_token=token)
        for run in runs:
            info = run.info
            yield PublishedRun(
                id=info.run_id, artifact_uri=info.artifact_uri, start_time=info.start_time, tags=run.data.tags
            )
        token = runs.token
        if not token:
            return
