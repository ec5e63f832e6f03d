"""Which publication of a logical run is the active one.

The order of the writes is what keeps it right, whatever runs beside it or crashes in between:

1. find the active publications of this logical run;
2. promote the new one, with a generation above all of theirs: never is there none;
3. find the active ones again, keep the largest, deprecate the others.

A publication is deprecated only by who has seen a larger active one, so the largest survives; who promotes last sees
them all. Generations order them, because start times come from the clocks of many machines.

Old runs are edited with ``log_batch`` alone: resuming one would move its end time.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from naga.diagnose.draft import Draft
from naga.diagnose.tags import Status, Tag
from naga.diagnose.values import TAG_LIMIT, shortened
from naga.record.process import is_alive
from naga.record.schema import Process

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run as MlflowRun
    from mlflow.store.entities import PagedList

__all__ = ["Entry", "Ledger"]

# A logical run that was published more often than this has its old links left as they are.
PAGE = 100


@dataclass(frozen=True, slots=True)
class Entry:
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
        """How many came before it; 0 where somebody has written something else there."""
        text = self.tags.get(Tag.GENERATION, "")
        return int(text) if text.isdecimal() and len(text) < 10 else 0

    @property
    def order(self) -> tuple[int, int, str]:
        """Which of several active ones stays: the largest."""
        return self.generation, self.start_time, self.run_id


class Ledger:
    """The publications of one logical run in one experiment.

    Parameters
    ----------
    client : MlflowClient
        Of the store that the publication began in, whatever its diag has switched to since.
    run : mlflow.entities.Run
        The publication, pending.
    draft : Draft
        What it says.
    """

    def __init__(self, client: "MlflowClient", run: "MlflowRun", draft: Draft) -> None:
        self._client = client
        self._run = run
        self._draft = draft

    def settle(self) -> str | None:
        """Make the publication, which MLflow holds as finished, the active one, and the former ones deprecated.

        Returns
        -------
        str or None
            The MLflow run that is active now: another one, where a newer diag or a newer computation was faster.
        """
        known, complete = self._known()
        mine = self._promote(known.pop(self._run.info.run_id, _entry(self._run)), known)
        active = self._related(self._find(Status.ACTIVE))
        if mine.status == Status.ACTIVE:
            active[mine.run_id] = mine
        if not active:
            return None
        *losers, keeper = sorted(active.values(), key=lambda entry: entry.order)
        for loser in losers:
            self._deprecate(loser, keeper)
        if keeper is mine and losers and losers[-1].run_id != mine.tags.get(Tag.SUPERSEDES):
            self._edit(mine, self._link(mine, Tag.SUPERSEDES, losers[-1]))
        if complete:
            self._mend_chains(self._related(known), active, keeper)
        self._abandon(known)
        return keeper.run_id

    def fail(self) -> None:
        """Say that the publication's diag raised; nothing else changes."""
        self._edit(_entry(self._run), {Tag.STATUS: Status.FAILED})

    def _known(self) -> tuple[dict[str, Entry], bool]:
        """Give this logical run's publications, and whether all the deprecated ones are among them."""
        page = self._search()
        if not page.token:
            return _entries(page), True
        return self._find(Status.DEPRECATED, "!="), False

    def _find(self, status: str, comparison: str = "=") -> dict[str, Entry]:
        wanted = f" and tags.`{Tag.STATUS}` {comparison} '{status}'"
        page = self._search(wanted)
        found = _entries(page)
        while page.token:
            page = self._search(wanted, page.token)
            found |= _entries(page)
        return found

    def _search(self, wanted: str = "", token: str | None = None) -> "PagedList[MlflowRun]":
        experiment, key = self._run.info.experiment_id, f"tags.`{Tag.LOGICAL_KEY}` = '{self._draft.key}'"
        return self._client.search_runs([experiment], key + wanted, max_results=PAGE, page_token=token)

    def _related(self, entries: Mapping[str, Entry]) -> dict[str, Entry]:
        """Select what is of this run or folder, and not of somebody else's with the same relative name."""
        return {run_id: entry for run_id, entry in entries.items() if self._is_related(entry)}

    def _is_related(self, entry: Entry) -> bool:
        run_id, place = entry.tags.get(Tag.RUN_ID), entry.tags.get(Tag.PLACE)
        if run_id is None or place is None:
            return True
        return run_id == self._draft.run_id or run_id in self._draft.former or place == self._draft.place

    def _promote(self, mine: Entry, known: Mapping[str, Entry]) -> Entry:
        related = sorted(self._related(known).values(), key=lambda entry: entry.order)
        former = [entry for entry in related if entry.status == Status.ACTIVE]
        generation = 1 + (related[-1].generation if related else 0)
        tags = {
            Tag.NAME: f"{self._draft.name} #{generation}",
            Tag.GENERATION: str(generation),
            Tag.STATUS: Status.ACTIVE,
        }
        newer = [entry for entry in former if entry.tags.get(Tag.RUN_ID) != self._draft.run_id]
        if self._draft.archived and newer:
            # The path belongs to the run that was computed there later, and so does the page.
            tags |= {Tag.STATUS: Status.DEPRECATED, **self._link(mine, Tag.SUPERSEDED_BY, newer[-1])}
        elif former:
            tags |= self._link(mine, Tag.SUPERSEDES, former[-1])
        self._edit(mine, tags)
        return replace(mine, tags={**mine.tags, **tags})

    def _deprecate(self, loser: Entry, keeper: Entry) -> None:
        from mlflow.exceptions import MlflowException

        try:
            self._edit(loser, {Tag.STATUS: Status.DEPRECATED, **self._link(loser, Tag.SUPERSEDED_BY, keeper)})
        except MlflowException:
            if not self._is_gone(loser):
                raise

    def _is_gone(self, entry: Entry) -> bool:
        """Look whether somebody has deleted a publication since it was found."""
        from mlflow.exceptions import MlflowException

        try:
            return bool(self._client.get_run(entry.run_id).info.lifecycle_stage == "deleted")
        except MlflowException as error:
            return bool(error.error_code == "RESOURCE_DOES_NOT_EXIST")

    def _mend_chains(self, known: Mapping[str, Entry], active: Collection[str], keeper: Entry) -> None:
        """Link what is deprecated and leads nowhere to the active one: what lay between was deleted or edited."""
        sound = {*active}
        for entry in sorted(known.values(), key=lambda entry: entry.order, reverse=True):
            if entry.status == Status.DEPRECATED and not _leads_to(entry, known, sound):
                self._deprecate(entry, keeper)
                sound.add(entry.run_id)

    def _abandon(self, known: Mapping[str, Entry]) -> None:
        """Say of what is pending, and whose process has died, that it will not be finished."""
        for seen in known.values():
            if seen.status != Status.PENDING or not _owner_is_dead(seen):
                continue
            # Its process may have finished it after it was seen, and then ended; from now on nobody will.
            entry = _entry(self._client.get_run(seen.run_id))
            if entry.status == Status.PENDING:
                self._edit(entry, {Tag.STATUS: Status.ABANDONED})
                if entry.running:
                    self._client.set_terminated(entry.run_id, "KILLED")

    def _edit(self, entry: Entry, tags: Mapping[str, str]) -> None:
        from mlflow.entities import RunTag

        self._client.log_batch(entry.run_id, tags=[RunTag(key, value) for key, value in tags.items()])

    def _link(self, entry: Entry, tag: str, other: Entry) -> dict[str, str]:
        """Name another publication in a tag, and in the description as a link that can be clicked."""
        verb = "Supersedes" if tag == Tag.SUPERSEDES else "Superseded by"
        paragraphs = entry.tags.get(Tag.NOTE, "").split("\n\n")
        note = "\n\n".join(text for text in paragraphs if not text.startswith(f"{verb} ["))
        address = f"#/experiments/{self._run.info.experiment_id}/runs/{other.run_id}"
        note = f"{shortened(note, TAG_LIMIT - 500)}\n\n{verb} [{other.run_id[:8]}]({address})"
        return {tag: other.run_id, Tag.NOTE: note}


def _entries(runs: "Sequence[MlflowRun]") -> dict[str, Entry]:
    return {run.info.run_id: _entry(run) for run in runs}


def _entry(run: "MlflowRun") -> Entry:
    return Entry(run.info.run_id, run.info.start_time, run.info.status == "RUNNING", run.data.tags)


def _leads_to(entry: Entry, known: Mapping[str, Entry], ends: Collection[str]) -> bool:
    seen: set[str] = set()
    run_id = entry.run_id
    while run_id in known and run_id not in ends and run_id not in seen:
        seen.add(run_id)
        run_id = known[run_id].tags.get(Tag.SUPERSEDED_BY, "")
    return run_id in ends


def _owner_is_dead(entry: Entry) -> bool:
    with suppress(ValueError, TypeError):
        owner = Process(argv=(), cwd="", **json.loads(entry.tags.get(Tag.OWNER, "")))
        return is_alive(owner) is False
    return False
