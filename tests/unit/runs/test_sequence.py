"""The runs that were found are a sequence: to be gone through twice, sliced, and looked at."""

import json
import math
import sys
from pathlib import Path

import pytest
from workbench import some_record

import naga
from naga.errors import NagaError, UsageError
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
    assert "<th>config.note</th>" in shown
    assert "config.save_dir" not in shown
    assert "&lt;b&gt;bold" in shown
    assert "<b>bold" not in shown


def _measured(folder: Path, acc: object, **config: object) -> None:
    _leave(folder, "x")
    write_lock(folder, some_record(run_id=folder.name, save_dir=str(folder), config=config, duration_s=1.5))
    metrics = {"metrics": {} if acc is None else {"acc": acc}}
    (folder / ".naga").mkdir()
    (folder / ".naga/metrics.json").write_text(json.dumps(metrics))


@pytest.fixture
def runs(tmp_path: Path) -> naga.Runs:
    """Runs of which one has no metrics, one none that is a number, and two the same."""
    for name, acc, lr in (("a", 0.5, 0.1), ("b", 0.9, 1), ("c", None, 0.3), ("d", math.nan, 0.4), ("e", 0.9, 0.5)):
        _measured(
            tmp_path / name,
            acc,
            lr=lr,
            deep={"on": name < "c", "layers": [1, 2]},
            **({"only": "b"} if name == "b" else {}),
        )
    return naga.find_runs(tmp_path)


def test_where(runs: naga.Runs) -> None:
    """What the command line takes, again a sequence; a key that none has is refused."""
    assert [run.run_id for run in runs.where("config.lr>=0.3 and (metrics.acc>0.5 or run_id=c)")] == ["b", "c", "e"]
    assert runs.where("config.deep.on=true").where("metrics.acc=0.5")[0].run_id == "a"
    assert len(runs.where("status=failed")) == 0
    with pytest.raises(UsageError, match="no run here has 'config.l'") as refused:
        runs.where("config.l>1")
    assert refused.value.hint == "did you mean 'config.lr'?"


def test_a_notebook_shows_metrics_and_what_is_nested(runs: naga.Runs) -> None:
    """Under the names that a filter takes; of many runs the first hundred."""
    shown = runs._repr_html_()
    assert "<th>config.deep.on</th>" in shown
    assert "<th>metrics.acc</th>" in shown
    assert "<td>0.9</td>" in shown
    assert "and 400 more" in naga.Runs([*runs] * 100)._repr_html_()


def test_best(runs: naga.Runs) -> None:
    """The first of equal ones; what is no number is none."""
    assert runs.best("metrics.acc").run_id == "b"
    assert runs.best("metrics.acc", lowest=True).run_id == "a"
    assert runs.best("took").run_id == "a"
    assert runs[0].metrics == {"acc": 0.5}
    for key, problem in (
        ("config.only", "no run has a number"),
        ("metrics.ac", "no run here has"),
        ("acc", "no run has"),
    ):
        with pytest.raises(UsageError, match=problem):
            runs.best(key)
    with pytest.raises(UsageError):
        naga.Runs().best("metrics.acc")


def test_to_dataframe(runs: naga.Runs) -> None:
    """A row a run, with the types that columns of such values have; what a run lacks is missing."""
    frame = runs.to_dataframe()
    assert list(frame.columns) == ["run_id", "save_dir", "status", "task", "started", "duration_s", "tags", "config.lr",
                                   "config.deep.on", "config.deep.layers", "metrics.acc", "config.only"]  # fmt: skip
    assert list(frame["run_id"]) == list("abcde")
    kinds = {name: str(frame[name].dtype) for name in frame.columns}
    assert kinds["started"].startswith("datetime64[")
    assert kinds["started"].endswith("UTC]")
    assert [kinds[f"config.{key}"] for key in ("lr", "deep.on")] == ["float64", "bool"]
    assert [kinds[key] for key in ("duration_s", "metrics.acc")] == ["float64", "float64"]
    assert list(frame["metrics.acc"].isna()) == [False, False, True, True, False]
    assert frame["config.deep.layers"][0] == [1, 2]
    assert list(frame["config.only"].isna()) == [True, False, True, True, True]
    assert len(naga.Runs().to_dataframe()) == 0


def test_without_pandas(runs: naga.Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not one of Naga's dependencies."""
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(NagaError) as refused:
        runs.to_dataframe()
    assert refused.value.hint == "pip install pandas"
