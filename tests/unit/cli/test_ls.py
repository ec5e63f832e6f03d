"""`naga ls` at any width, in any order, in any format; nothing is lost without a sign."""

import csv
import io
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from workbench import some_record

from naga.cli import main
from naga.record.lockfile import write_lock
from naga.runs.filter import COLUMNS
from naga.runs.notes import change_tags

LONG = "results/experiment/of_a_name_that_is_rather_long"


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Four runs: two keys vary, one is long, one has letters that are two cells wide."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NAGA_CACHE_DIR", str(tmp_path / ".cache"))
    for number, name in enumerate(("a", "b", "c", "日本語")):
        folder = Path(LONG, name)
        folder.mkdir(parents=True)
        config = {
            "save_dir": str(folder),
            "lr": [0.1, 0.2, 3, None][number],
            "deep": {"text": "x" * (1 + 100 * number)},
        }
        status = "failed" if name == "b" else "finished"
        record = some_record(run_id=f"20260101T000000-{number}", status=status, config=config, duration_s=4.0 - number,
                             task=f"exp.t{number}", started=f"2026-01-01T00:00:0{number}Z")  # fmt: skip
        write_lock(folder, record)
        metrics = {"metrics": {"acc": 0.5 + number}, "generation": 1, "mlflow_run_id": "r", "tracking_uri": "elsewhere"}
        (folder / ".naga").mkdir(exist_ok=True)
        (folder / ".naga/metrics.json").write_text(json.dumps(metrics))
    change_tags(Path(LONG, "a"), ["best"], [])
    yield tmp_path


def ls(capsys: pytest.CaptureFixture[str], *words: str) -> list[str]:
    """Give the lines that are printed."""
    assert main(["ls", *words]) == 0
    return capsys.readouterr().out.splitlines()


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """List runs on a terminal of a width."""

    def listed(width: int, *words: str) -> list[str]:
        monkeypatch.setattr("sys.stdout.isatty", lambda: True)
        monkeypatch.setattr(shutil, "get_terminal_size", lambda: os.terminal_size((width, 24)))
        monkeypatch.setenv("NO_COLOR", "1")
        return ls(capsys, *words)

    return listed


@pytest.mark.parametrize("width", [10, 40, 80, 120, 200, 500])
def test_no_width_takes_save_dir(terminal: Any, width: int) -> None:
    """Whole, as other commands take it; other columns go in its place, and what fits comes."""
    heading, *rows = terminal(width)
    assert [f"{LONG}/{name}" in row for row, name in zip(rows, ("a", "b", "c", "日本語"), strict=True)] == [True] * 4
    assert ("run_id" in heading) == (width >= 200)
    assert ("config.lr" in heading) == (width >= 200)
    assert ("metrics.acc" in heading) == (width >= 200)
    assert ("config.deep.text" in heading) == (width >= 500)
    if width >= 80:
        assert max(map(len, (heading, *rows))) <= width


def test_what_is_cut_shows_it(terminal: Any) -> None:
    """A chosen column is never left out: it is made narrower, and each cut cell ends with an ellipsis."""
    _, *rows = terminal(100, "--columns", "save_dir,config.deep.text,run_id")
    assert ["…" in row for row in rows] == [False, True, True, True]
    assert all(row.endswith(f"0000-{number}") for number, row in enumerate(rows))


def test_wide_letters_take_two_cells(terminal: Any) -> None:
    """Or the columns behind them would not stand below each other."""
    _, *rows = terminal(100, "--columns", "save_dir,run_id")
    starts = {row.index("2026") + row.count("日本語") * 3 for row in rows}
    assert len(starts) == 1


