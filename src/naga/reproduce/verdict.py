"""A verdict for each output of a run that was computed again."""

import csv
import fnmatch
import io
import json
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any

from naga.capture.data.manifest import listed_outputs
from naga.capture.data.outputs import hash_outputs
from naga.compare.inside import changes_inside
from naga.errors import LockError, NagaError, UsageError
from naga.frozen import dataclass
from naga.record.opener import read_inside
from naga.reproduce.harmless import harmless
from naga.runs.find import Run
from naga.wording import first_of

_MOST_BYTES = 200 * 2**20  # of a file that is looked into
IDENTICAL, WITHIN, DIFFERENT = "identical", "within tolerance", "different"


@dataclass(frozen=True, slots=True)
class OutputVerdict:
    """The verdict for one output: identical, within tolerance, different, missing or extra; and how it differs."""

    path: str
    verdict: str
    note: str = ""


def tolerances_of(words: list[str], run: Run | None = None) -> dict[str, float]:
    """Read ``FILE=REL``: the largest relative difference of the numbers in files of a name.

    What names no output of the run, or none whose numbers can be read, is refused.

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
        files = fnmatch.filter(files_of(run), name) if run else []
        if run and not any(PurePosixPath(file).suffix in _NUMBERS for file in files):
            what = f"no output is called {name!r}" if not files else f"no numbers are read in {first_of(files)}"
            hint = f"a {', '.join(_NUMBERS)} of {first_of(files_of(run))}"
            raise UsageError(f"--tolerance {word}: {what}", hint=hint)
    return found


def verdicts(was: Run, now: Run, tolerances: Mapping[str, float]) -> Iterator[OutputVerdict]:
    """Compare the outputs of a run with those of its reproduction, file by file."""
    before, after = files_of(was), files_of(now)
    for path in sorted(before.keys() | after.keys()):
        if path not in after:
            yield OutputVerdict(path, "missing")
        elif path not in before:
            yield OutputVerdict(path, "extra")
        elif before[path] == after[path]:
            yield OutputVerdict(path, IDENTICAL)
        else:
            yield _differing(was.save_dir, now.save_dir, path, (before[path], after[path]), tolerances)


def files_of(run: Run) -> dict[str, str]:
    """Return the hash of each output of a run by its path; empty where that is unknown."""
    if known := listed_outputs(run.save_dir):
        return known
    with suppress(NagaError):  # without its list, what is in the folder says it as long as it is what was there
        tree = hash_outputs(run.save_dir, fresh=False)
        if run.record.outputs and tree.hash == run.record.outputs.hash:
            return {entry.path: entry.hash for entry in tree.entries()}
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
    note = changes_inside((was, now), path, hashes) or harmless(*data)
    if largest and math.isfinite(largest):
        note += f"{'; ' if note else ''}largest relative difference {largest:.3g}"
    return OutputVerdict(path, DIFFERENT, note)


def _largest_difference(suffix: str, before: bytes, after: bytes) -> float | None:
    """Return the largest relative difference of numbers in two files; infinite where more than numbers differs."""
    read = _NUMBERS.get(suffix)
    try:
        return _largest(read(before), read(after)) if read else None
    except Exception:  # noqa: BLE001  # whatever a reader makes of a damaged file, or of one without its package
        return None


def _largest(a: Any, b: Any) -> float:
    if isinstance(a, dict) and isinstance(b, dict) and a.keys() == b.keys():
        return max((_largest(a[key], b[key]) for key in a), default=0.0)
    if isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        return max(map(_largest, a, b), default=0.0)
    if _is_number(a) and _is_number(b):
        if a == b or (a != a and b != b):  # noqa: PLR0124  # not a number is as good as not a number
            return 0.0
        largest = float(abs(a - b) / max(abs(a), abs(b)))
        return largest if math.isfinite(largest) else math.inf
    if hasattr(a, "dtype") and hasattr(b, "dtype"):
        return _of_arrays(a, b)
    return 0.0 if a == b and type(a) is type(b) else math.inf


def _of_arrays(a: Any, b: Any) -> float:
    import numpy as np

    if (a.shape, a.dtype) != (b.shape, b.dtype):
        return math.inf
    differs = ~((a == b) | ((a != a) & (b != b)))  # noqa: PLR0124
    if not differs.any():
        return 0.0
    if a.dtype.kind not in "iufc":
        return math.inf
    wide = np.clongdouble if a.dtype.kind == "c" else np.longdouble  # differences of unsigned numbers do not wrap
    before, after = a[differs].astype(wide), b[differs].astype(wide)
    with np.errstate(all="ignore"):
        largest = float((abs(before - after) / np.maximum(abs(before), abs(after))).max())
    return largest if math.isfinite(largest) else math.inf


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

    return np.load(io.BytesIO(data), allow_pickle=False)


def _npz(data: bytes) -> Any:
    with _npy(data) as arrays:
        return dict(arrays)


def _parquet(data: bytes) -> Any:
    from pyarrow import parquet  # type: ignore[import-untyped]  # it has no types

    return parquet.read_table(io.BytesIO(data)).to_pydict()


_NUMBERS: dict[str, Callable[[bytes], Any]] = {
    ".json": json.loads, ".csv": _csv, ".npy": _npy, ".npz": _npz, ".parquet": _parquet,
}  # fmt: skip
