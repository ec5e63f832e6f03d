"""The publications in a store: linking them, and saying what became of them.

Old MLflow runs are edited with ``log_batch`` alone: resuming one would move its end time.
"""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from operator import attrgetter
from typing import TYPE_CHECKING

from naga.process.identity import is_alive
from naga.record.schema import Process
from naga.tracking.parameters import TAG_LIMIT, shortened
from naga.tracking.published_runs import SUPERSEDED, Publications, PublishedRun, reader_of
from naga.tracking.tags import Status, Tag, packed

if TYPE_CHECKING:
    from mlflow import MlflowClient

_LINKS, _AND = ("Superseded by [", "Supersedes ["), " · "


class History:
    """The publications in a store; ``reader`` finds them."""

    def __init__(self, client: "MlflowClient", experiments: Sequence[str] | None = None) -> None:
        self._client = client
        self.reader = reader_of(client, experiments)

    def edit(self, entry: PublishedRun, tags: Mapping[str, str]) -> None:
        """Set tags, all at once: whoever reads meanwhile finds all of them or none."""
        from mlflow.entities import RunTag

        whole = packed({**entry.tags, **tags})
        changes = [RunTag(key, whole[key]) for key in packed(tags)]
        # Whatever the environment says: a write that is lost at exit would leave two active, or none.
        self._client.log_batch(entry.run_id, tags=changes, synchronous=True)

    def link(self, entry: PublishedRun, tag: str, other: PublishedRun) -> dict[str, str]:
        """Name another publication in a tag, and in the description as a link that can be clicked."""
        verb = "Supersedes" if tag == Tag.SUPERSEDES else "Superseded by"
        address = f"#/experiments/{other.experiment_id}/runs/{other.run_id}?workflowType=machine_learning"
        note = _linked(entry.tags.get(Tag.NOTE, ""), verb, f"{verb} [{other.run_id[:8]}]({address})")
        return {tag: other.run_id, Tag.NOTE: note}

    def keep_largest(self, active: Iterable[PublishedRun]) -> tuple[PublishedRun, list[PublishedRun]]:
        """Deprecate all but the largest of several active publications of one run; give that one and the others."""
        # Two processes that do this at once see the same largest, or one sees a larger still and deprecates it too.
        # So none is deprecated by a smaller one, and the largest of all survives, whoever comes first.
        *losers, keeper = sorted(active, key=attrgetter("order"))
        for loser in losers:
            self.deprecate(loser, keeper)
        return keeper, losers

    def superseded(self, entry: PublishedRun, keeper: PublishedRun) -> dict[str, str]:
        """Say in tags, and in the name, that another publication is to be read."""
        tags = {Tag.STATUS: Status.DEPRECATED, Tag.NAME: f"{entry.name}{SUPERSEDED}"}
        return tags | self.link(entry, Tag.SUPERSEDED_BY, keeper)

    def activate(self, entry: PublishedRun) -> None:
        """Make a superseded publication the active one again."""
        note = _linked(entry.tags.get(Tag.NOTE, ""), "Superseded by")
        self.edit(entry, {Tag.STATUS: Status.ACTIVE, Tag.NAME: entry.name, Tag.NOTE: note})
        if Tag.SUPERSEDED_BY in entry.tags:
            self._client.delete_tag(entry.run_id, Tag.SUPERSEDED_BY)

    def deprecate(self, loser: PublishedRun, keeper: PublishedRun) -> None:
        """Say that a publication is superseded; one that somebody has deleted needs nothing."""
        from mlflow.exceptions import MlflowException

        try:
            self.edit(loser, self.superseded(loser, keeper))
        except MlflowException:
            # It was found a moment ago; in between its owner may have deleted it in the browser.
            if not self._is_gone(loser):
                raise

    def _is_gone(self, entry: PublishedRun) -> bool:
        from mlflow.exceptions import MlflowException

        try:
            return bool(self._client.get_run(entry.run_id).info.lifecycle_stage == "deleted")
        except MlflowException as error:
            return bool(error.error_code == "RESOURCE_DOES_NOT_EXIST")

    def abandon(self, known: Publications) -> list[PublishedRun]:
        """Say of what is pending, and whose process has died, that it will not be finished."""
        return [entry for entry in known.values() if _seems_left(entry) and self._abandon(entry.run_id)]

    def _abandon(self, run_id: str) -> bool:
        # Its process may have finished it after it was found here as pending, and died only then: that it is dead is
        # known by now, so what is read now is its last word.
        entry = self.reader.read(run_id)
        if entry.status != Status.PENDING:
            return False
        self.edit(entry, {Tag.STATUS: Status.ABANDONED})
        if entry.running:
            self._client.set_terminated(run_id, "KILLED")
        return True


def _linked(note: str, verb: str, link: str = "") -> str:
    """Write a description with this link instead of a former one; all in one line, since MLflow shows only four."""
    paragraphs = note.split("\n\n")
    words = [text for text in paragraphs if not text.startswith(_LINKS)]
    links = [link for text in paragraphs if text.startswith(_LINKS) for link in text.split(_AND)]
    now = sorted(filter(None, [link, *(former for former in links if not former.startswith(f"{verb} ["))]))
    return "\n\n".join((shortened("\n\n".join(words), TAG_LIMIT - 1000), *([_AND.join(now)] if now else [])))


def unlinked(known: Publications, ends: Collection[str]) -> Iterator[PublishedRun]:
    """Return what is deprecated and leads to no end, the largest first: what lay between was deleted or edited.

    Whoever asks links each before taking the next, which may lead to it.
    """
    sound = {*ends}
    for entry in sorted(known.values(), key=attrgetter("order"), reverse=True):
        if entry.status == Status.DEPRECATED and not _leads_to(entry, known, sound):
            yield entry
            sound.add(entry.run_id)


def _leads_to(entry: PublishedRun, known: Publications, ends: Collection[str]) -> bool:
    """Return whether what superseded a publication, and what superseded that, and so on, is one of the ends."""
    seen: set[str] = set()
    run_id = entry.run_id
    while run_id in known and run_id not in ends and run_id not in seen:
        seen.add(run_id)
        run_id = known[run_id].tags.get(Tag.SUPERSEDED_BY, "")
    return run_id in ends


def _seems_left(entry: PublishedRun) -> bool:
    if entry.status != Status.PENDING:
        return False
    with suppress(ValueError, TypeError):
        owner = Process(argv=(), cwd="", **json.loads(entry.tags.get(Tag.OWNER, "")))
        return is_alive(owner) is False
    return False
