"""What a store holds of runs, read without changing it.

A local SQLite store is read as the file that it is: MLflow takes seconds to import, opening a store through it may
write to it, and it reads the parameters of every run that it finds, which takes as long as all else in a publication.
"""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import unquote, urlsplit

from naga.errors import TrackerError
from naga.frozen import dataclass
from naga.tracking.mlflow_errors import answering_soon, in_one_line
from naga.tracking.store import check_file, local_file, require_mlflow, shown_uri
from naga.tracking.tags import Status, Tag, generation_of, unpacked

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run as MlflowRun

SUPERSEDED = " (superseded)"  # at the end of a name

# A logical run that was published more often than this has its old links left as they are, but in a SQLite store.
PAGE = 100

_ANY_KEY = f"tags.`{Tag.LOGICAL_KEY}` != ''"
_NOT_DEPRECATED = f" and tags.`{Tag.STATUS}` != '{Status.DEPRECATED}'"
_ROWS = """
    SELECT runs.run_uuid, CAST(experiment_id AS TEXT), start_time, artifact_uri, status, tags.key, tags.value
    FROM tags JOIN runs ON tags.run_uuid = runs.run_uuid JOIN experiments USING (experiment_id)
    WHERE (tags.key LIKE 'naga.%' OR tags.key IN ('mlflow.runName', 'mlflow.note.content'))
"""
_THERE = " AND runs.lifecycle_stage = 'active' AND experiments.lifecycle_stage = 'active'"
_OF_ANY_KEY = " AND runs.run_uuid IN (SELECT run_uuid FROM tags WHERE key = ? AND value != '')"
_OF_KEY = " AND runs.run_uuid IN (SELECT run_uuid FROM tags WHERE key = ? AND value = ?)"
_WITHOUT = " AND runs.run_uuid NOT IN (SELECT run_uuid FROM tags WHERE key = ? AND value = ?)"
_OF_RUN = " AND runs.run_uuid = ?"
_METRICS = "SELECT key, CASE WHEN is_nan THEN NULL ELSE value END FROM latest_metrics WHERE run_uuid = ?"


@dataclass(frozen=True, slots=True)
class PublishedRun:
    """One publication, as MLflow holds it; ``metrics`` is None where they were not read."""

    run_id: str
    experiment_id: str
    start_time: int
    tags: dict[str, str]
    artifact_uri: str = ""
    running: bool = False
    metrics: Mapping[str, float] | None = None

    @property
    def name(self) -> str:
        """As it is called in MLflow, superseded or not."""
        return self.tags.get(Tag.NAME, self.run_id).removesuffix(SUPERSEDED)

    @property
    def status(self) -> str:
        """The value of ``naga.run_status``."""
        return self.tags.get(Tag.STATUS, "")

    @property
    def generation(self) -> int:
        """How many came before it, and one."""
        return generation_of(self.tags)

    @property
    def order(self) -> tuple[int, int, str]:
        """Which of several is the newest: the largest. Clocks differ between machines, generations do not."""
        return self.generation, self.start_time, self.run_id

    def is_of(self, other: Mapping[str, str]) -> bool:
        """Tell by the tags of another whether it is of the same run or folder; the name alone counts without them."""
        mine = self.tags
        if any(tag not in tags for tag in (Tag.RUN_ID, Tag.PLACE) for tags in (mine, other)):
            return True
        return any(mine.get(tag) == other[tag] for tag in (Tag.RUN_ID, Tag.PLACE, Tag.FOLDER) if tag in other)


Publications = Mapping[str, PublishedRun]


def published_run(run: "MlflowRun") -> PublishedRun:
    """Read what Naga needs to know of an MLflow run."""
    info, data = run.info, run.data
    return PublishedRun(
        info.run_id,
        info.experiment_id,
        info.start_time,
        unpacked(data.tags),
        info.artifact_uri,
        info.status == "RUNNING",
        data.metrics,
    )


class Reader(Protocol):
    """Finds publications in a store, as they are at the time of the call."""

    def everything(self) -> dict[str, PublishedRun]:
        """Return all publications of all runs."""

    def known(self, key: str) -> tuple[dict[str, PublishedRun], bool]:
        """Return the publications of a logical run, and whether all the deprecated ones are among them."""

    def not_deprecated(self, key: str) -> dict[str, PublishedRun]:
        """Return the publications of a logical run that no other has superseded."""

    def read(self, run_id: str) -> PublishedRun:
        """Return one publication."""

    def widen(self) -> None:
        """Look into all experiments that the store has now."""


def reader_of(client: "MlflowClient", experiments: Sequence[str] | None = None) -> Reader:
    """Return what reads a store: of a server, in some of its experiments, or in all that there are now."""
    file = local_file(client.tracking_uri)
    return _FileReader(file) if file else _MlflowReader(client, experiments)


