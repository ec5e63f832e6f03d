"""Finding runs by whatever names them."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from workbench import Script

from naga import Run, find_runs, load_run
from naga.errors import LockError, RunNotFoundError


@pytest.fixture
def runs(project: Path, script: Script) -> Path:
    """Three runs, one of them archived, and what is no run."""
    script("exp.py")
    script("exp.py")
    script("exp.py", "save_dir=results/deep/er")
    for name, text in (("foreign", "timestamp: 2024\n"), ("torn", "schema: naga.run/1\nrun_id: 'a")):
        Path("results", name).mkdir()
        Path("results", name, "run.lock").write_text(text)
    return project


def test_find_runs_passes_over_what_is_no_run(runs: Path) -> None:
    """Another tool's lock and a torn one are not runs; archived runs only where asked for."""
    assert [run.save_dir.name for run in find_runs()] == ["er", "run"]
    assert len(list(find_runs("results", archived=True))) == 3
    assert list(find_runs("data")) == []
    assert list(find_runs("nowhere")) == []


def test_a_run_has_many_names(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Folder, lock, id, the beginning of an id, from anywhere."""
    run = load_run("results/run")
    assert load_run("results/run/") == run
    assert load_run(Path("results/run/run.lock")) == run
    assert load_run(run.run_id) == run
    assert load_run(run.run_id[:-1]) == run
    monkeypatch.chdir("results")
    assert load_run("run") == run
    assert load_run(run.run_id, root=runs) == run
    assert run.config.save_dir == str(runs / "results" / "run")


@pytest.mark.parametrize(("name", "said"), [("2", "beginning of 3 runs"), ("x1", "no run 'x1'"), ("data", "no run at")])
def test_a_name_that_names_no_run_or_several(runs: Path, name: str, said: str) -> None:
    """Said with what to type instead."""
    with pytest.raises(RunNotFoundError, match=said):
        load_run(name)


def test_a_name_of_copies(runs: Path) -> None:
    """Each folder is named, in words that other commands take."""
    run = load_run("results/run")
    shutil.copytree(run.save_dir, runs / "results" / "copy")
    with pytest.raises(RunNotFoundError, match="is in 2 folders, .*: results/copy, results/run"):
        load_run(run.run_id)


def test_a_run_is_shown_in_a_line_and_in_a_notebook_as_a_table(runs: Path) -> None:
    """Not its whole lock; and what names and values hold is text, not markup."""
    run = load_run("results/run")
    assert repr(run) == f"<naga run {run.run_id} in '{runs / 'results/run'}': finished>"
    odd = Run(run.save_dir, replace(run.record, config={"<b>": "<script>", **dict.fromkeys(map(str, range(99)), 1)}))
    shown = odd._repr_html_()  # as IPython calls it
    assert "<td>finished</td>" in shown
    assert "config.&lt;b&gt;</th><td>&lt;script&gt;" in shown
    assert shown.count("<tr>") == 25


def test_a_moved_folder_is_still_its_run(runs: Path) -> None:
    """Its configuration leads to where it is now; its record to where it was."""
    Path("results/run").rename("elsewhere")
    run = load_run("elsewhere")
    assert run.config.save_dir == str(runs / "elsewhere")
    assert run.record.config["save_dir"] == "results/run"


def test_a_lock_in_a_run_is_never_resolved(runs: Path) -> None:
    """Text that looks like an interpolation stays text, whoever wrote it there."""
    lock = Path("results/run/run.lock")
    lock.write_text(lock.read_text().replace("data/raw.csv\n", '"${oc.env:HOME}"\n', 1))
    assert load_run("results/run").config.input_data == "${oc.env:HOME}"


def test_a_lock_that_is_not_a_file(project: Path) -> None:
    """A fifo would block its reader for ever."""
    import os

    Path("r").mkdir()
    os.mkfifo("r/run.lock")
    with pytest.raises(LockError, match="not a file"):
        load_run("r")


def test_links_are_followed_once(runs: Path, tmp_path: Path) -> None:
    """A run behind a link is found, by its id too; links that lead back or upward end no search."""
    disk = tmp_path / "disk"
    Path("results").rename(disk)
    Path("results").symlink_to(disk)
    Path("again").symlink_to(disk)
    (disk / "loop").symlink_to(disk)
    (disk / "project").symlink_to(runs)
    (disk / "above").symlink_to(tmp_path)
    found = list(find_runs())
    assert [run.save_dir.name for run in found] == ["er", "run"]
    assert load_run(found[0].run_id) == found[0]
