"""Which runs a run rests on, and whether newer ones with other results have come in their place."""

from collections.abc import Iterator
from pathlib import Path

from naga.errors import LockError
from naga.layout import LOCK_NAME
from naga.record.lockfile import lock_hash, read_lock
from naga.record.schema import Record, Upstream
from naga.save_dir.archive import archived_places


def base_of(record: Record) -> Path:
    """Give the folder that a run's relative paths count from; on another machine, the one that we are in."""
    there = Path(record.process.cwd)
    return there if there.is_dir() else Path.cwd()


def find_upstream(upstream: Upstream, base: Path) -> Path | None:
    """Find the folder in which an upstream run is as it was, be it in the archive."""
    folder = base / upstream.save_dir
    places = (folder, *archived_places(folder, upstream.run_id))
    return next((place for place in places if _lock_hash(place) == upstream.lock_hash), None)


def out_of_date(record: Record, base: Path) -> Iterator[str]:
    """Name the upstream runs, however far up, in whose place newer ones with other results have come."""
    waiting, seen = [(record, base, "")], {record.run_id}
    while waiting:
        reader, base, through = waiting.pop(0)
        for upstream in reader.upstream:
            was, now = _record(find_upstream(upstream, base)), _record(base / upstream.save_dir)
            if now and now.run_id != upstream.run_id and now.status == "finished":
                left = upstream.outputs_hash or (was.outputs.hash if was and was.outputs else None)
                if left is None or now.outputs is None or now.outputs.hash != left:
                    other = f"'{upstream.save_dir}' holds run {now.run_id} now, with other results"
                    yield f"{through}made from run {upstream.run_id}, but {other}"
                    continue
                was = now  # computed again with the same results: what counts is what they rest on now
            if was and was.run_id not in seen:
                seen.add(was.run_id)
                waiting.append((was, base_of(was), f"{through}made from '{upstream.save_dir}', which was "))


def _lock_hash(folder: Path) -> str | None:
    try:
        return lock_hash(folder / LOCK_NAME)
    except (OSError, LockError):
        return None


def _record(folder: Path | None) -> Record | None:
    try:
        return read_lock(folder / LOCK_NAME) if folder else None
    except LockError:
        return None
