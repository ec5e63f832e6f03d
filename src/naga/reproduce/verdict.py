"""A verdict for each output of a run that was computed again."""

import csv
import fnmatch
import gzip
import io
import json
import math
import pickle
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from naga.capture.data.manifest import listed
from naga.compare.inside import changes_inside
from naga.errors import LockError, UsageError
from naga.frozen import dataclass
from naga.layout import OUTPUTS_LIST, naga_folder
from naga.record.opener import read_inside, read_json
from naga.runs.find import Run

_MOST_BYTES = 200 * 2**20  # of a file that is looked into
IDENTICAL, WITHIN, DIFFERENT = "identical", "within tolerance", "different"


@dataclass(frozen=True, slots=True)
class OutputVerdict:
    """What became of one output: identical, within tolerance, different, missing or extra; and how it differs."""

    path: str
    verdict: str
    note: str = ""


def tolerances_of(words: list[str]) -> dict[str, float]:
    """Read ``FILE=REL``: how far the numbers in files of a name may be from what they were, relatively.

    Examples
    --------
    >>> tolerances_of(["metrics.json=1e-6", "*.csv=0.01"])
    {'metrics.json': 1e-06, '*.csv': 0.01}
    """
    found = {}
    for word in words:
        name, equals, number = word.rpartition("=")
        try:
            found[name] = float(number)
        except ValueError:
            equals = ""
        if not name or not equals or not found[name] >= 0:
            raise UsageError(f"--tolerance {word}: not FILE=REL", hint="--tolerance 'metrics.json=1e-6'")
    return found


def verdicts(was: Run, now: Run, tolerances: Mapping[str, float]) -> Iterator[OutputVerdict]:
    """Compare the outputs of a run with those of its reproduction, file by file."""
    before, after = _files(was), _files(now)
    for path in sorted(before.keys() | after.keys()):
        if path not in after:
            yield OutputVerdict(path, "missing")
        elif path not in before:
            yield OutputVerdict(path, "extra")
        elif before[path] == after[path]:
            yield OutputVerdict(path, IDENTICAL)
        else:
            yield _differing(was.save_dir, now.save_dir, path, (before[path], after[path]), tolerances)


def _files(run: Run) -> dict[str, str]:
    try:
        return listed(read_json(run.save_dir, naga_folder(run.save_dir) / OUTPUTS_LIST))
    except (OSError, LockError, KeyError, TypeError):
        return {}


def _differing(
    was: Path, now: Path, path: str, hashes: tuple[str, str], tolerances: Mapping[str, float]
) -> OutputVerdict:
    allowed = next((rel for name, rel in tolerances.items() if fnmatch.fnmatch(path, name)), None)
    try:
        data = [read_inside(folder, folder / path, _MOST_BYTES) for folder in (was, now)]
    except (OSError, LockError):
        return OutputVerdict(path, DIFFERENT)
    largest = _largest_difference(PurePosixPath(path).suffix, *data)
    if allowed is not None and largest is not None and largest <= allowed:
        return OutputVerdict(path, WITHIN, f"largest relative difference {largest:.3g}")
    note = changes_inside((was, now), path, hashes) or _harmless(path, *data)
    if largest is not None and math.isfinite(largest):
        note += f"{'; ' if note else ''}largest relative difference {largest:.3g}"
    return OutputVerdict(path, DIFFERENT, note)


def _largest_difference(suffix: str, before: bytes, after: bytes) -> float | None:
    """Give the largest relative difference of the numbers of two files; infinite where more than numbers differ."""
    read = _NUMBERS.get(suffix)
    try:
        return _largest(read(before), read(after)) if read else None
    except (ValueError, RecursionError, ImportError, csv.Error, KeyError):
        return None


def _largest(a: Any, b: Any) -> float:
    if isinstance(a, dict) and isinstance(b, dict) and a.keys() == b.keys():
        return max((_largest(a[key], b[key]) for key in a), default=0.0)
    if isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        return max(map(_largest, a, b), default=0.0)
    if _is_number(a) and _is_number(b):
        if a == b or (a != a and b != b):  # noqa: PLR0124  # not a number is as good as not a number
            return 0.0
        return float(abs(a - b) / max(abs(a), abs(b)))
    return 0.0 if a == b and type(a) is type(b) else math.inf


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _csv(data: bytes) -> Any:
    def cell(text: str) -> Any:
        try:
            return float(text)
        except ValueError:
            return text

    return [[cell(text) for text in row] for row in csv.reader(io.StringIO(data.decode()))]


def _npy(data: bytes) -> Any:
    import numpy as np

    array = np.load(io.BytesIO(data), allow_pickle=False)
    return {"shape": list(array.shape), "values": array.ravel().tolist()}


def _npz(data: bytes) -> Any:
    import numpy as np

    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        return {name: {"shape": list(array.shape), "values": array.ravel().tolist()} for name, array in arrays.items()}


def _parquet(data: bytes) -> Any:
    from pyarrow import parquet  # type: ignore[import-untyped]  # it has no types

    return parquet.read_table(io.BytesIO(data)).to_pydict()


_NUMBERS: dict[str, Callable[[bytes], Any]] = {
    ".json": json.loads, ".csv": _csv, ".npy": _npy, ".npz": _npz, ".parquet": _parquet,
}  # fmt: skip


def _harmless(path: str, before: bytes, after: bytes) -> str:
    """Say where only what does not matter differs: times inside of archives; it is still not identical."""
    try:
        if zipfile.is_zipfile(io.BytesIO(before)) and _zipped(before) == _zipped(after):
            return "the same content: only times inside of the archive differ"
        if before[:2] == b"\x1f\x8b" and gzip.decompress(before) == gzip.decompress(after):
            return "the same content: only the time in the gzip header differs"
        if before[:4] == b"%PDF" and _undated(before) == _undated(after):
            return "the same content: only dates and ids of the PDF differ"
    except (OSError, EOFError, zipfile.BadZipFile, ValueError):
        pass
    if PurePosixPath(path).suffix in (".pkl", ".pickle") and len(before) == len(after) and _is_pickle(before):
        return "pickles of the same length, which may be of equal objects"
    return ""


def _zipped(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        if sum(entry.file_size for entry in archive.infolist()) > _MOST_BYTES:
            raise ValueError("too large to be looked into")
        return {name: archive.read(name) for name in archive.namelist()}


def _undated(data: bytes) -> bytes:
    return re.sub(rb"/(CreationDate|ModDate|ID|Producer)\s*(\(.*?\)|\[.*?\])", b"", data)


def _is_pickle(data: bytes) -> bool:
    return data[:1] == pickle.PROTO  # it is never loaded: that would run what it says
