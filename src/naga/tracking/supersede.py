"""Which publication of a logical run is the active one.

The order of the writes is what keeps it right, whatever runs beside it or crashes in between:

1. find the active publications of this logical run;
2. promote the new one, with a generation above all of theirs: never is there none;
3. find the active ones again, keep the largest, deprecate the others.

A publication is deprecated only by who has seen a larger active one, so the largest survives; who promotes last sees
them all.
"""

from collections.abc import Mapping
from dataclasses import replace
from operator import attrgetter
from types import MappingProxyType

from naga.tracking.history import Entries, History, HistoryEntry, unlinked
from naga.tracking.publication import Publication
from naga.tracking.tags import Status, Tag


def next_generation(history: History, publication: Publication) -> int:
    """Give the number of a publication that is complete now."""
    known, _ = history.known(publication.key)
    return 1 + max((entry.generation for entry in _related(publication, known).values()), default=0)


def supersede(
    history: History,
    mine: HistoryEntry,
    publication: Publication,
    *,
    reserved: int = 0,
    further: Mapping[str, str] = MappingProxyType({}),
) -> str | None:
    """Make a publication, which MLflow holds as finished, the active one, and the former ones deprecated."""
    known, complete = history.known(publication.key)
    mine = known.pop(mine.run_id, mine)
    mine = _promote(history, mine, _related(publication, known), publication, reserved=reserved, further=further)
    active = _related(publication, history.active(publication.key))
    if mine.status == Status.ACTIVE:
        active[mine.run_id] = mine
    if not active:
        return None
    *losers, keeper = sorted(active.values(), key=attrgetter("order"))
    for loser in losers:
        history.deprecate(loser, keeper)
    if keeper is mine and losers and losers[-1].run_id != mine.tags.get(Tag.SUPERSEDES):
        history.edit(mine, history.link(mine, Tag.SUPERSEDES, losers[-1]))
    if complete:
        for entry in unlinked(_related(publication, known), active):
            history.deprecate(entry, keeper)
    history.abandon(known)
    return keeper.run_id


def _promote(
    history: History,
    mine: HistoryEntry,
    related: Entries,
    publication: Publication,
    *,
    reserved: int,
    further: Mapping[str, str],
) -> HistoryEntry:
    elders = sorted(related.values(), key=attrgetter("order"))
    active = [entry for entry in elders if entry.status == Status.ACTIVE]
    generation = max(reserved, 1 + (elders[-1].generation if elders else 0))
    tags = {Tag.NAME: f"{publication.name} #{generation}", Tag.GENERATION: str(generation), Tag.STATUS: Status.ACTIVE}
    tags |= further
    newer = [entry for entry in active if entry.tags.get(Tag.RUN_ID) != publication.run_id]
    if publication.archived and newer:
        # The path belongs to the run that was computed there later, and so does the active MLflow run.
        tags |= {Tag.STATUS: Status.DEPRECATED, **history.link(mine, Tag.SUPERSEDED_BY, newer[-1])}
    elif active:
        tags |= history.link(mine, Tag.SUPERSEDES, active[-1])
    history.edit(mine, tags)
    return replace(mine, tags={**mine.tags, **tags})


def _related(publication: Publication, entries: Entries) -> dict[str, HistoryEntry]:
    """Select what is of this run, or of those that lay in its folder before."""
    return {
        run_id: entry
        for run_id, entry in entries.items()
        if entry.is_of(publication.run_id, publication.place) or entry.tags[Tag.RUN_ID] in publication.former
    }
