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

from naga.tracking.history import Entries, Entry, Ledger
from naga.tracking.publication import Draft
from naga.tracking.tags import Status, Tag


def next_generation(ledger: Ledger, draft: Draft) -> int:
    """Give the number of a publication that is complete now."""
    known, _ = ledger.known(draft.key)
    return 1 + max((entry.generation for entry in _related(draft, known).values()), default=0)


def settle(
    ledger: Ledger,
    mine: Entry,
    draft: Draft,
    *,
    reserved: int = 0,
    further: Mapping[str, str] = MappingProxyType({}),
) -> str | None:
    """Make a publication, which MLflow holds as finished, the active one, and the former ones deprecated."""
    known, complete = ledger.known(draft.key)
    mine = known.pop(mine.run_id, mine)
    mine = _promote(ledger, mine, _related(draft, known), draft, reserved=reserved, further=further)
    active = _related(draft, ledger.active(draft.key))
    if mine.status == Status.ACTIVE:
        active[mine.run_id] = mine
    if not active:
        return None
    *losers, keeper = sorted(active.values(), key=attrgetter("order"))
    for loser in losers:
        ledger.deprecate(loser, keeper)
    if keeper is mine and losers and losers[-1].run_id != mine.tags.get(Tag.SUPERSEDES):
        ledger.edit(mine, ledger.link(mine, Tag.SUPERSEDES, losers[-1]))
    if complete:
        ledger.mend_chains(_related(draft, known), active, keeper)
    ledger.abandon(known)
    return keeper.run_id


def _promote(
    ledger: Ledger, mine: Entry, related: Entries, draft: Draft, *, reserved: int, further: Mapping[str, str]
) -> Entry:
    elders = sorted(related.values(), key=attrgetter("order"))
    active = [entry for entry in elders if entry.status == Status.ACTIVE]
    generation = max(reserved, 1 + (elders[-1].generation if elders else 0))
    tags = {Tag.NAME: f"{draft.name} #{generation}", Tag.GENERATION: str(generation), Tag.STATUS: Status.ACTIVE}
    tags |= further
    newer = [entry for entry in active if entry.tags.get(Tag.RUN_ID) != draft.run_id]
    if draft.archived and newer:
        # The path belongs to the run that was computed there later, and so does the page.
        tags |= {Tag.STATUS: Status.DEPRECATED, **ledger.link(mine, Tag.SUPERSEDED_BY, newer[-1])}
    elif active:
        tags |= ledger.link(mine, Tag.SUPERSEDES, active[-1])
    ledger.edit(mine, tags)
    return replace(mine, tags={**mine.tags, **tags})


def _related(draft: Draft, entries: Entries) -> dict[str, Entry]:
    """Select what is of this run, or of those that lay in its folder before."""
    return {
        run_id: entry
        for run_id, entry in entries.items()
        if entry.is_of(draft.run_id, draft.place) or entry.tags[Tag.RUN_ID] in draft.former
    }
