"""`naga diff` as its users see it."""

import json
from pathlib import Path

import pytest
from workbench import Script

from naga.cli import main


@pytest.fixture
def runs(project: Path, script: Script) -> Path:
    """Two runs, the second of another configuration and code."""
    script("exp.py", "save_dir=results/a")
    (project / "exp.py").write_text((project / "exp.py").read_text() + "# more\n")
    script("exp.py", "save_dir=results/b", "epochs=20")
    return project


def test_the_table(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A line for each thing that differs, one word for what does not; exit code 1."""
    assert main(["diff", "results/a", "results/b"]) == 1
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["folder", "results/a", "results/b"] in rows
    assert ["config", "epochs", "10", "20"] in rows
    assert ["code", "exp.py", "changed", "+1", "-0"] in rows
    assert ["data", "same"] in rows
    assert ["outputs", "model.txt", "changed"] in rows
    assert ["metrics", "a:", "not", "published"] in rows


def test_three_runs(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A column for each; hashes are short."""
    assert main(["diff", "results/a", "results/b", "results/a", "--only", "config,code"]) == 1
    config, code = (line.split() for line in capsys.readouterr().out.splitlines()[3:])
    assert config == ["config", "epochs", "10", "20", "10"]
    assert (code[2], len(code[2])) == (code[4], 12)


def test_json_and_the_same(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One list for each part, and exit code 0 where nothing differs."""
    assert main(["diff", "results/a", "results/b", "--format", "json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert [*found] == ["config", "code", "data", "environment", "outputs", "metrics"]
    assert found["config"] == [{"key": "epochs", "values": [10, 20]}]
    assert main(["diff", "results/a", "results/b", "--only", "data, environment"]) == 0


def test_the_patch(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Git's own, from the first run to the second."""
    main(["diff", "results/a", "results/b", "--only", "code", "--patch"])
    assert "+++ b/exp.py\n" in (out := capsys.readouterr().out)
    assert out.endswith("+# more\n")


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["results/a"], "naga diff results/a results/b"),
        (["results/a", "results/c"], "naga ls"),
        (["results/a", "results/b", "--only", "cod"], "did you mean 'code'?"),
        (["results/a", "results/b", "--only", ","], "config"),
    ],
)
def test_wrong_use(runs: Path, capsys: pytest.CaptureFixture[str], words: list[str], hint: str) -> None:
    """One line and a hint, exit code 2."""
    assert main(["diff", *words]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n"), hint in err) == ("", 2, True)
