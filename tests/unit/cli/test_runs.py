"""`naga ls` and `naga show` as their users see them."""

import csv
import io
import json
import re
import time
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


ESCAPE = "e\x1b]0;pwned\x07\nx [red]"


COMMANDS = ("show", "verify", "hash", "ls", "ls --format csv", "ls --format json", "ls --filter", "ls --sort", "doctor")


@pytest.mark.parametrize("lock", ["none", "torn", "good"])
def test_no_name_reaches_the_terminal_as_more_than_text(
    runs: Path, lock: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """Neither an escape nor a newline, in a table, a CSV or an error of any command; brackets stay."""
    folder = Path("results", ESCAPE)
    folder.mkdir()
    if lock != "none":
        text = Path("results/run/run.lock").read_text() if lock == "good" else "schema: ["
        (folder / "run.lock").write_text(text)
    for command in COMMANDS:
        word = [] if command in ("ls --format csv", "ls --format json", "doctor") else [str(folder)]
        main([*command.split(), *word])
        shown = capfd.readouterr()
        assert "\x1b" not in shown.out + shown.err, command
        assert not [line for line in (shown.out + shown.err).splitlines() if line.startswith("x [")], command
        assert command != "hash" or "x [red]" in shown.out


BAD = {
    "duration_s: .*": ["duration_s: .inf", "duration_s: .nan", "duration_s: -1", f"duration_s: 1{'0' * 400}"],
    "task: .*": [f"task: {'x' * 20_000}"],
    "status: .*": [f"status: {'x' * 20_000}"],
    "path: .*": [r'path: "\\ud800"', f"path: {'x' * 20_000}"],
    "size_bytes: .*": [f"size_bytes: 1{'0' * 400}"],
    "started: .*": ['started: "9999-12-31T23:59:59+00:00"', "started: soon", 'started: "0001-01-01T00:00:00+14:00"'],
    "  pid: .*(?=\n)(?:\n  (?:boot_id|started_ticks): .*)*": ["  pid: 99999999999999999999999", "  pid: -1"],
    "run_id: .*": ["run_id: [", "run_id: ../x"],
}


def test_the_doctor_fails_where_it_could_not_repair(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A lock that nothing can be read from stays, and is no good news for a script that asks."""
    assert main(["doctor"]) == 0
    Path("results/odd").mkdir()
    Path("results/odd/run.lock").write_text("schema: naga.run/1\n")
    assert main(["doctor"]) == 1
    assert "left as it is: '" in capsys.readouterr().out


@pytest.mark.parametrize("line", [line for lines in BAD.values() for line in lines])
def test_one_bad_run_harms_one_line(
    runs: Path, line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`ls`, `doctor` and `verify` go on with the others, and name it."""
    pattern = next(pattern for pattern, lines in BAD.items() if line in lines)
    Path("results/odd").mkdir()
    text = re.sub("status: finished", "status: running", Path("results/run/run.lock").read_text())
    text = re.sub("started_ticks: .*", "started_ticks: 1", text)
    Path("results/odd/run.lock").write_text(re.sub(pattern, line, text, count=1))
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    for form in ("table", "json", "csv"):
        assert main(["ls", "--format", form]) == 0
        shown = capsys.readouterr()
        assert "results/run" in shown.out
        assert "results/odd" in shown.out + shown.err
        assert len(shown.err) < 5000
        assert form != "table" or all(len(row) < 1000 for row in shown.out.splitlines())
    assert main(["verify", "results/odd", "results/run"]) in (1, 2)
    shown = capsys.readouterr()
    assert "verified" in shown.out
    assert "results/odd" in shown.out + shown.err
    assert main(["diff", "results/odd", "results/run", "--patch"]) in (0, 1, 2)
    capsys.readouterr()
    assert main(["doctor"]) in (0, 1)
    shown = capsys.readouterr()
    assert "results/odd" in shown.out + shown.err
    assert len(shown.out + shown.err) < 5000
    monkeypatch.delenv("TZ")
    time.tzset()


def test_an_unknown_key_of_the_configuration_is_refused(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In a filter and in an order, with the nearest one."""
    for words in (
        ["--filter", "config.learning_rat>0"],
        ["--sort", "config.learning_rat"],
        ["--filter", "confg.learning_rate>0"],
    ):
        assert main(["ls", *words]) == 2
        assert "did you mean 'config.learning_rate'?" in capsys.readouterr().err


def test_show_names_what_of_the_code_was_not_stored(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The first of it; the rest stands in the lock."""
    assert main(["show", "results/run"]) == 0
    assert "not stored: " in capsys.readouterr().out


def test_ls_names_folders_as_other_commands_take_them(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """From where one is, not from the folder that is listed."""
    assert main(["ls", "results"]) == 0
    assert "results/run" in capsys.readouterr().out


def test_verify_takes_patterns_and_goes_on_after_what_cannot_be_read(
    runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each run of a pattern by itself, and one that fits nothing is said before."""
    Path("results/torn").mkdir()
    Path("results/torn/run.lock").write_text("{a: " * 1000)
    assert main(["verify", "results/torn", "results/r*"]) == 2
    said = capsys.readouterr()
    assert said.out.startswith("verified")
    assert "results/torn/run.lock': line 1: more than 100 levels" in said.err
    main(["verify", "results/**"])
    said = capsys.readouterr()
    assert "/results/run" in said.out
    assert "/results/bad" in said.out
    assert main(["verify", "results/x*"]) == 2
    assert "no run fits 'results/x*'" in capsys.readouterr().err
