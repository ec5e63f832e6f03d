"""Finding publications that were left in pieces, and putting them right."""

from collections import defaultdict
from collections.abc import Iterator
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING

from naga.errors import TrackerError
from naga.tracking.experiment import configured_experiment, experiment_by_number
from naga.tracking.history import History, unlinked
from naga.tracking.mlflow_errors import answering_soon, in_one_line
from naga.tracking.mlflow_settings import quiet
from naga.tracking.published_runs import PublishedRun
from naga.tracking.store import known_store, shown_uri
from naga.tracking.tags import Status, Tag

if TYPE_CHECKING:
    from mlflow import MlflowClient


def repair_history(start: Path) -> list[str]:
    """Settle what diags, their processes or people have left unsettled, wherever in the store.

    Those whose process died become abandoned; of several active ones of one run the newest stays; where none is active
    the newest is again; and what is superseded leads to the active one.
    """
    with known_store(start) as uri:
        if uri is None:
            return []
        import mlflow

        what = f"the publications in MLflow at '{shown_uri(uri)}' were not looked through"
        with in_one_line(what), answering_soon(), quiet():
            client = mlflow.MlflowClient(uri)
            _require_experiment(client, start)
            return list(_repair(History(client)))


def _require_experiment(client: "MlflowClient", start: Path) -> None:
    """Report a deleted experiment that the next publication would go to: all of them would fail."""
    name = configured_experiment(start)
    found = client.get_experiment_by_name(name) if name else client.get_experiment(experiment_by_number())
    if found is not None and found.lifecycle_stage == "deleted":
        hint = f"mlflow experiments restore --experiment-id {found.experiment_id}, or MLFLOW_EXPERIMENT_NAME=another"
        raise TrackerError(f"nothing can be published: the MLflow experiment '{found.name}' is deleted", hint=hint)


def _repair(history: History) -> Iterator[str]:
    entries = history.reader.everything()
    for entry in history.abandon(entries):
        yield f"{_name(entry)}: its process died while it was published; it is abandoned"
    of_key: dict[str, list[PublishedRun]] = defaultdict(list)
    for entry in sorted(entries.values(), key=attrgetter("order"), reverse=True):
        of_key[entry.tags[Tag.LOGICAL_KEY]].append(entry)
    for newest_first in of_key.values():
        yield from _repair_active(history, newest_first)
        yield from _repair_links(history, newest_first)


def _repair_active(history: History, newest_first: list[PublishedRun]) -> Iterator[str]:
    of_run: dict[str, list[PublishedRun]] = {}
    for entry in [entry for entry in newest_first if entry.status == Status.ACTIVE]:
        newer = _of_same(entry, [newest for newest, *_ in of_run.values()])
        of_run.setdefault((newer or entry).run_id, []).append(entry)
    for active in of_run.values():
        keeper, losers = history.keep_largest(active)
        for loser in reversed(losers):
            yield f"{_name(loser)}: it was active beside {_name(keeper)}; it is deprecated"


def _repair_links(history: History, newest_first: list[PublishedRun]) -> Iterator[str]:
    active = [entry for entry in newest_first if entry.status == Status.ACTIVE]
    for entry in unlinked({entry.run_id: entry for entry in newest_first}, {entry.run_id for entry in active}):
        if keeper := _of_same(entry, active):
            history.deprecate(entry, keeper)
            yield f"{_name(entry)}: it led to no active MLflow run; it leads to {_name(keeper)}"
        else:
            history.activate(entry)
            active.append(entry)
            yield f"{_name(entry)}: no MLflow run of it was active; it is now, as the newest"


def _of_same(entry: PublishedRun, others: list[PublishedRun]) -> PublishedRun | None:
    """Find the publication of the same run or folder; of another clone, the same name means nothing."""
    return next((other for other in others if other.is_of(entry.tags)), None)


def _name(entry: PublishedRun) -> str:
    return f"{entry.name} ({entry.run_id[:8]})"
