"""What differs and does not matter; what does matter, and what is broken, is never called harmless."""

import gzip
import io
import pickle
import zipfile
from collections import OrderedDict
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from naga.reproduce.harmless import harmless


class Model:
    def __init__(self, *values: Any) -> None:
        self.values = list(values)


def _zip(day: int, **files: str) -> bytes:
    box = io.BytesIO()
    with zipfile.ZipFile(box, "w") as archive:
        for name, text in files.items():
            archive.writestr(zipfile.ZipInfo(name, (2026, 1, day, 0, 0, 0)), text)
    return box.getvalue()


def _pdf(date: str, text: str) -> bytes:
    return f"%PDF-1.4\n/CreationDate (D:{date})\n/ID [<{date}> <0>]\n({text}) Tj".encode()


def test_times_inside_of_archives() -> None:
    """Zip, what NumPy writes as one, and gzip."""
    assert "only times" in harmless(_zip(1, a="x"), _zip(2, a="x"))
    assert harmless(_zip(1, a="x"), _zip(2, a="y")) == ""
    assert "gzip header" in harmless(gzip.compress(b"x", mtime=1), gzip.compress(b"x", mtime=2))
    assert harmless(gzip.compress(b"x", mtime=1), gzip.compress(b"y", mtime=1)) == ""


def test_dates_of_documents() -> None:
    """Their text counts."""
    assert "dates" in harmless(_pdf("2025", "a"), _pdf("2026", "a"))
    assert harmless(_pdf("2025", "a"), _pdf("2026", "b")) == ""


def _apart(text: str) -> str:
    return "".join(list(text))  # equal, and not the same object: pickle refers back to those that are


@pytest.mark.parametrize(
    "made",
    [
        lambda text: [text, text],
        lambda text: {"a": Model(text, text), "b": (text, 1.5)},
        lambda text: OrderedDict(a=text, b=text),
        lambda text: [np.arange(3.0), np.float64(2), text, text],
        lambda text: [Fraction(1, 3), {text}, Path(text), Model, text],
    ],
)
def test_pickles_of_equal_objects(made: Any) -> None:
    """Whether equal strings were one object shows in a pickle, and is no difference."""
    text = "some text"
    one, other = made(text), made(_apart(text))
    shared = pickle.dumps([one, text])
    apart = pickle.dumps([other, text])
    assert shared != apart
    assert harmless(shared, apart) == "pickles of equal objects"
    assert harmless(shared, pickle.dumps([one, "other"])) == ""


def test_nothing_in_a_pickle_is_run(tmp_path: Path) -> None:
    """What a pickle calls when it is loaded is compared by its name."""

    class Writes:
        def __reduce__(self) -> Any:
            return Path.touch, (tmp_path / "ran",)

    pickle_of = pickle.dumps(Writes())
    assert harmless(pickle_of + b"", pickle_of.replace(b"\x94", b"", 0)) == "pickles of equal objects"
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("data", [b"", b"PK\x05\x06", b"\x1f\x8b", b"%PDF", b"\x80\x04", b"\x80\x05\x95\xff", b"text"])
def test_what_is_damaged_is_just_different(data: bytes) -> None:
    """No reader's error gets out."""
    assert harmless(data, data + b"x") == "" or data == b"%PDF"
