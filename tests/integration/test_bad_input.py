"""What a user can get wrong: one clear line, a hint, exit code 2, and nothing written."""

import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from workbench import Script, git

from naga import load_run
from naga.cli import main

DIAG = """
from naga.mlflow_log import mlflow_log_run
import exp

@mlflow_log_run
def diag(cfg):
    pass

import sys
diag(sys.argv[1])
"""


def listing(folder: Path) -> set[str]:
    """Everything below a folder but Python's and git's own."""
    paths = (path.relative_to(folder).as_posix() for path in folder.rglob("*"))
    return {path for path in paths if not path.startswith(".git/") and "__pycache__" not in path}


@pytest.mark.parametrize(
    ("words", "said", "hint"),
    [
        (["learning_rte=1"], "learning_rte", "learning_rate"),
        (["epochs=many"], "epochs", "int"),
        (["epochs"], "epochs", "="),
        (["epochs=many"], "epochs", "exp.py --help"),
        (["x" * 100_000], "[...]", "="),
        (["input_data=" + "x" * 5000], "too long", "input_data="),
        (["input_data=fifo"], "neither a file nor a folder", "input_data="),
        (["input_data=exp.py/x"], "Not a directory", "input_data="),
        (["--reuse", "x" * 5000], "[...]", "naga ls"),
        (["--reuse", ""], "'' is not a path", "--help"),
        (["--reuse", "a\nb\x1b[2J"], "a\\nb\\x1b[2J", "naga ls"),
        (["--config", ""], "'' is not a path", "--help"),
        (["--config", "missing.yaml"], "missing.yaml", ""),
        (["--config", "broken.yaml"], "broken.yaml", ""),
        (["--config", "other.yaml"], "optimiser", ""),
        (["--config", "night.yaml", "--experiment", "bigg"], "bigg", "big"),
        (["--experiment", "big"], "--experiment", "--config"),
        (["input_data=data/rax.csv"], "data/rax.csv", ""),
        (["save_dir=???"], "save_dir", "save_dir="),
        (["save_dir=exp.py/run"], "exp.py/run", "save_dir"),
        (["save_dir=/proc/naga/run"], "/proc/naga", "save_dir"),
        (["--nonsense"], "--nonsense", "--help"),
        (["--existing", "overwrite"], "overwrite", ""),
        (["--reuse", "nowhere"], "nowhere", ""),
        (["--reuse", "data"], "data", ""),
        (["--reuse", "foreign"], "foreign", ""),
        (["--reuse", "torn"], "torn", ""),
        (["--reuse", "results", "epochs=3"], "results", ""),
    ],
)
def test_a_wrong_command_line(project: Path, script: Script, words: list[str], said: str, hint: str) -> None:
    """The offending word is named, and nothing is left behind."""
    Path("broken.yaml").write_text("a: [1\n")
    Path("other.yaml").write_text("optimiser: adam\n")
    Path("night.yaml").write_text("big:\n  epochs: 100\n")
    for name, text in (("foreign", "timestamp: 2024\n"), ("torn", "schema: naga.run/1\nrun_id: 'a")):
        Path(name).mkdir()
        Path(name, "run.lock").write_text(text)
    os.mkfifo("fifo")
    before = listing(project)
    done = script("exp.py", *words, check=False)
    assert done.returncode == 2, done.stderr
    lines = done.stderr.splitlines()
    assert lines[0].startswith("naga: ")
    assert said in lines[0]
    assert len(lines) <= 2, done.stderr
    assert hint in done.stderr
    assert done.stdout == ""
    assert listing(project) == before
    assert git("for-each-ref", "refs/naga", "refs/heads/run_logs", cwd=project) == ""


def test_a_read_only_place_is_found_before_main_starts(project: Path) -> None:
    """Root gives up its right to write everywhere, as other users never have it."""
    drop = ["setpriv", "--bounding-set", "-dac_override"] if os.geteuid() == 0 else []
    if drop and not shutil.which("setpriv"):
        pytest.skip("root can write everywhere, and there is no setpriv")
    Path("closed").mkdir()
    Path("closed").chmod(0o555)
    words = [*drop, sys.executable, "exp.py", "save_dir=closed/run"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("naga: save_dir")
    assert "closed/run' cannot be used: Permission denied" in done.stderr
    assert list(Path("closed").iterdir()) == []


@pytest.mark.parametrize("default", ["MISSING", "None"])
def test_a_save_dir_that_nobody_gave(project: Path, script: Script, default: str) -> None:
    """Declared as mandatory, or as None: the key to give is named."""
    text = Path("exp.py").read_text().replace('save_dir: str = "results/run"', f"save_dir: str | None = {default}")
    Path("exp.py").write_text("from omegaconf import MISSING\n" + text)
    before = listing(project)
    done = script("exp.py", check=False)
    assert done.returncode == 2, done.stderr
    assert "save_dir" in done.stderr.splitlines()[0]
    assert "save_dir=" in done.stderr.splitlines()[1]
    assert listing(project) == before


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("missing", None, "missing"),
        ("foreign", "timestamp: 2024\n", "not a run.lock of Naga"),
        ("newer", "schema: naga.run/2\n", "naga.run/2"),
        ("empty", "", "empty"),
        ("torn", "schema: naga.run/1\nrun_id: 'a", "run.lock"),
        ("half", "schema: naga.run/1\nrun_id: a\n", "missing"),
    ],
)
def test_a_diagnosis_of_what_is_no_run(project: Path, script: Script, name: str, text: str | None, said: str) -> None:
    """No store is made for it."""
    Path("publish.py").write_text(DIAG)
    if text is not None:
        Path(name).mkdir()
        Path(name, "run.lock").write_text(text)
    before = listing(project)
    done = script("publish.py", name, check=False)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert len(done.stderr.splitlines()) <= 2
    assert listing(project) == before


