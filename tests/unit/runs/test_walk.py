"""The folders that hold a run are found again without listing any, and none is missed."""

import os
from pathlib import Path

import pytest

from naga.runs import walk
from naga.runs.index import Index
from naga.runs.walk import is_local, run_folders


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two runs, at two depths, on what is taken for a disk of this machine."""
    monkeypatch.setenv("NAGA_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr("naga.runs.index._SETTLED_S", -1.0)
    monkeypatch.setattr(walk, "is_local", lambda _: True)
    for name in ("results/a", "results/deep/b"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "run.lock").touch()
    return tmp_path / "results"


def found(root: Path, *, archived: bool = True) -> list[str]:
    """Name what is found, relative to the root."""
    with Index.of(str(root)) as index:
        folders = list(run_folders(str(root), index, archived=archived))
        index.forget_others(archived=archived)
    return [str(Path(folder).relative_to(root)) for folder in folders]


def listed(root: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Name the folders that a search lists."""
    names: list[str] = []
    original = os.scandir

    def scandir(path: str) -> object:
        names.append(os.path.relpath(path, root))
        return original(path)

    with monkeypatch.context() as patched:
        patched.setattr(os, "scandir", scandir)
        found(root)
    return names


def test_only_folders_that_have_changed_are_listed(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second time none; then the one that has a new entry, and that entry."""
    assert listed(root, monkeypatch) == [".", "a", "deep", "deep/b"]
    assert listed(root, monkeypatch) == []
    (root / "deep/c").mkdir()
    (root / "deep/c/run.lock").touch()
    assert listed(root, monkeypatch) == ["deep", "deep/c"]
    assert found(root) == ["a", "deep/b", "deep/c"]


@pytest.mark.parametrize("change", ["run.lock", "folder", "rename"])
def test_what_goes_is_not_found(root: Path, change: str) -> None:
    """A run.lock, a folder, a name."""
    assert found(root) == ["a", "deep/b"]
    if change == "run.lock":
        (root / "a/run.lock").unlink()
    elif change == "folder":
        (root / "a/run.lock").unlink()
        (root / "a").rmdir()
    else:
        (root / "a").rename(root / "z")
    assert found(root) == (["deep/b", "z"] if change == "rename" else ["deep/b"])


def test_links_are_looked_at_each_time(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What they lead to comes and goes without a sign in the folder that they are in."""
    (root / "deep/link").symlink_to("../../elsewhere")
    assert found(root) == ["a", "deep/b"]
    (root.parent / "elsewhere/run").mkdir(parents=True)
    (root.parent / "elsewhere/run/run.lock").touch()
    assert found(root) == ["a", "deep/b", "deep/link/run"]
    assert "deep" in listed(root, monkeypatch)


def test_elsewhere_every_folder_is_listed(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server may tell late of a change."""
    monkeypatch.setattr(walk, "is_local", lambda _: False)
    found(root)
    assert listed(root, monkeypatch) == [".", "a", "deep", "deep/b"]


def test_the_archive_is_searched_on_request(root: Path) -> None:
    """Also after a search without it."""
    (root / ".archive/old").mkdir(parents=True)
    (root / ".archive/old/run.lock").touch()
    assert found(root, archived=False) == ["a", "deep/b"]
    assert found(root) == [".archive/old", "a", "deep/b"]
    assert found(root, archived=False) == ["a", "deep/b"]


def test_local(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the kind of what is mounted nearest; unknown kinds are not."""
    mounts = (("/home/my\\040data", "nfs4"), ("/home", "ext4"), ("/proc", "proc"), ("/", "fuse.sshfs"))
    monkeypatch.setattr(walk, "_mounts", lambda: mounts)
    assert is_local("/home/x")
    assert not is_local("/home/my data/x")
    assert not is_local("/proc")
    assert not is_local("/homes")
