"""What tables show of a run, and filters ask for: little enough to be kept of ten thousand runs."""

import math
from pathlib import Path
from typing import Any, NamedTuple

from naga.layout import LOCK_NAME
from naga.record.lockfile import lock_hash
from naga.record.schema import Record, to_plain
from naga.runs.metrics import last_publication
from naga.runs.notes import read_notes


class Summary(NamedTuple):
    """The short of a run.lock, of what was last published, and of what people noted.

    A plain tuple of plain values: ten thousand of them are read in a tenth of a second.
    """

    run_id: str
    status: str
    task: str
    save_dir: str
    started: str
    duration_s: float | None
    attempt: int
    config: dict[str, Any]
    upstream: list[dict[str, Any]]
    trees: list[str]  # of its code
    outputs_hash: str | None
    lock_hash: str
    publication: dict[str, Any]
    tags: tuple[str, ...]
    note: str


def summary_of(save_dir: Path, record: Record) -> Summary:
    """Read the short of a run."""
    notes = read_notes(save_dir)
    try:
        own = lock_hash(save_dir / LOCK_NAME)
    except OSError:  # it is of a run that is no more on the disk
        own = ""
    return Summary(
        run_id=record.run_id,
        status=record.status,
        task=record.task,
        save_dir=record.save_dir,
        started=record.started,
        duration_s=record.duration_s if math.isfinite(record.duration_s or 0) else None,
        attempt=record.attempt,
        config=record.config,
        upstream=to_plain(list(record.upstream)),
        trees=[code.tree for code in record.code if code.tree],
        outputs_hash=record.outputs.hash if record.outputs else None,
        lock_hash=own,
        publication=last_publication(save_dir),
        tags=notes.tags,
        note=notes.note,
    )
