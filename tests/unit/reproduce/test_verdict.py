"""Verdicts of single outputs: how far numbers are from what they were."""

import io
import json
import math
from typing import Any

import numpy as np
import pytest

from naga.errors import UsageError
from naga.reproduce.verdict import _largest_difference, tolerances_of


def _npy(values: Any, dtype: str = "f8") -> bytes:
    box = io.BytesIO()
    np.save(box, np.array(values, dtype=dtype))
    return box.getvalue()


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


@pytest.mark.parametrize(
    ("suffix", "before", "after", "largest"),
    [
        (".json", _json({"a": [1, 2.0]}), _json({"a": [1, 2.2]}), 0.2 / 2.2),
        (".json", _json([0.5, math.inf]), _json([1.0, 1.0]), math.inf),
        (".json", _json([1.0, math.nan]), _json([1.0, math.nan]), 0),
        (".json", _json([1, 2]), _json([1]), math.inf),
        (".json", _json([True]), _json([1]), math.inf),
        (".json", _json(["a", 1]), _json(["b", 1]), math.inf),
        (".csv", b"a,b\n1,2\n", b"a,b\n1,4\n", 0.5),
        (".csv", b"a,b\n1,2\n", b"a,c\n1,2\n", math.inf),
        (".npy", _npy([1, 2]), _npy([1, 4]), 0.5),
        (".npy", _npy([1, math.nan]), _npy([1, math.nan]), 0),
        (".npy", _npy([1, math.inf]), _npy([1, 0]), math.inf),
        (".npy", _npy([1, 2], "u1"), _npy([2, 1], "u1"), 0.5),
        (".npy", _npy([1 + 1j], "c16"), _npy([1 + 1j], "c8"), math.inf),
        (".npy", _npy([1j], "c16"), _npy([2j], "c16"), 0.5),
        (".npy", _npy(["a"], "U1"), _npy(["b"], "U1"), math.inf),
        (".npy", _npy([1, 2]), _npy([[1, 2]]), math.inf),
    ],
)
def test_the_largest_relative_difference(suffix: str, before: bytes, after: bytes, largest: float) -> None:
    """More than numbers differ where it is infinite: no tolerance lets that pass."""
    assert _largest_difference(suffix, before, after) == pytest.approx(largest)


def test_tables_and_archives_of_arrays() -> None:
    """Columns and arrays by their names; one that is only in one of the files is more than a number."""
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")

    def table(**columns: list[Any]) -> bytes:
        box = io.BytesIO()
        parquet.write_table(pyarrow.table(columns), box)
        return box.getvalue()

    def archive(**arrays: Any) -> bytes:
        box = io.BytesIO()
        np.savez(box, **arrays)
        return box.getvalue()

    for suffix, write in ((".parquet", table), (".npz", archive)):
        assert _largest_difference(suffix, write(a=[1.0, 2.0]), write(a=[1.0, 4.0])) == 0.5
        assert _largest_difference(suffix, write(a=[1.0]), write(b=[1.0])) == math.inf
    assert _largest_difference(".parquet", table(a=["x"]), table(a=["y"])) == math.inf


@pytest.mark.parametrize("suffix", [".json", ".csv", ".npy", ".npz", ".parquet", ".bin"])
@pytest.mark.parametrize("data", [b"", b"\x93NUMPY", b"PK\x03\x04", b"[" * 100_000, b"[1" + b"0" * 5000 + b", 1.5]"])
def test_what_cannot_be_read_has_none(suffix: str, data: bytes) -> None:
    """No reader's error gets out; what a CSV file holds besides numbers is text."""
    assert _largest_difference(suffix, data, b"[1.5, 1.5]") in (None, math.inf)


@pytest.mark.parametrize("word", ["x", "=1", "a.json=", "a.json=-1", "a.json=nan", "a.json=many"])
def test_words_that_are_no_tolerance(word: str) -> None:
    """The word is named, with one that works."""
    with pytest.raises(UsageError, match="not FILE=REL"):
        tolerances_of([word])
