"""The runs that are named on a command line."""

from pathlib import Path

import pytest

import naga
from naga.errors import RunNotFoundError, UsageError
from naga.runs.filter import parse_filter
from naga.runs.select import select_runs


@pytest.fixture(autouse=True)
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two runs below the current folder."""
    monkeypatch.chdir(tmp_path)
    task = naga.clicfg(naga.runlock(lambda cfg={"save_dir": "results/a", "lr": 0.1}: cfg))
    task({})
    task({"save_dir": "results/b", "lr": 0.2})


def test_by_name_pattern_and_filter() -> None:
    """Each once, whatever names it."""
    assert [run.save_dir.name for run in select_runs(["results/*", "results/a"], parse_filter(""))] == ["a", "b"]
    assert [run.save_dir.name for run in select_runs([], parse_filter("config.lr>0.1"))] == ["b"]


@pytest.mark.parametrize(("words", "hint"), [("config.l=1", "config.lr"), ("diag=stale", "--stale")])
def test_a_filter_that_could_fit_none_is_refused(words: str, hint: str) -> None:
    """It is never an empty answer."""
    with pytest.raises(UsageError) as refused:
        select_runs(["results/*"], parse_filter(words))
    assert hint in str(refused.value.hint)


@pytest.mark.parametrize(
    ("name", "place"),
    [("results/x*", "results"), ("result/**", "."), ("resul/a", "."), ("results/x", "results"), ("/no such/**", "/")],
)
def test_the_hint_for_what_is_not_there_can_be_typed(name: str, place: str) -> None:
    """It names the nearest folder that is there, as it is reached from here."""
    with pytest.raises(RunNotFoundError) as refused:
        select_runs([name], parse_filter(""))
    assert refused.value.hint == f"naga ls {place}"
