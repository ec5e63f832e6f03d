import json
import os
from pathlib import Path

import pytest

from naga.capture.data.manifest import add_inputs, write_inputs, write_outputs
from naga.hashing.format import HashedFile

ODD = [
    HashedFile('quote " and \\', "file", 1, "blake3:00"),
    HashedFile("new\nline\tand \x00", "link", 0, "blake3:01", "run-1"),
    HashedFile("\udcff, \u00e9 and \U0001f40d", "folder", 0, "blake3:02"),
]


def read(path: Path) -> object:
    plain = json.loads(path.read_text("ascii"))
    lists = plain.values() if isinstance(plain, dict) else [plain]
    found = [[HashedFile(**entry) for entry in entries] for entries in lists]
    return dict(zip(plain, found, strict=True)) if isinstance(plain, dict) else found[0]


@pytest.mark.parametrize("entries", [[], ODD[:1], ODD])
def test_outputs(tmp_path: Path, entries: list[HashedFile]) -> None:
    """Whatever the names, a list is what was listed, one line for each file."""
    write_outputs(tmp_path / "x", iter(entries))
    assert read(tmp_path / "x") == entries
    assert (tmp_path / "x").read_text().count('{"path"') == len(entries)


def test_inputs(tmp_path: Path) -> None:
    """Keys are added one set after the other, to an empty file as well."""
    write_inputs(tmp_path / "x", {})
    assert read(tmp_path / "x") == {}
    add_inputs(tmp_path / "x", {'a "b"': iter(ODD), "c": iter([])})
    add_inputs(tmp_path / "x", {})
    add_inputs(tmp_path / "x", {"d": iter(ODD[:1])})
    assert read(tmp_path / "x") == {'a "b"': ODD, "c": [], "d": ODD[:1]}


def test_a_list_that_fails_leaves_the_former(tmp_path: Path) -> None:
    """Where the entries end in an error, what was there stays."""
    write_outputs(tmp_path / "x", ODD)
    with pytest.raises(ZeroDivisionError):
        write_outputs(tmp_path / "x", (HashedFile("a", "file", 1 // number, "") for number in (1, 0)))
    assert read(tmp_path / "x") == ODD
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


@pytest.mark.timeout(5)
@pytest.mark.parametrize("odd", ["fifo", "link", "nothing"])
def test_adding_to_what_is_no_list(tmp_path: Path, odd: str) -> None:
    """What a task has put in the place of the list is replaced, never followed or waited for."""
    (tmp_path / "own").mkdir()
    (tmp_path / "secret").write_text("{}")
    if odd == "fifo":
        os.mkfifo(tmp_path / "own/x")
    elif odd == "link":
        (tmp_path / "own/x").symlink_to(tmp_path / "secret")
    add_inputs(tmp_path / "own/x", {"d": iter(ODD[:1])})
    assert read(tmp_path / "own/x") == {"d": ODD[:1]}
    assert (tmp_path / "secret").read_text() == "{}"
