"""`naga diff` as its users see it."""

import json
import os
import pty
import re
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from workbench import Script, git

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


def _on_a_terminal(*words: str, home: Path) -> str:
    """Run `naga` with a terminal for its output, and a person's own configuration of git."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "HOME": str(home), "GIT_CONFIG_GLOBAL": str(home / ".gitconfig"), "TERM": "xterm"}
    naga = Path(sys.executable).with_name("naga")
    with subprocess.Popen([naga, *words], stdout=theirs, stdin=subprocess.DEVNULL, env=environment):
        os.close(theirs)
        shown = b""
        with suppress(OSError):  # the terminal was closed
            while block := os.read(ours, 65536):
                shown += block
    os.close(ours)
    return shown.decode()


def test_the_patch_on_a_terminal(runs: Path, tmp_path: Path) -> None:
    """Through the person's own pager, with colours; never through one that the repository names."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "pager").write_text("#!/bin/sh\necho paged\ncat\n")
    (home / "pager").chmod(0o700)
    (home / ".gitconfig").write_text(f"[core]\n\tpager = {home}/pager\n")
    git("config", "core.pager", f"touch {home}/named; cat", cwd=runs)
    git("config", "diff.external", f"{home}/external", cwd=runs)
    shown = _on_a_terminal("diff", "results/a", "results/b", "--patch", home=home)
    assert "paged" in shown.splitlines()
    assert "\x1b[32m+" in shown
    assert shown.index("outputs") < shown.index("paged")
    assert not (home / "named").exists()


def test_no_word_in_a_lock_is_an_option_of_git(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A tree that is called like one."""
    lock = runs / "results/b/run.lock"
    lock.write_text(re.sub("tree: .*", f"tree: --output={runs}/written", lock.read_text()))
    assert main(["diff", "results/a", "results/b", "--patch"]) == 1
    assert "commits that are not both here" in capsys.readouterr().out
    assert not (runs / "written").exists()


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
