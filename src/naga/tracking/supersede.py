"""Which publication of a logical run is the active one.

The order of the writes is what keeps it right, whatever runs beside it or crashes in between:

1. find the publications of this logical run, in the experiment of the new one;
2. promote the new one, with a generation above all of theirs: never is there none;
3. find them again, in all experiments that there are by now; keep the largest active one, deprecate the others.

A publication is deprecated only by who has seen a larger active one, so the largest survives; who promotes last sees
them all. Two that promote at once may take the same generation: their start times, then their ids, order them, and both
processes find the same order. Experiments are listed between promoting and the second search: who makes a new one later
has yet to search, and finds what was promoted here.
"""

from dataclasses import replace
from operator import attrgetter

from naga.tracking.history import History, unlinked
from naga.tracking.publication import Publication
from naga.tracking.published_runs import Publications, PublishedRun
from naga.tracking.tags import Status, Tag


def next_generation(history: History, publication: Publication) -> int:
    """Return the number that a publication would have if it was complete now."""
    return _next(_related(publication, _predecessors(history, publication)))


def supersede(history: History, mine: PublishedRun, publication: Publication, *, reserved: int = 0) -> PublishedRun:
    """Make a publication, which MLflow holds as finished, the active one; give it as it is now, status included."""
    known = _predecessors(history, publication)
    mine = known.pop(mine.run_id) if mine.run_id in known else history.reader.read(mine.run_id)
    mine = _promote(history, mine, known, publication, reserved)
    history.reader.widen()
    known, complete = history.reader.known(publication.key)
    if _has_elder_elsewhere(mine, _related(publication, known)):
        mine = _promote(history, mine, known, publication, reserved)
        known, complete = history.reader.known(publication.key)
    known[mine.run_id] = mine  # its own tags are known here, whatever a replica of the store has not seen yet
    related = _related(publication, known)
    active = {run_id: entry for run_id, entry in related.items() if entry.status == Status.ACTIVE}
    if not active:
        return mine
    keeper, losers = history.keep_largest(active.values())
    if keeper is mine and losers and losers[-1].run_id != mine.tags.get(Tag.SUPERSEDES):
        history.edit(mine, history.link(mine, Tag.SUPERSEDES, losers[-1]))
    if complete:
        for entry in unlinked(related, active):
            history.deprecate(entry, keeper)
    history.abandon(known)
    return mine if keeper is mine else replace(mine, tags={**mine.tags, Tag.STATUS: Status.DEPRECATED})


def _predecessors(history: History, publication: Publication) -> dict[str, PublishedRun]:
    """Find what a publication has to be above: where one is active, no deprecated one has to be read for that."""
    known = history.reader.not_deprecated(publication.key)
    if any(entry.status == Status.ACTIVE for entry in _related(publication, known).values()):
        return known
    return history.reader.known(publication.key)[0]


def _promote(
    history: History, mine: PublishedRun, known: Publications, publication: Publication, reserved: int
) -> PublishedRun:
    """Make it the active one above all that are known, or a former one where its folder belongs to a newer run."""
    related = _related(publication, {run_id: entry for run_id, entry in known.items() if run_id != mine.run_id})
    active = sorted((entry for entry in related.values() if entry.status == Status.ACTIVE), key=attrgetter("order"))
    newer = [entry for entry in active if entry.tags.get(Tag.RUN_ID) != publication.run_id]
    generation = max(reserved, _next(related))
    tags = {Tag.NAME: f"{publication.name} #{generation}", Tag.GENERATION: str(generation), Tag.STATUS: Status.ACTIVE}
    if publication.archived and newer:
        tags |= history.superseded(replace(mine, tags={**mine.tags, **tags}), newer[-1])
    elif active:
        tags |= history.link(mine, Tag.SUPERSEDES, active[-1])
    history.edit(mine, tags)
    return replace(mine, tags={**mine.tags, **tags})


def _has_elder_elsewhere(mine: PublishedRun, related: Publications) -> bool:
    """Return whether another experiment holds what this publication was to be above."""
    return any(
        entry.status == Status.ACTIVE or entry.generation >= mine.generation
        for entry in related.values()
        if entry.experiment_id != mine.experiment_id
    )


def _next(related: Publications) -> int:
    return 1 + max((entry.generation for entry in related.values()), default=0)


def _related(publication: Publication, entries: Publications) -> dict[str, PublishedRun]:
    """Select what is of this run, or of those that lay in its folder before."""
    return {
        run_id: entry
        for run_id, entry in entries.items()
        if entry.is_of(publication.tags) or entry.tags[Tag.RUN_ID] in publication.former
    }
