"""Which runs a run was made from, and whether newer ones with other results have replaced them."""

import os
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path

from naga.capture.data.manifest import listed_outputs
from naga.errors import LockError
from naga.layout import LOCK_NAME
from naga.record.lockfile import lock_hash
from naga.record.schema import Record, Upstream
from naga.runs.find import Run
from naga.runs.summary import Summary
from naga.save_dir.archive import archived_places
from naga.wording import first_of


def base_of(record: Record) -> Path:
    """Return the folder that a run's relative paths start from; on another machine, the current one."""
    return _base(record.process.cwd)


def _base(cwd: str) -> Path:
    there = Path(cwd)
    return there if there.is_dir() else Path.cwd()


def find_upstream(upstream: Upstream, base: Path) -> Path | None:
    """Find the folder of an unchanged upstream run, also in the archive."""
    return next((place for place in _places(upstream, base) if _lock_hash(place) == upstream.lock_hash), None)


def _places(upstream: Upstream, base: Path) -> Iterator[Path]:
    folder = base / upstream.save_dir
    yield folder
    yield from archived_places(folder, upstream.run_id)


def _lock_hash(place: Path) -> str | None:
    try:
        return lock_hash(place / LOCK_NAME)
    except (OSError, LockError):
        return None


class Lineage:
    """What runs were made from; the run.lock of an upstream run that thousands share is read only once."""

    def __init__(self, runs: Iterable[Run] = ()) -> None:
        self._known: dict[str, Summary | None] = {run.folder: run.summary for run in runs}
        self._found: dict[tuple[str, str, str], tuple[Path | None, Summary | None]] = {}
        self._differing: dict[tuple[Path | None, Path], str] = {}

    def out_of_date(self, run: Run) -> Iterator[str]:
        """Name the upstream runs, direct or not, that newer ones with other results have replaced."""
        waiting, seen = deque([(run.summary, "")]), {run.run_id}
        while waiting:
            reader, through = waiting.popleft()
            base = _base(reader.cwd) if reader.upstream else Path()
            for upstream in reader.upstream:
                (place, was), now = self._as_it_was(upstream, base), self._at(base / upstream.save_dir)
                if now and now.run_id != upstream.run_id and now.status == "finished":
                    left = upstream.outputs_hash or (was.outputs_hash if was else None)
                    if left is None or now.outputs_hash != left:
                        files = self._files(place, base / upstream.save_dir)
                        other = f"'{upstream.save_dir}' holds run {now.run_id} now, with other results{files}"
                        yield f"{through}made from run {upstream.run_id}, but {other}"
                        continue
                    was = now  # computed again with the same results: what counts is what they rest on now
                if was and was.run_id not in seen:
                    seen.add(was.run_id)
                    waiting.append((was, f"{through}made from '{upstream.save_dir}', which was "))

    def is_out_of_date(self, run: Run) -> bool:
        """Return whether there is any."""
        return bool(run.summary.upstream_text != "[]" and next(self.out_of_date(run), None))

    def _as_it_was(self, upstream: Upstream, base: Path) -> tuple[Path | None, Summary | None]:
        key = (str(base / upstream.save_dir), upstream.run_id, upstream.lock_hash)
        if key not in self._found:
            known = ((place, self._at(place)) for place in _places(upstream, base))
            same = (found for found in known if found[1] and found[1].lock_hash == upstream.lock_hash)
            self._found[key] = next(same, (None, None))
        return self._found[key]

    def _files(self, was: Path | None, now: Path) -> str:
        """Name some of the results that differ, where both runs list theirs."""
        if (was, now) not in self._differing:
            before, after = (listed_outputs(folder) if folder else {} for folder in (was, now))
            names = sorted(name for name in before | after if before.get(name) != after.get(name))
            self._differing[was, now] = f" ({first_of(names, 3)})" if before and after and names else ""
        return self._differing[was, now]

    def _at(self, folder: Path) -> Summary | None:
        name = os.path.normpath(folder)
        if name not in self._known:
            try:
                self._known[name] = Run(name).summary
            except (LockError, OSError):
                self._known[name] = None
        return self._known[name]


def out_of_date(run: Run) -> Iterator[str]:
    """Name what `Lineage.out_of_date` names, of one run."""
    return Lineage().out_of_date(run)
