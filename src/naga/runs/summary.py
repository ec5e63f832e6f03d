"""What tables show of a run, and filters ask for: small enough to hold for ten thousand runs."""

import json
import math
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, Self

from naga.errors import LockError
from naga.layout import LOCK_NAME
from naga.record.lockfile import lock_hash
from naga.record.schema import Record, Upstream, from_plain, to_plain
from naga.runs.metrics import last_publication
from naga.runs.notes import read_notes


class _Row(NamedTuple):
    run_id: str
    status: str
    task: str
    save_dir: str
    started: str
    duration_s: float | None
    cwd: str
    outputs_hash: str | None
    lock_hash: str
    note: str
    tags: Sequence[str]
    trees: Sequence[str]  # of its code
    config_text: str
    upstream_text: str
    publication_text: str


class Summary(_Row):
    """A summary of a run.lock, of the last publication, and of the tags and note.

    What few tables ask for is JSON until somebody does: a hundred thousand rows are read in half a second.
    """

    @cached_property
    def config(self) -> dict[str, Any]:
        """The configuration, its keys as text."""
        return dict(json.loads(self.config_text))

    @cached_property
    def upstream(self) -> tuple[Upstream, ...]:
        """The runs that this one was made from."""
        plain = json.loads(self.upstream_text) if self.upstream_text != "[]" else ()
        return tuple(from_plain(Upstream, each) for each in plain)

    @cached_property
    def publication(self) -> dict[str, Any]:
        """What was noted of the last publication."""
        return dict(json.loads(self.publication_text)) if self.publication_text != "{}" else {}

    def to_bytes(self) -> bytes:
        """Write the summary as an index stores it."""
        return json.dumps(self).encode()

    @classmethod
    def from_bytes(cls, row: bytes) -> Self:
        """Read the summary from an index."""
        return cls._make(json.loads(row))


def summary_of(save_dir: Path, record: Record, own_hash: str = "") -> Summary:
    """Make the summary of a run."""
    notes = read_notes(save_dir)
    try:
        own_hash = own_hash or lock_hash(save_dir / LOCK_NAME)
    except (OSError, LockError):  # its run is no longer on the disk
        own_hash = ""
    return Summary(
        run_id=record.run_id,
        status=record.status,
        task=record.task,
        save_dir=record.save_dir,
        started=record.started,
        duration_s=record.duration_s if math.isfinite(record.duration_s or 0) else None,
        cwd=record.process.cwd,
        outputs_hash=record.outputs.hash if record.outputs else None,
        lock_hash=own_hash,
        note=notes.note,
        tags=notes.tags,
        trees=tuple(code.tree for code in record.code if code.tree),
        config_text=json.dumps(record.config, default=str),
        upstream_text=json.dumps(to_plain(list(record.upstream))),
        publication_text=json.dumps(last_publication(save_dir), default=str),
    )