def test_mlflow_that_is_not_installed(project: Path, script: Script) -> None:
    """The command that installs it is named; the run is there."""
    script("exp.py")
    before = listing(project)
    Path("publish.py").write_text("import sys\nsys.modules['mlflow'] = None\n" + DIAG)
    done = script("publish.py", "results/run", check=False)
    assert done.returncode == 2, done.stderr
    assert 'pip install "naga-runs[mlflow]"' in done.stderr
    assert listing(project) == before | {"publish.py"}


@pytest.mark.parametrize("how", ["refused", "silent"])
def test_a_server_that_does_not_answer(project: Path, script: Script, how: str) -> None:
    """Reported within ten seconds, with the line to type later; the run is untouched."""
    script("exp.py")
    run = load_run("results/run")
    Path("publish.py").write_text(DIAG)
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        if how == "silent":
            server.listen(8)
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
        began = time.monotonic()
        done = script("publish.py", "results/run", check=False, MLFLOW_TRACKING_URI=address)
    assert done.returncode == 2, done.stderr
    assert address in done.stderr
    assert "--reuse results/run" in done.stderr
    # Ten for Naga; the rest is the import of MLflow on a busy machine.
    assert time.monotonic() - began < 40
    assert load_run("results/run").lock_hash == run.lock_hash


def test_names_that_the_terminal_has_no_letters_for(project: Path, script: Script) -> None:
    """Escaped, as where the locale is C."""
    script("exp.py", "save_dir=results/\u00fcber")
    for command in ("ls", "show results/\u00fcber", "verify results/\u00fcber", "hash results/\u00fcber/run.lock"):
        done = script("-c", "from naga.cli import main; main()", *command.split(), PYTHONIOENCODING="ascii")
        assert "results/\\xfcber" in done.stdout


@pytest.mark.parametrize("redirected", [">&-", "2>&-", "<&-", "| true"])
def test_streams_that_are_closed(project: Path, script: Script, redirected: str) -> None:
    """What no one reads is no failure, and no traceback."""
    script("exp.py")
    command = f"{sys.executable} -c 'from naga.cli import main; raise SystemExit(main())'"
    asked = [f"{command} {words}" for words in ("ls", "ls --format csv", "show results/run", "hash exp.py", "--help")]
    for line in (*asked, f"{sys.executable} exp.py --show-config", f"{sys.executable} exp.py --help"):
        words = ["bash", "-c", f"set -o pipefail; {line} {redirected}"]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        assert (done.returncode, "Traceback" in done.stderr, "Exception" in done.stderr) == (0, False, False), line


ODD = ["", "x" * 5000, "\n", "\x1b[2J", "exp.py/x", "nope", "~nobody"]
COMMANDS = [
    ["ls"],
    ["doctor"],
    ["mlflow-view"],
    ["show"],
    ["verify"],
    ["hash"],
    ["diag", "exp.py"],
    ["hash", "--check"],
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_an_odd_word(project: Path, capsys: pytest.CaptureFixture[str], command: list[str]) -> None:
    """One line of bounded length and a hint, for all that a shell may make of a word."""
    before = listing(project)
    for word in ODD:
        assert main([*command, word]) == 2, word
        out, err = capsys.readouterr()
        message, hint = err.splitlines()
        assert (out, message[:6], hint[:8]) == ("", "naga: ", "  hint: ")
        assert len(err) < 2500
        assert "\x1b" not in err
    assert listing(project) == before


def test_words_for_a_task_that_reads_none_are_named(project: Path, script: Script) -> None:
    """Without @clicfg nothing is read; without a configuration, or a folder, nothing can be said."""
    head = "from naga import clicfg, runlock\n"
    tail = "if __name__ == '__main__':\n    main()\n"
    for name, task in {
        "unread.py": "@runlock\ndef main(cfg={'save_dir': 'results/a', 'lr': 0.1}): ...\n",
        "bare.py": "@clicfg\ndef main(): print('ran')\n",
        "free.py": "@clicfg\ndef main(cfg={'lr': 0.1}): print('ran')\n",
    }.items():
        (project / name).write_text(head + task + tail)
    said = script("unread.py", "lr=3", "other=4").stderr
    assert "warning: main() does not read lr=3: it has no @clicfg" in said
    for words in (["bare.py", "lr=3"], ["free.py", "--existing", "refuse"]):
        done = script(*words, check=False)
        assert (done.returncode, done.stdout) == (2, "")
