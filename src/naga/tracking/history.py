"""The publications in a store: finding them, linking them, and saying what became of them.

Old MLflow runs are edited with ``log_batch`` alone: resuming one would move its end time.
"""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import field
from operator import attrgetter
from typing import TYPE_CHECKING

from naga.frozen import dataclass
from naga.process.identity import is_alive
from naga.record.schema import Process
from naga.tracking.parameters import TAG_LIMIT, shortened
from naga.tracking.tags import Status, Tag, generation_of, packed, unpacked

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run as MlflowRun

# A logical run that was published more often than this has its old links left as they are.
PAGE = 100

_SUPERSEDED = " (superseded)"
_NOT_DEPRECATED = f" and tags.`{Tag.STATUS}` != '{Status.DEPRECATED}'"
_LINKS, _AND = ("Superseded by [", "Supersedes ["), " · "


@dataclass(frozen=True, slots=True)
class PublishedRun:
    """One publication, as MLflow holds it."""

    run_id: str
    experiment_id: str
    start_time: int
    tags: dict[str, str]
    artifact_uri: str = ""
    running: bool = False
    metrics: Mapping[str, float] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """As it is called in MLflow, superseded or not."""
        return self.tags.get(Tag.NAME, self.run_id).removesuffix(_SUPERSEDED)

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


def published_run(run: "MlflowRun") -> PublishedRun:
    """Read what Naga needs to know of an MLflow run."""
    info, data = run.info, run.data
    is_running = info.status == "RUNNING"
    return PublishedRun(
        info.run_id,
        info.experiment_id,
        info.start_time,
        unpacked(data.tags),
        info.artifact_uri,
        is_running,
        data.metrics,
    )


Publications = Mapping[str, PublishedRun]


class History:
    """The publications in some experiments of a store."""

    def __init__(self, client: "MlflowClient", experiments: Sequence[str]) -> None:
        self._client = client
        self._experiments = experiments

    def known(self, key: str) -> tuple[dict[str, PublishedRun], bool]:
        """Give the publications of a logical run, and whether all the deprecated ones are among them."""
        of_key = _of_key(key)
        runs, token = self._search(of_key, most=PAGE)
        if token is None:
            return runs, True
        return self.not_deprecated(key), False

    def not_deprecated(self, key: str) -> dict[str, PublishedRun]:
        """Give the publications of a logical run that no other has superseded."""
        return self.find(_of_key(key) + _NOT_DEPRECATED)

    def widen(self) -> None:
        """Look into all experiments that the store has now."""
        self._experiments = experiment_ids(self._client)

    def find(self, wanted: str) -> dict[str, PublishedRun]:
        """Give all publications that a filter lets through."""
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

    def read(self, run_id: str) -> PublishedRun:
        """Give one publication as it is now."""
        return published_run(self._client.get_run(run_id))

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
        tags = {Tag.STATUS: Status.DEPRECATED, Tag.NAME: f"{entry.name}{_SUPERSEDED}"}
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
        entry = self.read(run_id)
        if entry.status != Status.PENDING:
            return False
        self.edit(entry, {Tag.STATUS: Status.ABANDONED})
        if entry.running:
            self._client.set_terminated(run_id, "KILLED")
        return True


def _of_key(key: str) -> str:
    return f"tags.`{Tag.LOGICAL_KEY}` = '{key}'"


def _linked(note: str, verb: str, link: str = "") -> str:
    """Write a description with this link instead of a former one; all in one line, since MLflow shows only four."""
    paragraphs = note.split("\n\n")
    words = [text for text in paragraphs if not text.startswith(_LINKS)]
    links = [link for text in paragraphs if text.startswith(_LINKS) for link in text.split(_AND)]
    now = sorted(filter(None, [link, *(former for former in links if not former.startswith(f"{verb} ["))]))
    return "\n\n".join((shortened("\n\n".join(words), TAG_LIMIT - 1000), *([_AND.join(now)] if now else [])))


def unlinked(known: Publications, ends: Collection[str]) -> Iterator[PublishedRun]:
    """Give what is deprecated and leads to no end, the largest first: what lay between was deleted or edited.

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


def experiment_ids(client: "MlflowClient") -> list[str]:
    """Name all experiments of a store that are not deleted."""
    found: list[str] = []
    token = None
    while True:
        page = client.search_experiments(page_token=token)
        found += [experiment.experiment_id for experiment in page]
        token = page.token
        if not token:
            return found
