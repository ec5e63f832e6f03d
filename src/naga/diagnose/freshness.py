"""Whether the MLflow run of a run is what its diag would publish today."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from naga.project import project_root
from naga.runs.find import Run
from naga.save_dir.archive import home_of
from naga.tracking.published_runs import PublishedRun, newest_published
from naga.tracking.store import local_file, shown_uri, store_of
from naga.tracking.tags import Status, Tag

if TYPE_CHECKING:
    from naga.diagnose.diag_key import DiagKey


class Freshness:
    """The publications of a store, compared with the files of a project."""

    def __init__(self, published: Mapping[str, PublishedRun], root: Path) -> None:
        self._published = published
        self._root = root
        self._keys: dict[tuple[str | None, ...], DiagKey | None] = {}

    def of(self, run: Run) -> str:
        """Say ``fresh``, ``stale`` or ``never`` of a run."""
        published = self._published.get(run.run_id)
        if published is None:
            return "never"
        if published.tags.get(Tag.STATUS) != Status.ACTIVE and not home_of(run.save_dir, run.run_id)[1]:
            return "stale"
        if ":" not in published.tags.get(Tag.DIAG, ""):
            # Written in a notebook: the run is all that can be compared.
            return "fresh" if published.tags.get(Tag.LOCK_HASH) == run.lock_hash else "stale"
        key_today = self._key_today(published)
        return "fresh" if key_today and key_today.key(run.lock_hash) == published.tags.get(Tag.DIAG_KEY) else "stale"

    def is_fresh(self, run: Run, *, file: str, function: str = "", recorded: bool = False) -> bool:
        """Return whether a run's MLflow run is fresh, and of this diag or of any in its file."""
        published = self._published.get(run.run_id)
        if published is None or (published.tags.get(Tag.DIAG_CODE) is not None) != recorded:
            return False
        name, _, own = published.tags.get(Tag.DIAG, "").rpartition(":")
        return name == file and function in ("", own) and self.of(run) == "fresh"

    def published(self, run: Run) -> PublishedRun | None:
        """Return the newest MLflow run of a run."""
        return self._published.get(run.run_id)

    def _key_today(self, published: PublishedRun) -> "DiagKey | None":
        from naga.diagnose.diag_key import diag_key_today  # it knows git, which most tables need not

        key = tuple(published.tags.get(tag) for tag in (Tag.DIAG, Tag.DIAG_ARGUMENTS, Tag.DIAG_CODE))
        if key not in self._keys:
            self._keys[key] = diag_key_today(published.tags, self._root)
        return self._keys[key]


def freshness(runs: Sequence[Run], start: Path) -> dict[str, str]:
    """Say of each run whether the configured store holds what today's diag would publish.

    What is noted beside the runs is enough; a local store is read for those that have no note of it.
    """
    if not runs:
        return {}
    # Results may be outside of the project that one works in.
    own = start.absolute() if (project_root(start.absolute()) / "mlflow.db").exists() else Path.cwd()
    uri = store_of(own)
    notes = {run.run_id: run.summary.publication for run in runs}
    noted = {run_id: one for run_id, note in notes.items() if (one := _noted(run_id, note, shown_uri(uri)))}
    read = newest_published(uri) if len(noted) < len(runs) and local_file(uri) else {}
    freshness_now = Freshness({**read, **noted}, project_root(own))
    failed = {run_id for run_id, note in notes.items() if _has_failed(note, shown_uri(uri))}
    return {run.run_id: "failed" if run.run_id in failed else freshness_now.of(run) for run in runs}


def _noted(run_id: str, note: Mapping[str, Any], uri: str) -> PublishedRun | None:
    if note.get("tracking_uri") != uri or not note.get("mlflow_run_id"):
        return None
    named = {Tag.LOCK_HASH: "lock_hash", Tag.DIAG: "diag", Tag.DIAG_ARGUMENTS: "diag_arguments",
             Tag.DIAG_CODE: "diag_code", Tag.DIAG_KEY: "diag_key"}  # fmt: skip
    tags = {tag: str(note[key]) for tag, key in named.items() if note.get(key)}
    tags |= {Tag.RUN_ID: run_id, Tag.STATUS: Status.ACTIVE}
    return PublishedRun(str(note["mlflow_run_id"]), str(note.get("experiment_id")), 0, tags)


def _has_failed(note: Mapping[str, Any], uri: str) -> bool:
    failure = note.get("last_failure")
    return isinstance(failure, dict) and failure.get("tracking_uri") == uri