class _FileReader:
    """Reads a SQLite store; of all experiments, since none of them costs a request."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def everything(self) -> dict[str, PublishedRun]:
        return self._found(_ROWS + _THERE + _OF_ANY_KEY, Tag.LOGICAL_KEY)

    def known(self, key: str) -> tuple[dict[str, PublishedRun], bool]:
        return self._found(_ROWS + _THERE + _OF_KEY, Tag.LOGICAL_KEY, key), True

    def not_deprecated(self, key: str) -> dict[str, PublishedRun]:
        values = (Tag.LOGICAL_KEY, key, Tag.STATUS, Status.DEPRECATED)
        return self._found(_ROWS + _THERE + _OF_KEY + _WITHOUT, *values)

    def read(self, run_id: str) -> PublishedRun:
        found = self._found(_ROWS + _OF_RUN, run_id)
        if run_id not in found:
            raise TrackerError(f"MLflow run {run_id} is no longer in '{self._file}'")
        return found[run_id]

    def widen(self) -> None:
        """Do nothing: all were looked into before."""

    def _found(self, query: str, *values: str) -> dict[str, PublishedRun]:
        tags: dict[tuple[Any, ...], dict[str, str]] = {}
        for *about, key, value in _rows(self._file, query, values):
            tags.setdefault(tuple(about), {})[key] = value
        return {
            run_id: PublishedRun(run_id, experiment, start, unpacked(mine), artifacts, status == "RUNNING")
            for (run_id, experiment, start, artifacts, status), mine in tags.items()
        }


class _MlflowReader:
    """Asks MLflow, in some experiments of a store."""

    def __init__(self, client: "MlflowClient", experiments: Sequence[str] | None = None) -> None:
        self._client = client
        self._experiments = _experiment_ids(client) if experiments is None else experiments

    def everything(self) -> dict[str, PublishedRun]:
        return self.find(_ANY_KEY)

    def known(self, key: str) -> tuple[dict[str, PublishedRun], bool]:
        runs, token = self._search(_of_key(key), most=PAGE)
        if token is None:
            return runs, True
        return self.not_deprecated(key), False

    def not_deprecated(self, key: str) -> dict[str, PublishedRun]:
        return self.find(_of_key(key) + _NOT_DEPRECATED)

    def read(self, run_id: str) -> PublishedRun:
        return published_run(self._client.get_run(run_id))

    def widen(self) -> None:
        self._experiments = _experiment_ids(self._client)

    def find(self, wanted: str) -> dict[str, PublishedRun]:
        """Return all publications that a filter lets through."""
        found, token = self._search(wanted)
        while token is not None:
            more, token = self._search(wanted, token)
            found |= more
        return found

    def _search(
        self, wanted: str, token: str | None = None, most: int = 1000
    ) -> tuple[dict[str, PublishedRun], str | None]:
        if not self._experiments:
            return {}, None
        page = self._client.search_runs([*self._experiments], wanted, max_results=most, page_token=token)
        return {run.info.run_id: published_run(run) for run in page}, page.token or None


def search(client: "MlflowClient", wanted: str) -> dict[str, PublishedRun]:
    """Ask MLflow for all publications in all experiments that a filter lets through."""
    return _MlflowReader(client).find(wanted)


def newest_published(uri: str) -> dict[str, PublishedRun]:
    """Find the newest complete publication of every run."""
    complete = (one for one in _published(uri).values() if one.status in (Status.ACTIVE, Status.DEPRECATED))
    oldest_first = sorted(complete, key=attrgetter("order"))
    return {published.tags[Tag.RUN_ID]: published for published in oldest_first if Tag.RUN_ID in published.tags}


def metrics_of(uri: str, published: PublishedRun) -> dict[str, float]:
    """Return the last value of each metric of a publication."""
    if published.metrics is not None:
        return dict(published.metrics)
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
    mine = [one.run_id for one in _published(uri).values() if one.tags.get(Tag.RUN_ID) == run_id]
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


def _published(uri: str) -> Publications:
    file = local_file(uri)
    if file is None:
        hint = "MLFLOW_TRACKING_URI says where to look"
        with in_one_line(f"nothing can be read from MLflow at '{shown_uri(uri)}'", hint), answering_soon():
            return _MlflowReader(_client(uri)).everything()
    if not file.exists():
        return {}
    check_file(file)
    return _FileReader(file).everything()


def _of_key(key: str) -> str:
    return f"tags.`{Tag.LOGICAL_KEY}` = '{key}'"


def _experiment_ids(client: "MlflowClient") -> list[str]:
    """Name all experiments of a store that are not deleted."""
    found: list[str] = []
    token = None
    while True:
        page = client.search_experiments(page_token=token)
        found += [experiment.experiment_id for experiment in page]
        token = page.token
        if not token:
            return found


def _rows(file: Path, query: str, values: tuple[Any, ...] = ()) -> list[Any]:
    try:
        with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True, timeout=30)) as connection:
            return connection.execute(query, values).fetchall()
    except sqlite3.Error as error:
        raise TrackerError(f"'{file}' cannot be read as an MLflow store: {error}") from error


def _client(uri: str) -> "MlflowClient":
    require_mlflow()
    import mlflow

    return mlflow.MlflowClient(uri)
