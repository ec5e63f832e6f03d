"""A zip of runs from elsewhere, checked as it is unpacked: each run in a folder, as if its machine were here."""

import os
import re
import shutil
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from naga.capture.code.git import GitError
from naga.capture.code.scratch import scratch
from naga.capture.data.manifest import compare, listed
from naga.capture.data.outputs import hash_outputs
from naga.crate.bundle import read_bundle
from naga.crate.machine import LEFT_OUT, ROOT
from naga.crate.zip_format import CRATE, CRATE_SCHEMA, MOST_BYTES, MOST_RATIO, SMALL_BYTES, Names
from naga.errors import LockError, NagaError
from naga.layout import LOCK_NAME, OUTPUTS_LIST, naga_folder
from naga.record.lockfile import lock_hash, parse_lock, write_lock
from naga.record.opener import read_inside, read_json
from naga.record.schema import Code, Record, Upstream, from_plain, to_plain
from naga.reproduce.reproduce import Verdict
from naga.reproduce.restore import link_inputs, texts
from naga.runs.find import Run

_MOST_FILES = 200_000
_KINDS = (0, 0o4, 0o10)  # unknown, a folder, a file
_OURS = re.compile(r"/[^\s'\"]*/naga-crate-\w+/machine/[^/]+(?:/up)*(?=/)")
_PLACEHOLDER = re.compile(rf"(?<![\w.]){ROOT}(?=/|$)")


class Unpacked(NamedTuple):
    """A run to compute again; for one from a zip, what its configuration lacks, and where its paths start."""

    run: Run
    changed: tuple[str, ...] = ()
    base: Path | None = None

    def reworded(self, verdict: Verdict) -> Verdict:
        """Mark in a verdict what the zip does not hold, and take our own folders out of its reasons."""
        if self.base is None:
            return verdict
        reasons, differences = (
            # What was left out of the lock is no difference.
            tuple(
                _OURS.sub(ROOT, line.replace(f"{self.base}/", "")) for line in lines if f" {LEFT_OUT} -> " not in line
            )
            for lines in (verdict.not_restored, verdict.differences)
        )
        changed = tuple(
            f"config: {key}: what it says of the original machine is not in the zip" for key in self.changed
        )
        return replace(verdict, not_restored=reasons, differences=(*differences, *changed))


@contextmanager
def unpacked(file: Path, *, most: int = MOST_BYTES) -> Iterator[list[Unpacked]]:
    """Unpack the runs that a zip was made for; they exist until this ends."""
    with scratch("naga-crate-") as folder:
        try:
            with zipfile.ZipFile(file) as archive:
                _require_sound(archive, most)
                _extract(archive, folder)
            crate = read_json(folder, folder / CRATE)
            if crate["schema"] != CRATE_SCHEMA:
                raise NagaError(f"'{file}' is a crate of {crate['schema']!r}", hint="pip install --upgrade naga-runs")
            runs = _Opened(folder, most).asked(crate["runs"])
        except (zipfile.BadZipFile, zlib.error, struct.error, NotImplementedError, EOFError) as error:
            raise NagaError(f"'{file}' is not a valid zip: {error}") from error
        except (KeyError, TypeError, AttributeError, ValueError, RecursionError, FileNotFoundError) as error:
            raise NagaError(f"'{file}' is not a zip of naga export: {CRATE} says nothing of its runs") from error
        except (GitError, LockError) as error:
            raise NagaError(f"'{file}' is not as naga export writes it: {error}") from error
        yield runs


def _require_sound(archive: zipfile.ZipFile, most: int) -> None:
    """Refuse names that lead elsewhere or occur twice, entries that are no files, and zip bombs."""
    names, entries, is_bounded = Names(), archive.infolist(), most <= MOST_BYTES
    total = sum(entry.file_size for entry in entries)
    if is_bounded and (len(entries) > _MOST_FILES or total > most):
        raise NagaError(f"'{archive.filename}' unpacks to {total} bytes in {len(entries)} files", hint="--large")
    for entry in entries:
        name = f"'{archive.filename}': {entry.orig_filename[:200]!r}"
        is_packed = entry.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) and not entry.flag_bits & 1
        if problem := names.problem(entry.orig_filename):
            raise NagaError(f"{name} {problem}")
        if entry.external_attr >> 28 not in _KINDS or not is_packed:
            raise NagaError(f"{name} is a link, a device, or encrypted")
        if is_bounded and entry.file_size > max(SMALL_BYTES, entry.compress_size * MOST_RATIO):
            raise NagaError(f"{name} unpacks to {entry.file_size} bytes", hint="--large")


def _extract(archive: zipfile.ZipFile, folder: Path) -> None:
    """Extract what a reproduction needs, each to a new file in a folder of our own."""
    for entry in archive.infolist():
        name = entry.filename
        if not (name == CRATE or name.startswith(("runs/", "data/")) or re.fullmatch(r"code/[^/]+\.bundle", name)):
            continue
        target = folder / name
        if entry.is_dir():
            target.mkdir(parents=True, exist_ok=True)
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        with archive.open(entry) as packed, target.open("xb") as file:
            shutil.copyfileobj(packed, file)


