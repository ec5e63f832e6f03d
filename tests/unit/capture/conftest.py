"""What the tests of the capture need."""

import tempfile
from pathlib import Path

import pytest
from workbench import git


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
