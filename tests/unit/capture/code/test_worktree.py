import os
from pathlib import Path

import pytest
from workbench import git

from naga.capture.code.git import Repository
from naga.capture.code.worktree import IndexCopy, read_status, store


def _entry(top: Path, path: str) -> tuple[str, str]:
    mode, blob, _ = git("ls-files", "--stage", path, cwd=top).split("\t")[0].split(" ")
    return mode, blob


@pytest.mark.parametrize("setting", ["core.autocrlf=true", "core.autocrlf=input", "core.fileMode=false"])
def test_a_file_is_stored_as_git_add_would(top: Path, tmp_path: Path, setting: str) -> None:
    """With the line ends and the mode that the index has for it, whatever the worktree says."""
    (top / "train.py").write_bytes(b"a = 1\r\nb = 2\r\n")
    (top / "train.py").chmod(0o755)
    git("add", "--all", cwd=top)
    git("commit", "-qm", "As it is", cwd=top)
    git("config", *setting.split("="), cwd=top)
    (top / "train.py").write_bytes(b"a = 1\r\nb = 3\r\n")
    (top / "train.py").chmod(0o644)
    (top / "new.py").write_bytes(b"c = 3\r\n")
    repository = Repository.find(top)
    changes = read_status(repository).changes
    stored, failed = store(repository.with_index(tmp_path / "stored"), changes)
    assert not failed
    git("add", "--all", cwd=top)
    assert stored == {path: _entry(top, path) for path in ("train.py", "new.py")}


def test_an_index_is_kept_with_its_time(tmp_path: Path) -> None:
    """Or git would believe it where it must look."""
    (tmp_path / "index").write_bytes(b"entries")
    os.utime(tmp_path / "index", ns=(1, 123_456_789))
    IndexCopy.read(tmp_path / "index").write(tmp_path / "copy")
    assert (tmp_path / "copy").stat().st_mtime_ns == 123_456_789
    assert IndexCopy.read(tmp_path / "copy") == IndexCopy(b"entries", 123_456_789)


def test_no_index_is_an_empty_one(tmp_path: Path) -> None:
    """Before the first `git add` there is none."""
    (tmp_path / "copy").write_bytes(b"old")
    IndexCopy.read(tmp_path / "nothing").write(tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


@pytest.mark.parametrize(
    ("words", "certain"),
    [
        ((), True),
        (("update-index", "--index-version", "4"), False),
        (("update-index", "--split-index"), False),
        (("update-index", "--assume-unchanged", "train.py"), False),
        (("update-index", "--skip-worktree", "train.py"), False),
        (("rm", "-q", "--cached", "-r", "."), True),
    ],
)
def test_an_index_is_read_without_git_only_where_that_is_certain(
    top: Path, words: tuple[str, ...], certain: bool
) -> None:
    """Whatever Naga does not understand of it, git is asked about."""
    for length in range(1, 30):
        (top / ("n" * length)).write_text("")
    git("add", "--all", cwd=top)
    git("status", cwd=top)
    if words:
        git(*words, cwd=top)
    index = IndexCopy.read(top / ".git" / "index")
    assert index.hides_nothing() is certain
    if certain:
        for cut in range(12, len(index.content), 7):
            assert not IndexCopy(index.content[:cut], 0).hides_nothing()
