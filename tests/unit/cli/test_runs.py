"""`naga ls` and `naga show` as their users see them."""

import csv
import io
import json
from pathlib import Path

import pytest
from workbench import Script

import naga
from naga import load_run
from naga.cli import main


@pytest.fixture
def runs(project: Path, script: Script) -> Path:
    """A finished run of which an input was left out of git, and a failed one."""
    script("exp.py", "learning_rate=0.5")
    Path("fail.py").write_text(
        "import naga\n@naga.runlock\n@naga.clicfg\ndef main(cfg={'save_dir': 'results/bad', 'x': '[red]\\x1b[2J'}):\n"
        "    raise ValueError('no [bold]luck')\n\nmain.cli()\n"
    )
    script("fail.py", check=False)
    return project


def test_ls_is_a_table(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line a run, the newest last."""
    assert main(["ls"]) == 0
    header, *rows = capsys.readouterr().out.splitlines()
    assert header.split() == ["status", "diag", "started", "took", "task", "save_dir", "run_id"]
    assert [row.split()[0] for row in rows] == ["finished", "failed"]
    assert "results/run" in rows[0]
    assert all(row == row.rstrip() for row in rows)


def test_ls_for_programs(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """JSON is a list of objects, CSV has the same columns."""
    main(["ls", "results", "--format", "json", "--sort", "status"])
    listed = json.loads(capsys.readouterr().out)
    assert [row["status"] for row in listed] == ["failed", "finished"]
    assert set(listed[0]) >= {"run_id", "save_dir", "status", "task", "started", "duration_s", "diag"}
    main(["ls", "results", "--format", "csv", "--sort", "status"])
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["run_id"] for row in rows] == [row["run_id"] for row in listed]


def test_ls_of_nothing(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Said in words for people, as an empty list for programs."""
    assert main(["ls", "data"]) == 0
    assert capsys.readouterr().out == "no runs below 'data'\n"
    main(["ls", "data", "--format", "json"])
    assert json.loads(capsys.readouterr().out) == []


def test_show_is_one_run_at_a_glance(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Configuration, code, data, ending."""
    run = load_run("results/run")
    assert main(["show", "results/run"]) == 0
    page = capsys.readouterr().out
    for word in (run.run_id, "exp.main", "finished after", "learning_rate: 0.5", "data/raw.csv", "blake3:", "1 file"):
        assert word in page
    assert run.record.code[0].commit is not None
    assert run.record.code[0].commit[:10] in page


def test_show_is_not_fooled_by_what_a_lock_holds(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Brackets are text, not markup; control characters do not reach the terminal."""
    main(["show", "results/bad"])
    page = capsys.readouterr().out
    assert "no [bold]luck" in page
    assert "\x1b[2J" not in page
    assert "Traceback" in page


def test_hash_prints_what_the_lock_says(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same hash, and a check that tells what has changed since."""
    recorded = load_run("results/run").record.data["input_data"].hash
    assert main(["hash", "data/raw.csv", "data"]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first == f"{recorded}  data/raw.csv"
    assert second.endswith("  data")
    Path("sums").write_text(f"{first}\n{second}\n")
    assert main(["hash", "--check", "sums", "results/run/.naga/outputs.json"]) == 0
    Path("data/raw.csv").write_text("other\n")
    Path("results/run/model.txt").write_text("other")
    capsys.readouterr()
    assert main(["hash", "--check", "sums", "results/run/.naga/outputs.json"]) == 1
    changed = capsys.readouterr().out
    assert "data/raw.csv" in changed
    assert "model.txt" in changed
    assert main(["hash", "nowhere"]) == 2


@pytest.mark.parametrize("words", [["show", "nowhere"], ["show"], ["lss"], ["ls", "--sort", "colour"]])
def test_wrong_use(project: Path, words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """One line and a hint on stderr, exit code 2."""
    assert main(words) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    first, second = shown.err.splitlines()
    assert first.startswith("naga: ")
    assert second.startswith("  hint: ")


def test_naga_alone_prints_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    """Somebody who has just installed it types one word."""
    assert main([]) == 0
    assert "usage: naga" in capsys.readouterr().out


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    """As other commands say it."""
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out == f"naga {naga.__version__}\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["ls", "resutls"], "no folder 'resutls'"),
        (["ls", "--filter", "status=finishd"], "did you mean 'finished'?"),
    ],
)
def test_mistyped_words_are_refused(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """An empty answer would look like an answer."""
    assert main(words) == 2
    assert said in capsys.readouterr().err
