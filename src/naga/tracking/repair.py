"""Finding publications that were left in pieces, and putting them right."""

from collections import defaultdict
from collections.abc import Iterator
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING

from naga.tracking.history import History, HistoryEntry, unlinked
from naga.tracking.mlflow_settings import quiet
from naga.tracking.store import answering_soon, in_one_line, known_store, shown_uri
from naga.tracking.tags import Status, Tag

if TYPE_CHECKING:
    from mlflow import MlflowClient


def repair_history(start: Path) -> list[str]:
    """Settle what diags, their processes or people have left unsettled, in all experiments of the store.

    Those whose process died become abandoned; of several active ones of one run the newest stays; where none is active
    the newest is again; and what is superseded leads to the active one.
    """
    with known_store(start) as uri:
        if uri is None:
            return []
        import mlflow

        hint = "MLFLOW_TRACKING_URI names another store"
        what = f"the publications in MLflow at '{shown_uri(uri)}' were not looked through"
        with in_one_line(what, hint), answering_soon(), quiet():
            client = mlflow.MlflowClient(uri)
            return [line for experiment_id in _experiments(client) for line in _repair(History(client, experiment_id))]


def _experiments(client: "MlflowClient") -> Iterator[str]:
    token = None
    while True:
        page = client.search_experiments(page_token=token)
        yield from (experiment.experiment_id for experiment in page)
        token = page.token
        if not token:
            return


def _repair(history: History) -> Iterator[str]:
    entries = history.find(f"tags.`{Tag.LOGICAL_KEY}` != ''")
    for entry in history.abandon(entries):
        yield f"{_name(entry)}: its process died while it was published; it is abandoned"
    of_key: dict[str, list[HistoryEntry]] = defaultdict(list)
    for entry in sorted(entries.values(), key=attrgetter("order"), reverse=True):
        of_key[entry.tags[Tag.LOGICAL_KEY]].append(entry)
    for logical_run in of_key.values():
        yield from _repair_logical_run(history, logical_run)


def _repair_logical_run(history: History, newest_first: list[HistoryEntry]) -> Iterator[str]:
    active: list[HistoryEntry] = []
    for entry in [entry for entry in newest_first if entry.status == Status.ACTIVE]:
        if keeper := _of_same(entry, active):
            history.deprecate(entry, keeper)
            yield f"{_name(entry)}: it was active beside {_name(keeper)}; it is deprecated"
        else:
            active.append(entry)
    known = {entry.run_id: entry for entry in newest_first}
    ends = {entry.run_id for entry in newest_first if entry.status == Status.ACTIVE}
    for entry in unlinked(known, ends):
        if keeper := _of_same(entry, active):
            history.deprecate(entry, keeper)
            yield f"{_name(entry)}: it led to no active MLflow run; it leads to {_name(keeper)}"
        else:
            history.edit(entry, {Tag.STATUS: Status.ACTIVE})
            active.append(entry)
            yield f"{_name(entry)}: no MLflow run of it was active; it is now, as the newest"


def _of_same(entry: HistoryEntry, others: list[HistoryEntry]) -> HistoryEntry | None:
    """Find the publication of the same run or folder; of another clone, the same name means nothing."""
    tags = entry.tags
    return next((other for other in others if other.is_of(tags.get(Tag.RUN_ID), tags.get(Tag.PLACE))), None)


def _name(entry: HistoryEntry) -> str:
    return f"{entry.tags.get(Tag.NAME, '')} ({entry.run_id[:8]})"
