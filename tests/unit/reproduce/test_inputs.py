"""Inputs that are laid out: copies, as far as they are not too large."""

from pathlib import Path

import pytest

import naga.reproduce.inputs
from naga.hashing.hash_tree import hash_path
from naga.reproduce.inputs import Inputs


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder with files and links: inside, out of it, and one that leads nowhere."""
    folder = tmp_path / "source"
    (folder / "deep").mkdir(parents=True)
    (tmp_path / "other.txt").write_text("other")
    (folder / "a.txt").write_text("a")
    (folder / "deep" / "b.txt").write_text("b")
    (folder / "deep" / "to_a").symlink_to("../a.txt")
    (folder / "nowhere").symlink_to("gone")
    return folder


def test_a_copy_is_the_same_and_apart(source: Path, tmp_path: Path) -> None:
    """What is written to it leaves the original as it was."""
    Inputs(tmp_path).lay(source, tmp_path / "new" / "place")
    place = tmp_path / "new" / "place"
    assert hash_path(place).hash == hash_path(source).hash
    (place / "deep" / "to_a").write_text("changed")
    assert (place / "a.txt").read_text() == "changed"
    assert (source / "a.txt").read_text() == "a"


def test_what_the_code_brought(source: Path, tmp_path: Path) -> None:
    """The same stays, other content gives way to that of the input, and what the input lacks stays."""
    place = tmp_path / "place"
    (place / "deep").mkdir(parents=True)
    (place / "a.txt").write_text("older")
    (place / "code.py").write_text("1")
    (place / "deep" / "b.txt").write_text("b")
    same = (place / "deep" / "b.txt").stat().st_ino
    Inputs(tmp_path).lay(source, place)
    assert (place / "a.txt").read_text() == "a"
    assert (place / "code.py").read_text() == "1"
    assert (place / "deep" / "b.txt").stat().st_ino == same


def test_too_large(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is a link as a whole, or what is in it, where the code has a folder there; the rest is copied."""
    monkeypatch.setattr(naga.reproduce.inputs, "COPIED", 80_000)
    monkeypatch.setattr(naga.reproduce.inputs, "_shares_blocks", lambda *_: False)
    (source / "large").write_bytes(b"0" * 90_000)
    Inputs(tmp_path).lay(source, tmp_path / "whole")
    assert (tmp_path / "whole").readlink() == source
    (tmp_path / "parts").mkdir()
    Inputs(tmp_path).lay(source, tmp_path / "parts")
    assert (tmp_path / "parts" / "large").readlink() == source / "large"
    assert not (tmp_path / "parts" / "a.txt").is_symlink()


def test_nothing_is_laid_outside(source: Path, tmp_path: Path) -> None:
    """Neither by dots, nor through a link that the code has brought."""
    top, outside = tmp_path / "top", tmp_path / "outside"
    top.mkdir()
    outside.mkdir()
    (top / "link").symlink_to(outside)
    Inputs(top).lay(source, top / "link" / "place")
    Inputs(top).lay(source, tmp_path / "beside")
    assert list(outside.iterdir()) == []
    assert not (tmp_path / "beside").exists()
