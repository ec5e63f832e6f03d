"""Files that differ between snapshots, whatever they are called."""

from pathlib import Path

from workbench import git

from naga.capture.code.changes import changed_files, patch


def commit(folder: Path) -> str:
    """Commit all, and give the tree."""
    git("add", "-A", cwd=folder)
    git("commit", "-qm", "Next", cwd=folder)
    return git("rev-parse", "HEAD^{tree}", cwd=folder).strip()


def test_every_kind_of_change(project: Path, tmp_path: Path) -> None:
    """Added, removed, changed, binary, renamed; the first repository that holds all trees is asked."""
    (project / "old\nname").write_text("a\n" * 9)
    (project / "binary").write_bytes(b"\0\1")
    first = commit(project)
    (project / "old\nname").rename(project / "new name")
    (project / "binary").write_bytes(b"\0\2")
    (project / "exp.py").write_text("x = 1\n")
    second = commit(project)
    found = changed_files([tmp_path / "gone", project], [first, second])
    assert found is not None
    assert {path: file.lines for path, file in found.items()} == {
        "binary": "binary", "exp.py": found["exp.py"].lines, "new name": "+9 -0", "old\nname": "+0 -9",
    }  # fmt: skip
    assert (found["new name"].blobs[0], found["old\nname"].blobs[1]) == (None, None)
    assert "+x = 1" in patch([project], [first, second])


def test_three_trees(project: Path) -> None:
    """A blob for each; a file that equals the first one's has that one's."""
    trees = [commit_of(project, text) for text in ("a", "b", "a")]
    found = changed_files([project], trees)
    assert found is not None
    (file,) = found.values()
    assert (file.blobs[0], file.lines) == (file.blobs[2], "")
    assert file.blobs[0] != file.blobs[1]


def commit_of(folder: Path, text: str) -> str:
    """Commit a file of this text."""
    (folder / "x").write_text(text)
    return commit(folder)


def test_trees_that_are_nowhere(project: Path) -> None:
    """Nothing is known of them."""
    assert changed_files([project], ["1" * 40, "2" * 40]) is None
    assert patch([project], ["1" * 40, "2" * 40]) == ""
