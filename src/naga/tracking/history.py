"""The publications in one MLflow experiment: finding them, linking them, and saying what became of them.

Old runs are edited with ``log_batch`` alone: resuming one would move its end time.
"""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from naga.process.identity import is_alive
from naga.record.schema import Process
from naga.tracking.parameters import TAG_LIMIT, shortened
from naga.tracking.tags import Status, Tag, generation_of

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run as MlflowRun


# A logical run that was published more often than this has its old links left as they are.
PAGE = 100


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One publication, as MLflow holds it."""

    run_id: str
    start_time: int
    running: bool
    tags: Mapping[str, str]

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
        """Which of several active ones stays: the largest. Clocks differ between machines, generations do not."""
        return self.generation, self.start_time, self.run_id

    def is_of(self, run_id: str | None, place: str | None) -> bool:
        """Tell whether it is of the same run or folder, and not of somebody else's with the same relative name.

        Where either side does not say, the name alone counts.
        """
        mine = self.tags.get(Tag.RUN_ID), self.tags.get(Tag.PLACE)
        return None in (*mine, run_id, place) or mine[0] == run_id or mine[1] == place


Entries = Mapping[str, HistoryEntry]


class History:
    """The publications in one experiment."""

    def __init__(self, client: "MlflowClient", experiment_id: str) -> None:
        self._client = client
        self._experiment_id = experiment_id

    def known(self, key: str) -> tuple[dict[str, HistoryEntry], bool]:
        """Give the publications of a logical run, and whether all the deprecated ones are among them."""
        runs, token = self._search(_of(key))
        if token is None:
            return _entries(runs), True
        return self.find(f"{_of(key)} and {_with(Status.DEPRECATED, '!=')}"), False

    def active(self, key: str) -> dict[str, HistoryEntry]:
        """Give the active publications of a logical run."""
        return self.find(f"{_of(key)} and {_with(Status.ACTIVE)}")

    def find(self, wanted: str) -> dict[str, HistoryEntry]:
        """Give all publications that a filter lets through."""
        runs, token = self._search(wanted)
        found = _entries(runs)
        while token is not None:
            runs, token = self._search(wanted, token)
            found |= _entries(runs)
        return found

    def _search(self, wanted: str, token: str | None = None) -> tuple[Sequence["MlflowRun"], str | None]:
        page = self._client.search_runs([self._experiment_id], wanted, max_results=PAGE, page_token=token)
        return page, page.token or None

    def edit(self, entry: HistoryEntry, tags: Mapping[str, str]) -> None:
        """Set tags, all at once."""
        from mlflow.entities import RunTag

        self._client.log_batch(entry.run_id, tags=[RunTag(key, value) for key, value in tags.items()])

    def link(self, entry: HistoryEntry, tag: str, other: HistoryEntry) -> dict[str, str]:
        """Name another publication in a tag, and in the description as a link that can be clicked."""
        verb = "Supersedes" if tag == Tag.SUPERSEDES else "Superseded by"
        paragraphs = entry.tags.get(Tag.NOTE, "").split("\n\n")
        note = "\n\n".join(text for text in paragraphs if not text.startswith(f"{verb} ["))
        address = f"#/experiments/{self._experiment_id}/runs/{other.run_id}?workflowType=machine_learning"
        note = f"{shortened(note, TAG_LIMIT - 500)}\n\n{verb} [{other.run_id[:8]}]({address})"
        return {tag: other.run_id, Tag.NOTE: note}

    def deprecate(self, loser: HistoryEntry, keeper: HistoryEntry) -> None:
        """Say that a publication is superseded; one that somebody has deleted needs nothing."""
        from mlflow.exceptions import MlflowException

        try:
            self.edit(loser, {Tag.STATUS: Status.DEPRECATED, **self.link(loser, Tag.SUPERSEDED_BY, keeper)})
        except MlflowException:
            if not self._is_gone(loser):
                raise

    def _is_gone(self, entry: HistoryEntry) -> bool:
        from mlflow.exceptions import MlflowException

        try:
            return bool(self._client.get_run(entry.run_id).info.lifecycle_stage == "deleted")
        except MlflowException as error:
            return bool(error.error_code == "RESOURCE_DOES_NOT_EXIST")

    def abandon(self, known: Entries) -> list[HistoryEntry]:
        """Say of what is pending, and whose process has died, that it will not be finished."""
        return [entry for entry in known.values() if _seems_left(entry) and self._abandon(entry.run_id)]

    def _abandon(self, run_id: str) -> bool:
        # Its process may have finished it after it was seen, and then ended; from now on nobody will.
        entry = entry_of(self._client.get_run(run_id))
        if entry.status != Status.PENDING:
            return False
        self.edit(entry, {Tag.STATUS: Status.ABANDONED})
        if entry.running:
            self._client.set_terminated(run_id, "KILLED")
        return True


def entry_of(run: "MlflowRun") -> HistoryEntry:
    """Read what the history needs to know of a run."""
    return HistoryEntry(run.info.run_id, run.info.start_time, run.info.status == "RUNNING", run.data.tags)


def _entries(runs: "Sequence[MlflowRun]") -> dict[str, HistoryEntry]:
    return {run.info.run_id: entry_of(run) for run in runs}


def _of(key: str) -> str:
    return f"tags.`{Tag.LOGICAL_KEY}` = '{key}'"


def _with(status: str, comparison: str = "=") -> str:
    return f"tags.`{Tag.STATUS}` {comparison} '{status}'"


def unlinked(known: Entries, ends: Collection[str]) -> Iterator[HistoryEntry]:
    """Give what is deprecated and leads to no end, the largest first: what lay between was deleted or edited.

    Whoever asks links each before taking the next, which may lead to it.
    """
    sound = {*ends}
    for entry in sorted(known.values(), key=lambda entry: entry.order, reverse=True):
        if entry.status == Status.DEPRECATED and not _leads_to(entry, known, sound):
            yield entry
            sound.add(entry.run_id)


def _leads_to(entry: HistoryEntry, known: Entries, ends: Collection[str]) -> bool:
    """Tell whether what superseded a publication, and what superseded that, and so on, is one of the ends."""
    seen: set[str] = set()
    run_id = entry.run_id
    while run_id in known and run_id not in ends and run_id not in seen:
        seen.add(run_id)
        run_id = known[run_id].tags.get(Tag.SUPERSEDED_BY, "")
    return run_id in ends


def _seems_left(entry: HistoryEntry) -> bool:
    if entry.status != Status.PENDING:
        return False
    with suppress(ValueError, TypeError):
        owner = Process(argv=(), cwd="", **json.loads(entry.tags.get(Tag.OWNER, "")))
        return is_alive(owner) is False
    return False
