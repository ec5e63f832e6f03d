"""What changed inside a result of two runs, for the formats that are known: JSON, CSV and NumPy's."""

import csv
import io
import json
import math
from collections.abc import Callable, Sequence
from itertools import zip_longest
from pathlib import Path, PurePosixPath
from typing import Any

from naga.errors import LockError
from naga.hashing.hash_tree import hash_path
from naga.record.opener import read_inside
from naga.wording import first_of

_MOST_BYTES = 20 * 2**20  # of a file; larger ones are compared by their hash alone
_SHOWN = 3


def changes_inside(folders: Sequence[Path], path: str, hashes: Sequence[str | None]) -> str:
    """Say in a few words what differs; '' where a file is missing, large, of another format, or has changed since."""
    compare = _KINDS.get(PurePosixPath(path).suffix)
    if compare is None or not all(hashes):
        return ""
    try:
        before, after = (read_inside(folder, folder / path, _MOST_BYTES) for folder in folders)
        as_recorded = all(hash_path(folder / path).hash == known for folder, known in zip(folders, hashes, strict=True))
        return compare(before, after) if as_recorded else ""
    except (OSError, LockError, ValueError, RecursionError, csv.Error, ImportError):
        return ""


def _json(before: bytes, after: bytes) -> str:
    flat = [dict(_leaves(json.loads(text), "")) for text in (before, after)]
    keys = [key for key in flat[0] | flat[1] if not _same(flat[0].get(key, ...), flat[1].get(key, ...))]
    return first_of(
        (f"{key}: {_shown(flat[0].get(key, ...))} -> {_shown(flat[1].get(key, ...))}" for key in keys), _SHOWN
    )


def _leaves(value: Any, key: str) -> list[tuple[str, Any]]:
    if isinstance(value, dict):
        return [leaf for name, item in value.items() for leaf in _leaves(item, f"{key}.{name}" if key else name)]
    if isinstance(value, list):
        return [leaf for place, item in enumerate(value) for leaf in _leaves(item, f"{key}[{place}]")]
    return [(key, value)]


def _shown(value: Any) -> str:
    text = "nothing" if value is ... else str(value)
    return text if len(text) <= 30 else f"{text[:27]}..."


def _same(a: Any, b: Any) -> bool:
    return type(a) is type(b) and (a == b or (isinstance(a, float) and math.isnan(a) and math.isnan(b)))


def _csv(before: bytes, after: bytes) -> str:
    tables = [list(csv.reader(io.StringIO(text.decode()))) for text in (before, after)]
    rows = [len(table) for table in tables]
    cells = sum(a != b for pair in zip(*tables, strict=False) for a, b in zip_longest(*pair))
    counted = [f"{rows[0]} -> {rows[1]} rows"] if rows[0] != rows[1] else []
    return ", ".join([*counted, f"cells changed: {cells}"] if cells else counted)


def _npy(before: bytes, after: bytes) -> str:
    import numpy as np  # whoever has such a file has it

    a, b = (np.load(io.BytesIO(text), allow_pickle=False) for text in (before, after))
    return _arrays(a, b)


def _npz(before: bytes, after: bytes) -> str:
    import numpy as np

    a, b = (dict(np.load(io.BytesIO(text), allow_pickle=False)) for text in (before, after))
    said = (f"{name}: {_arrays(a[name], b[name])}" for name in a if name in b and _arrays(a[name], b[name]))
    only = (f"{name}: only in one" for name in sorted(a.keys() ^ b.keys()))
    return first_of([*said, *only], _SHOWN)


def _arrays(a: Any, b: Any) -> str:
    if (a.shape, a.dtype) != (b.shape, b.dtype):
        return f"{a.dtype}{list(a.shape)} -> {b.dtype}{list(b.shape)}"
    is_other = ~((a == b) | ((a != a) & (b != b)))  # noqa: PLR0124  # NaN is no other value than NaN
    count = int(is_other.sum())
    if not count:
        return ""
    is_real = a.dtype.kind in "iuf"
    most = abs(a[is_other].astype(float) - b[is_other].astype(float)).max() if is_real else math.nan
    return f"{count} of {a.size} values changed" + ("" if math.isnan(most) else f", by at most {most:.3g}")


_KINDS: dict[str, Callable[[bytes, bytes], str]] = {".json": _json, ".csv": _csv, ".npy": _npy, ".npz": _npz}
