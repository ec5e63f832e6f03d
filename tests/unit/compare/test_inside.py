"""What changed inside of a file is said where its kind is known, and never of another file than the recorded one."""

import io
from pathlib import Path

import numpy as np
import pytest

from naga.compare.inside import changes_inside
from naga.hashing.hash_tree import hash_path


def said(tmp_path: Path, name: str, *contents: bytes) -> str:
    """Compare two contents of one file."""
    folders = [tmp_path / run for run in "ab"]
    for folder, content in zip(folders, contents, strict=True):
        folder.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)
    return changes_inside(folders, name, [hash_path(folder / name).hash for folder in folders])


def array(*values: float) -> bytes:
    """Write an array as NumPy does."""
    file = io.BytesIO()
    np.save(file, np.array(values))
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "before", "after", "expected"),
    [
        ("a.json", b'{"x": {"y": [1, 2]}, "n": NaN}', b'{"x": {"y": [1, 3]}, "n": NaN}', "x.y[1]: 2 -> 3"),
        ("a.json", b'{"a": 1}', b'{"b": 1}', "a: 1 -> nothing, b: nothing -> 1"),
        ("a.json", b"[0, 1, 2, 3]", b"[]", "[0]: 0 -> nothing, [1]: 1 -> nothing, [2]: 2 -> nothing"),
        ("a.json", b"{", b"{}", ""),
        ("a.json", b"[" * 10**5, b"{}", ""),
        ("a.csv", b"a,b\n1,2\n", b"a,b\n1,3\n4,5\n", "2 -> 3 rows, cells changed: 1"),
        ("a.csv", b"\xff", b"1", ""),
        ("a.npy", array(1, np.nan, 3), array(1, np.nan, 3.5), "1 of 3 values changed, by at most 0.5"),
        ("a.npy", array(1.0), array(1.0, 2), "float64[1] -> float64[2]"),
        ("a.npy", b"no array", array(1), ""),
        ("a.txt", b"1", b"2", ""),
    ],
)  # fmt: skip
def test_what_changed(tmp_path: Path, name: str, before: bytes, after: bytes, expected: str) -> None:
    """In a few words, and nothing where it cannot be read."""
    assert said(tmp_path, name, before, after).partition(" and ")[0] == expected


def test_several_arrays(tmp_path: Path) -> None:
    """Each by its name; what only one has is named."""
    files = io.BytesIO(), io.BytesIO()
    np.savez(files[0], w=np.zeros(2), gone=np.zeros(1))
    np.savez(files[1], w=np.array([0.0, 2.0]))
    text = said(tmp_path, "a.npz", *(file.getvalue() for file in files))
    assert text == "w: 1 of 2 values changed, by at most 2, gone: only in one"


def test_what_is_no_longer_as_it_was(tmp_path: Path) -> None:
    """A file that was edited after the run is not what the run left."""
    assert said(tmp_path, "a.json", b"[1]", b"[2]")
    assert changes_inside([tmp_path / "a", tmp_path / "b"], "a.json", ["blake3:00", "blake3:11"]) == ""
    (tmp_path / "b/a.json").unlink()
    assert changes_inside([tmp_path / "a", tmp_path / "b"], "a.json", ["blake3:00", "blake3:11"]) == ""
