"""However a script is started, the words typed for it are read, and its own code is what is recorded."""

import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from workbench import Script, git

from naga import load_run

WORD = "learning_rate=0.5"
STARTS = {
    "python exp.py": ["exp.py"],
    "python ./exp.py": ["./exp.py"],
    "python -u exp.py": ["-u", "exp.py"],
    "python -m exp": ["-m", "exp"],
    "python -um exp": ["-um", "exp"],
    "python -Om exp": ["-Om", "exp"],
    "python -mexp": ["-mexp"],
    "python -X dev -m exp": ["-X", "dev", "-m", "exp"],
    "python -m pkg.exp": ["-m", "pkg.exp"],
    "python -W ignore -um pkg.exp": ["-W", "ignore", "-um", "pkg.exp"],
    "python -m cProfile": ["-m", "cProfile", "-o", "../profile", "exp.py"],
    "python -m cProfile -m": ["-m", "cProfile", "-o", "../profile", "-m", "pkg.exp"],
    "python -m trace": ["-m", "trace", "--trackcalls", "exp.py"],
    "python -m pdb": ["-m", "pdb", "-c", "continue", "-c", "quit", "exp.py"],
    "python -m coverage run": ["-m", "coverage", "run", "--data-file", "../coverage", "exp.py"],
    "python -m runpy": ["-m", "runpy", "exp"],
    "python -i": ["-i", "exp.py"],
    "ipython exp.py": ["-m", "IPython", "exp.py"],
    "%run exp.py": ["-m", "IPython", "-c", f"%run exp.py {WORD}"],
    "a link": ["linked.py"],
    "changes the folder first": ["moves.py"],
    "python FOLDER": ["app"],
}


@pytest.fixture
def starts(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The experiment in each of the shapes that are started, with uncommitted changes."""
    text = (project / "exp.py").read_text() + "# edited\n"
    for name in ("exp.py", "pkg/exp.py", "app/__main__.py"):
        (project / name).parent.mkdir(exist_ok=True)
        (project / name).write_text(text)
    (project / "linked.py").symlink_to("exp.py")
    (project / "moves.py").write_text(f"import os\nos.chdir('data')\nos.chdir('..')\n{text}")
    monkeypatch.setenv("IPYTHONDIR", str(project.parent / "ipython"))
    return project


@pytest.mark.parametrize("start", STARTS)
def test_the_words_are_read_and_the_script_is_recorded(starts: Path, script: Script, start: str) -> None:
    """Not the defaults, and not the profiler's or the interpreter's own repository."""
    words = STARTS[start] if start == "%run exp.py" else [*STARTS[start], WORD]
    script(*words, check=False, PWD=str(starts))
    record = load_run("results/run").record
    assert record.config["learning_rate"] == 0.5
    module = {"linked.py": "linked", "moves.py": "moves", "app": "__main__"}.get(words[0], "exp")
    assert record.task.rpartition(".")[0].rpartition(".")[2] == module
    (code,) = record.code
    assert (code.path, code.dirty) == (str(starts), True)
    assert "# edited" in git("show", f"{code.commit}:exp.py", cwd=starts)


def test_a_module_that_is_imported_reads_nothing(project: Path, script: Script) -> None:
    """The words were typed for another script."""
    (project / "other.py").write_text("import exp\nexp.main()\n")
    script("other.py", WORD)
    assert load_run("results/run").record.config["learning_rate"] == 0.01


def test_a_script_run_inside_of_a_test_reads_nothing(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was typed was typed for the tests."""
    monkeypatch.setattr(sys, "argv", ["exp.py", WORD])
    runpy.run_path("exp.py", run_name="__main__")
    assert load_run("results/run").record.config["learning_rate"] == 0.01


WRAPPER = "import sys\nfrom acme.train import {name}\nif __name__ == '__main__':\n    sys.exit({name}{further}())\n"


@pytest.mark.parametrize("called", ["main", "main.cli"])
@pytest.mark.parametrize("start", ["function", "task"])
def test_an_entry_point_reads_the_words(project: Path, script: Script, called: str, start: str) -> None:
    """Of a function that calls the task, and of the task itself, whose result is no exit code."""
    (project / "acme").mkdir()
    (project / "acme/__init__.py").touch()
    (project / "acme/train.py").write_text((project / "exp.py").read_text() + f"\ndef cli():\n    {called}()\n")
    named = {"name": "cli", "further": ""} if start == "function" else {"name": "main", "further": called[4:]}
    (project / "train").write_text(WRAPPER.format(**named))
    done = script("train", WORD, check=False, PYTHONPATH=str(project))
    assert load_run("results/run").record.config["learning_rate"] == 0.5
    assert done.returncode == 0 or (start, called) == ("task", "main")
    refused = script("train", "learning_rte=1", check=False, PYTHONPATH=str(project))
    assert (refused.returncode, "did you mean 'learning_rate'" in refused.stderr) == (2, True)


def test_the_interpreters_repository_is_left_alone(tmp_path: Path, project: Path) -> None:
    """An interpreter that lies in a repository, as pyenv's do, gets no ref and no branch."""
    home = tmp_path / "pyenv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", home / "env"], check=True)
    git("init", "-q", cwd=home)
    git("commit", "-q", "--allow-empty", "-m", "Begin", cwd=home)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    words = [str(home / "env/bin/python"), "-m", "cProfile", "-o", "../profile", "exp.py"]
    subprocess.run(words, check=True, env=environment, capture_output=True)
    assert [Path(code.path) for code in load_run("results/run").record.code] == [project]
    assert git("for-each-ref", "refs/naga", "refs/heads/run_logs", cwd=home) == ""


def test_a_dispatcher_between_has_read_the_words(project: Path, script: Script) -> None:
    """They were typed for it: a package may have a command line of its own, and call its tasks by their defaults."""
    (project / "acme").mkdir()
    (project / "acme/__init__.py").touch()
    (project / "dispatch.py").write_text("def dispatch(fn):\n    return fn()\n")
    text = (project / "exp.py").read_text()
    calls = "\ndef cli():\n    from dispatch import dispatch\n    dispatch(run)\n\ndef run():\n    main()\n"
    (project / "acme/train.py").write_text(text + calls)
    (project / "train").write_text(WRAPPER.format(name="cli", further=""))
    script("train", "--fast", PYTHONPATH=str(project))
    assert load_run("results/run").record.config["learning_rate"] == 0.01


def test_a_folder_of_the_same_names(starts: Path, script: Script) -> None:
    """A script that goes elsewhere is itself, and not the one of its name that lies there."""
    text = (starts / "exp.py").read_text()
    (starts / "data/exp.py").write_text("raise SystemExit('the wrong one')\n")
    (starts / "exp.py").write_text(f"{text.replace('__main__', '__never__')}\nimport os\nos.chdir('data')\nmain()\n")
    config = ("save_dir=../results/run", "input_data=raw.csv", WORD)
    script("-m", "cProfile", "-o", "../profile", "exp.py", *config, PWD="/nowhere")
    (code,) = load_run("results/run").record.code
    assert "os.chdir" in git("show", f"{code.commit}:exp.py", cwd=starts)
    assert load_run("results/run").record.config["learning_rate"] == 0.5
