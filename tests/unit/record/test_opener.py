"""Files in a run's folder are opened by one function, which reads regular files of that folder alone."""

import os
import socket
from pathlib import Path

import pytest

from naga.errors import LockError
from naga.record.opener import make_inside, read_inside, read_json


def test_a_file_and_a_link_inside_are_read(tmp_path: Path) -> None:
    """A link is followed where it stays in the folder."""
    (tmp_path / "a").write_bytes(b"1")
    (tmp_path / "b").symlink_to("a")
    assert read_inside(tmp_path, tmp_path / "a") == read_inside(tmp_path, tmp_path / "b") == b"1"


def test_a_linked_folder_is_a_folder(tmp_path: Path) -> None:
    """Where the run is may be a link itself: results kept on another disk."""
    (tmp_path / "real").mkdir()
    (tmp_path / "real/a").write_bytes(b"1")
    (tmp_path / "linked").symlink_to("real")
    assert read_inside(tmp_path / "linked", tmp_path / "linked/a") == b"1"


@pytest.mark.parametrize("link", ["a", ".naga"])
def test_no_link_leads_out(tmp_path: Path, link: str) -> None:
    """Neither the file nor a folder on the way to it."""
    (tmp_path / "run").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out/a").write_text("secret")
    (tmp_path / "run/a").symlink_to(tmp_path / "out/a")
    (tmp_path / "run/.naga").symlink_to(tmp_path / "out")
    with pytest.raises(LockError, match="leads out"):
        read_inside(tmp_path / "run", tmp_path / "run" / ("a" if link == "a" else ".naga/a"))


@pytest.mark.timeout(5)
@pytest.mark.parametrize("kind", ["fifo", "socket", "device", "folder"])
def test_what_is_no_file_is_refused_at_once(tmp_path: Path, kind: str) -> None:
    """A fifo has no writer to wait for."""
    odd = tmp_path / "odd"
    if kind == "fifo":
        os.mkfifo(odd)
    elif kind == "folder":
        odd.mkdir()
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(str(odd))
    else:
        odd = Path("/dev/zero")
    with pytest.raises((LockError, OSError)):
        read_inside(odd.parent, odd)


@pytest.mark.parametrize("name", ["a\0b", "\ud800"])
def test_a_name_that_no_file_has_is_refused(tmp_path: Path, name: str) -> None:
    """A run.lock may name such a folder as upstream."""
    with pytest.raises(LockError, match="no file can have"):
        read_inside(tmp_path, tmp_path / name)


def test_a_large_file_is_refused(tmp_path: Path) -> None:
    """Before it is read, or as soon as more of it is read."""
    (tmp_path / "a").write_bytes(b"12345")
    with pytest.raises(LockError, match="5 bytes"):
        read_inside(tmp_path, tmp_path / "a", most=4)
    assert read_inside(tmp_path, tmp_path / "a", most=5) == b"12345"
    with pytest.raises(LockError, match=r"larger than any of its kind \(11 bytes\)"):
        read_inside(Path("/proc/self"), Path("/proc/self/status"), most=10)  # a file without a size


@pytest.mark.parametrize("text", [b"{", b"[" * 100_000, b"\xff"], ids=["torn", "deep", "not text"])
def test_odd_json_is_one_error(tmp_path: Path, text: bytes) -> None:
    """Torn, endless, or no text at all."""
    (tmp_path / "a").write_bytes(text)
    with pytest.raises(LockError):
        read_json(tmp_path, tmp_path / "a")


def test_a_file_that_is_replaced_while_it_is_opened_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another run may begin in the folder at this very moment: that is no link, and what is there now is read."""
    (tmp_path / "a").write_bytes(b"old")

    def replace_then_tell(folder: Path, file: Path) -> bool:
        monkeypatch.undo()
        (folder / "new").write_bytes(b"new")
        (folder / "new").replace(file)
        return True

    monkeypatch.setattr("naga.record.opener.is_inside", replace_then_tell)
    assert read_inside(tmp_path, tmp_path / "a") == b"new"


@pytest.mark.parametrize("link", [".naga", ".naga/claims"])
def test_no_folder_is_made_by_way_of_a_link(tmp_path: Path, link: str) -> None:
    """Nor is one that is there taken for the run's own; a linked save_dir is the user's choice."""
    (tmp_path / "out/claims").mkdir(parents=True)
    (tmp_path / "real").mkdir()
    (tmp_path / "run").symlink_to("real")
    assert make_inside(tmp_path / "run", tmp_path / "run/.naga/other").is_dir()
    (tmp_path / "run/.naga/other").rmdir()
    if link == ".naga":
        (tmp_path / "run/.naga").rmdir()
    (tmp_path / "run" / link).symlink_to(tmp_path / ("out" if link == ".naga" else "out/claims"))
    with pytest.raises(OSError, match="is a link, and nothing is written through one"):
        make_inside(tmp_path / "run", tmp_path / "run/.naga/claims")
