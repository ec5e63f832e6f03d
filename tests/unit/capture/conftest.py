"""What the tests of the capture need."""

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from workbench import git

from naga.capture.tree_hash import hash_path


@pytest.fixture
def top(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A committed project, which is the current folder; temporary files of its snapshots lie beside it."""
    top = tmp_path / "project"
    (top / "pkg").mkdir(parents=True)
    (top / "train.py").write_text("import pkg.model\n")
    (top / "pkg/model.py").write_text("layers = 3\n")
    (top / ".gitignore").write_text("*.tmp\n")
    git("init", "-q", cwd=top)
    git("add", "--all", cwd=top)
    git("commit", "-qm", "Begin", cwd=top)
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    monkeypatch.chdir(top)
    return top


@pytest.fixture
def as_nobody(tmp_path: Path) -> Iterator[Callable[[], None]]:
    """Give what gives up root's privileges, under which every file can be read, until the end of the test."""
    hash_path(tmp_path)  # imports what may lie where only root reads
    opened = [folder for folder in (tmp_path, *tmp_path.parents) if not folder.stat().st_mode & 0o001]
    modes = {folder: folder.stat().st_mode & 0o7777 for folder in opened}

    def give_up() -> None:
        if os.geteuid() == 0:
            for folder in opened:
                folder.chmod(0o755)
            os.seteuid(65534)

    yield give_up
    if os.getuid() == 0:
        os.seteuid(0)
        for folder, mode in modes.items():
            folder.chmod(mode)