def test_colours_are_of_the_status_alone(terminal: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that is called like a status keeps its own."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    Path(LONG, "b").rename("failed")
    rows = terminal(200, "--columns", "save_dir,status")
    assert len([row for row in rows if "failed" in row]) == 1
    assert next(row for row in rows if "failed" in row).startswith("failed  ")


@pytest.mark.parametrize("key", [*COLUMNS, "config.lr", "config.deep.text", "metrics.acc", "duration_s", "note"])
def test_every_shown_name_sorts(capsys: pytest.CaptureFixture[str], key: str) -> None:
    """Forwards and backwards, and all runs are there; what lacks it comes last in both."""
    forwards, backwards = (ls(capsys, "--sort", f"{sign}{key}", "--columns", f"run_id,{key}")[1:] for sign in ("", "-"))
    assert sorted(forwards) == sorted(backwards)
    assert len(forwards) == 4
    values = [row.split(maxsplit=1)[1] if " " in row.strip() else "" for row in forwards]
    having = [value for value in values if value]
    assert values == having + [""] * (4 - len(having))
    if len(set(having)) == 4:
        assert [row.split()[0] for row in forwards] == [row.split()[0] for row in backwards][::-1]


def test_limit_is_of_the_order(capsys: pytest.CaptureFixture[str]) -> None:
    """The best three; none; more than there are."""
    assert ls(capsys, "--sort", "-metrics.acc", "--limit", "1", "--columns", "metrics.acc") == ["metrics.acc", "3.5"]
    assert len(ls(capsys, "--limit", "0", "--format", "csv")) == 1
    assert "no runs" not in "\n".join(ls(capsys, "--limit", "0"))
    assert len(ls(capsys, "--limit", "9", "--format", "csv")) == 5


@pytest.mark.parametrize(
    ("words", "problem", "hint"),
    [
        (["nowhere"], "no folder 'nowhere'", "naga ls"),
        (["", "--sort", "task"], "no folder ''", "naga ls"),
        (["--sort", "startd"], "'startd'", "did you mean 'started'?"),
        (["--sort", "-config.r"], "'config.r'", "did you mean 'config.lr'?"),
        (["--columns", "save_dir,metrics.ac"], "'metrics.ac'", "did you mean 'metrics.acc'?"),
        (["--filter", "config.deep.txt=1"], "'config.deep.txt'", "did you mean 'config.deep.text'?"),
        (["--filter", "status=finish"], "'finish'", "did you mean 'finished'?"),
        (["--limit", "-1"], "-1", "--limit 20"),
    ],
)
def test_what_is_mistyped_is_refused(
    capsys: pytest.CaptureFixture[str], words: list[str], problem: str, hint: str
) -> None:
    """With the nearest that some run has."""
    assert main(["ls", *words]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert problem in said.err.splitlines()[0]
    assert hint in said.err.splitlines()[1]


def test_formats_have_whole_values(capsys: pytest.CaptureFixture[str]) -> None:
    """CSV and JSON for programs; Markdown and LaTeX with their signs escaped."""
    rows = list(
        csv.DictReader(io.StringIO("\n".join(ls(capsys, "--format", "csv", "--columns", "run_id,config.deep.text"))))
    )
    assert [len(row["config.deep.text"]) for row in rows] == [1, 101, 201, 301]
    listed = json.loads("\n".join(ls(capsys, "--format", "json")))
    assert [*listed[0]] == ["run_id", "save_dir", "status", "task", "started", "duration_s", "diag", "out_of_date",
                            "config", "metrics", "tags"]  # fmt: skip
    assert [row["metrics"]["acc"] for row in listed] == [0.5, 1.5, 2.5, 3.5]
    assert [row["tags"] for row in listed] == [["best"], [], [], []]
    assert r"of\_a\_name" in "\n".join(ls(capsys, "--format", "markdown"))
    latex = ls(capsys, "--format", "latex", "--columns", "save_dir,config.lr")
    assert (latex[1], latex[3], latex[-2]) == (r"\toprule", r"\midrule", r"\bottomrule")
    assert r"of\_a\_name" in latex[4]


@pytest.mark.parametrize("form", ["json", "table"])
def test_a_table_reads_no_lock_that_is_known(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    """Neither for what is out of date, nor for what is published."""
    from naga.record import lockfile, opener
    from naga.record.schema import Upstream

    source, known = lockfile.read_hashed_lock(Path(LONG, "a"))
    upstream = (Upstream(save_dir=f"{LONG}/a", run_id=source.run_id, lock_hash=known, outputs_hash="blake3:11"),)
    write_lock(Path(LONG, "c"), some_record(run_id="20260101T000000-2", upstream=upstream))
    monkeypatch.setattr("naga.runs.index._SETTLED_S", -1.0)
    first = ls(capsys, "--format", form)
    read: list[Path] = []
    original = opener.read_inside

    def reading(folder: Path, file: Path, *more: int) -> bytes:
        read.append(file)
        return original(folder, file, *more)

    monkeypatch.setattr(lockfile, "read_inside", reading)
    assert ls(capsys, "--format", form) == first
    assert read == []