class _Opened:
    """A crate whose files are in a folder, where its runs get the places that they had on their machine."""

    def __init__(self, folder: Path, most: int) -> None:
        self.folder, self.most = folder, most
        self.runs: dict[str, Run] = {}

    def asked(self, runs: list[dict[str, Any]]) -> list[Unpacked]:
        """Return the runs that the zip was made for; their upstream runs are put in place first."""
        read = sorted(((about, self._record(about)) for about in runs), key=lambda pair: pair[1].started)
        return [run for about, record in read for run in [self._run(about, record)] if about["asked"]]

    def _record(self, about: dict[str, Any]) -> Record:
        """Read a run.lock, with a folder of ours in the place of its machine's."""
        place = self.folder / "runs" / about["run_id"]
        record = parse_lock(read_inside(place, place / LOCK_NAME).decode())
        if record.run_id != about["run_id"]:  # by which its folder is called
            raise LockError(f"run {record.run_id} is in the folder of another")
        up = max((Path(path).parts.count("..") for path in _named(record)), default=0)  # so far above looks the run
        top = self.folder.joinpath("machine", record.run_id, *["up"] * min(up, 100))
        record = from_plain(Record, _moved(to_plain(record), top))
        about["data"] = {_moved(text, top): name for text, name in about["data"].items()}
        base = Path(record.process.cwd)
        for path in (str(base), *(code.path for code in record.code), *_named(record), *about["data"]):
            if "://" not in path or ".." in path:
                _require_below(top, base / path)
        return record

    def _run(self, about: dict[str, Any], record: Record) -> Unpacked:
        place, base = self.folder / "runs" / record.run_id, Path(record.process.cwd)
        code = tuple(map(self._with_code, record.code, about["code"]))
        base.mkdir(parents=True, exist_ok=True)
        for text, name in about["data"].items():
            target = self.folder / str(name)
            _require_below(self.folder / "data", target)
            self._link(base / str(text), target)
        upstream = tuple(self._with_upstream(one, base) for one in record.upstream)
        record = replace(record, code=code, upstream=upstream)
        # Those of the zip are there; of the others, what is found here.
        inputs = replace(record, data={}) if about["data"] else record
        link_inputs(inputs, base, Path.cwd(), top=self.folder / "machine")
        for text in _named(record):
            path = Path(os.path.normpath(text))
            if path.is_absolute():  # it was elsewhere on its machine: here it is looked for by its name
                self._link(path, Path.cwd() / (path.relative_to(base) if path.is_relative_to(base) else path.name))
        write_lock(place, record)
        _require_outputs(place, record, [f"missing: {path}" for path in about["missing"]])
        run = self.runs[record.run_id] = Run(place, record)
        run.lock_hash = str(about["lock_hash"])  # of the run.lock that the run has where it comes from
        return Unpacked(run, tuple(map(str, about["changed"])), base)

    def _with_code(self, code: Code, name: str) -> Code:
        bundle = self.folder / "code" / f"{name}.bundle"
        _require_below(self.folder / "code", bundle)
        return replace(code, commit=read_bundle(bundle, Path(code.path), str(code.tree), self.most))

    def _with_upstream(self, upstream: Upstream, base: Path) -> Upstream:
        """Put an upstream run of the crate where a later one reads it."""
        run = self.runs.get(upstream.run_id)
        if run is None or run.lock_hash != upstream.lock_hash:
            return upstream
        self._link(base / upstream.save_dir, run.save_dir)
        return replace(upstream, lock_hash=lock_hash(run.lock_path))

    def _link(self, place: Path, target: Path) -> None:
        """Link a source, unless a link on the way leads out of our folder: nothing is written elsewhere."""
        parent = Path(os.path.realpath(place.parent))
        is_ours = parent.is_relative_to(os.path.realpath(self.folder))
        if is_ours and target.exists() and not os.path.lexists(place):
            parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(target.resolve())


def _named(record: Record) -> list[str]:
    """Return the paths of all that a run read."""
    return [*texts([data.path for data in record.data.values()]), *(one.save_dir for one in record.upstream)]


def _moved(value: Any, top: Path) -> Any:
    """Replace the machine's folder by one of ours."""
    if isinstance(value, dict):
        return {_moved(key, top): _moved(item, top) for key, item in value.items()}
    if isinstance(value, list):
        return [_moved(item, top) for item in value]
    return _PLACEHOLDER.sub(lambda _: str(top), value) if isinstance(value, str) else value


def _require_below(top: Path, path: Path) -> None:
    """Refuse a path by which a crafted crate would reach other folders, or git's own files."""
    inside = Path(os.path.normpath(path))
    if not inside.is_relative_to(top) or ".git" in str(inside.relative_to(top)).casefold().split("/"):
        raise LockError(f"{str(path)[:200]!r} leads out of its folder")


def _require_outputs(place: Path, record: Record, known: list[str]) -> None:
    tree = hash_outputs(place)
    if record.outputs is None or tree.hash == record.outputs.hash:
        return
    lines = list(compare(listed(read_json(place, naga_folder(place) / OUTPUTS_LIST)), tree))
    if not lines or not set(lines) <= set(known):
        raise LockError(f"the outputs of run {record.run_id} are not those that it lists")
