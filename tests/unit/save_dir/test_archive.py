"""Where finished runs go, and what a folder held before."""

import os
from pathlib import Path

import pytest

from naga.errors import SaveDirError
from naga.save_dir.archive import check_movable, check_spared, former_runs, home_of


def test_former_runs_are_those_in_the_archive_and_the_attempts_before(tmp_path: Path) -> None:
    """Of this folder and of its archived ones; not those of a neighbour whose name begins alike."""
    for lock in ("run/.naga/attempts/0001-a.lock", ".archive/run~b/.naga/attempts/0001-c-d.lock"):
        (tmp_path / lock).parent.mkdir(parents=True)
        (tmp_path / lock).touch()
    (tmp_path / ".archive/run~e~2").mkdir()
    (tmp_path / ".archive/runner~f").mkdir()
    assert former_runs(tmp_path / "run") == {"a", "b", "c-d", "e"}


def test_a_run_in_the_archive_has_its_home_beside_it(tmp_path: Path) -> None:
    """A copy of a copy too; a folder that only looks alike is its own home."""
    archive = tmp_path / ".archive"
    assert home_of(archive / "run~a~2", "a") == (tmp_path / "run", True)
    assert home_of(tmp_path / "run~a", "a") == (tmp_path / "run~a", False)
    assert home_of(archive / "run~ab", "a") == (archive / "run~ab", False)


@pytest.mark.parametrize("what", ["mount", "repository"])
def test_what_is_more_than_a_folder_is_not_moved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    """The place of a disk, or a repository: others look for it there."""
    folder = tmp_path / "run"
    folder.mkdir()
    check_movable(folder)
    if what == "mount":
        monkeypatch.setattr(os.path, "ismount", lambda place: place == folder)
    else:
        (folder / ".git").mkdir()
    with pytest.raises(SaveDirError, match="it is not moved"):
        check_movable(folder)


@pytest.mark.parametrize("parent", ["+archive", ".archive2", "-"])
def test_a_folder_beside_the_archive_is_none(tmp_path: Path, parent: str) -> None:
    """Only the archive's own name makes one."""
    assert home_of(tmp_path / parent / "run~a", "a") == (tmp_path / parent / "run~a", False)


def test_what_a_new_run_needs_is_spared_only_where_it_would_be_moved(tmp_path: Path) -> None:
    """With refuse and reuse nothing is moved."""
    for existing in ("refuse", "reuse"):
        check_spared(tmp_path / "r", [tmp_path / "r/model.pt"], existing)
    check_spared(tmp_path / "r", [tmp_path / "data"], "archive")
    with pytest.raises(SaveDirError, match="which this run needs"):
        check_spared(tmp_path / "r", [tmp_path / "data", tmp_path / "r/model.pt"], "archive")
