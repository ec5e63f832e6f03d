"""Choosing runs by what they are, and by how they are named."""

import dataclasses
from pathlib import Path

import pytest
from workbench import some_record

from naga.errors import RunNotFoundError, UsageError
from naga.record.lockfile import write_lock
from naga.runs.filter import Filter, parse_filter, sort_key
from naga.runs.find import Run
from naga.runs.select import select_runs

RECORD = some_record(
    duration_s=2.5,
    config={"lr": 0.01, "layers": [64, 32], "deep": {"on": True, "name": "x y"}, "none": None, "text": "10"},
)
RUN = Run(Path("/results/a"), RECORD)


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("", True),
        ("status=finished", True),
        ("status=failed", False),
        ("status!=failed config.lr>0.001", True),
        ("status!=failed config.lr>0.01", False),
        ("config.lr>=1e-2 config.lr<=0.01", True),
        ("config.lr=abc", False),
        ("config.lr!=abc", True),
        ("duration_s<3", True),
        ("config.layers.1=32", True),
        ("config.layers.7=32", False),
        ("config.deep.on=true", True),
        ("config.deep.on=False", False),
        ("config.deep.name='x y'", True),
        ("config.deep.name.more=1", False),
        ("config.text<9", True),  # text is compared as text
        ("config.none=none", True),
        ("config.missing=1", False),
        ("config.missing!=1", False),  # what has no such key is not meant
        ("config.missing=null", True),
        ("diag=stale", True),
        ("diag=fresh", False),
    ],
)
def test_filters(text: str, fits: bool) -> None:
    """All terms hold, numbers as numbers."""
    run = Run(RUN.save_dir, RECORD)
    run.diag = "stale"
    assert parse_filter(text).matches(run) is fits


@pytest.mark.parametrize("text", ["lr>1", "status", "=1", "status='", "stat=1"])
def test_what_is_no_filter(text: str) -> None:
    """It is refused, with a hint."""
    with pytest.raises(UsageError) as refused:
        parse_filter(text)
    assert refused.value.hint


def test_sorting() -> None:
    """Numbers come first, then text, then runs that have no such key."""
    values = ["b", 10, None, 9.5, "a"]
    runs = [Run(Path(f"/{n}"), dataclasses.replace(RECORD, config={"k": value})) for n, value in enumerate(values)]
    ordered = sorted(runs, key=sort_key("config.k"))
    assert [run.record.config["k"] for run in ordered] == [9.5, 10, "a", "b", None]


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Runs at several depths, an archived one, and the newest named first."""
    monkeypatch.chdir(tmp_path)
    names = ["results/a", "results/b1", "results/deep/c", "results/deep/[x]", "results/.archive/a~1", "other/d"]
    for number, name in enumerate(names):
        Path(name).mkdir(parents=True)
        run_id, started = f"20260101T000000-{number}", f"2026-01-01T00:00:{10 - number:02}Z"
        write_lock(Path(name), dataclasses.replace(RECORD, run_id=run_id, started=started))
    return tmp_path


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["results/**"], ["results/a", "results/b1", "results/deep/[x]", "results/deep/c"]),
        (["results/*"], ["results/a", "results/b1"]),
        (["results/b?"], ["results/b1"]),
        (["results/[!b]*"], ["results/a"]),
        (["**/c"], ["results/deep/c"]),
        (["results/deep/[x]"], ["results/deep/[x]"]),
        (["results/.archive/*"], ["results/.archive/a~1"]),
        (["results/a", "results/a/run.lock", "20260101T000000-0"], ["results/a"]),
        ([], ["other/d", "results/a", "results/b1", "results/deep/[x]", "results/deep/c"]),
    ],
)
def test_names_and_patterns(results: Path, names: list[str], expected: list[str]) -> None:
    """Each run once, the oldest first."""
    runs = select_runs(names, Filter())
    assert sorted(str(run.save_dir.relative_to(results)) for run in runs) == expected
    assert [run.record.started for run in runs] == sorted(run.record.started for run in runs)


def test_a_pattern_that_fits_nothing(results: Path) -> None:
    """It is refused, as a name would be."""
    with pytest.raises(RunNotFoundError, match="nowhere"):
        select_runs(["nowhere/**"], Filter())


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("config.lr > 0.001 and status = finished", True),
        ("config.lr > 1 or status=finished", True),
        ("status=failed or (config.lr<1 and config.text=10)", True),
        ("(status=failed or config.lr<1) and config.text=11", False),
        ("status=failed or status=lost or config.deep.on=true", True),
        ("status=fin*", True),
        ("task!=exp.*", False),
        ("task~MAIN", True),
        ("config.layers~64", True),
        ("config.layers~6", False),
        ("config.layers!=64", False),
        ("tags~best", False),
        ("tags!=best", True),
        ("took>2 and took<=2.5", True),
        ('config.deep.name="x y"', True),
    ],
)
def test_expressions(text: str, fits: bool) -> None:
    """Terms are joined by `and`, `or` and brackets; text takes globs, and `~` asks what is in it."""
    assert parse_filter(text).matches(RUN) is fits


@pytest.mark.parametrize("text", ["(status=failed", "status=failed)", "status=failed or", "and status=failed", "()"])
def test_expressions_that_do_not_end(text: str) -> None:
    """They are refused whole."""
    with pytest.raises(UsageError):
        parse_filter(text)


def test_sorting_backwards() -> None:
    """The largest first; runs without the key are last all the same."""
    values = ["b", 10, None, 9.5, "a"]
    runs = [Run(Path(f"/{n}"), dataclasses.replace(RECORD, config={"k": value})) for n, value in enumerate(values)]
    ordered = sorted(runs, key=sort_key("-config.k"))
    assert [run.record.config["k"] for run in ordered] == ["b", "a", 10, 9.5, None]
