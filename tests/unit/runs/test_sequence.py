"""The runs that were found are a sequence: to be gone through twice, sliced, and looked at."""

from pathlib import Path

from workbench import some_record

import naga
from naga.record.lockfile import write_lock


def _leave(folder: Path, note: str) -> None:
    folder.mkdir()
    write_lock(folder, some_record(save_dir=str(folder), config={"save_dir": str(folder), "note": note}))


def test_runs_are_gone_through_as_often_as_one_likes(tmp_path: Path) -> None:
    """A generator would be empty the second time, in silence."""
    for name in "abc":
        _leave(tmp_path / name, "x")
    runs = naga.find_runs(tmp_path)
    assert [run.save_dir.name for run in runs] == [run.save_dir.name for run in runs] == ["a", "b", "c"]
    assert (len(runs), runs[-1].save_dir.name) == (3, "c")
    assert isinstance(runs[1:], naga.Runs)
    assert repr(runs[1:]) == "<2 naga runs>"


def test_a_notebook_shows_a_table(tmp_path: Path) -> None:
    """With a column a key; what a value holds is text, not markup."""
    _leave(tmp_path / "a", "<b>bold</b>")
    shown = naga.find_runs(tmp_path)._repr_html_()
    assert "<th>note</th>" in shown
    assert "&lt;b&gt;bold" in shown
    assert "<b>bold" not in shown
