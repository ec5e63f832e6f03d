"""However a script is started, the words typed for it are read, and its own code is what is recorded."""

import contextlib
import json
import os
import runpy
import shutil
import socket
import subprocess
import sys
import zipapp
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pytest
from workbench import EXPERIMENT, Script, check_table, git

from naga import Run, load_run

WORD = "learning_rate=0.5"
SHORT = "lr=0.5"
PRINTS = EXPERIMENT.replace("learning_rate", "lr").replace(
    "    return cfg\n", '    print("computes", cfg.lr)\n    return cfg\n'
)
FOLDERS = "import os\nos.chdir('data')\nos.chdir('..')\n"
TRAIN = f"{PRINTS}\n\ndef cli():\n    main()\n\n\ndef explicit():\n    main.cli()\n"
# What torchrun and `accelerate launch` do, as seen of torch 2.13 and accelerate 1.15: a process for each rank.
TORCHRUN = """
import os, subprocess, sys
count, *words = sys.argv[1:]
shared = {**os.environ, "WORLD_SIZE": count, "TORCHELASTIC_RUN_ID": str(os.getpid()), "MASTER_ADDR": "localhost"}
ranks = [{**shared, "RANK": str(n), "LOCAL_RANK": str(n), "MASTER_PORT": "29500"} for n in range(int(count))]
running = [subprocess.Popen([sys.executable, "-u", *words], env=rank) for rank in ranks]
sys.exit(max(rank.wait() for rank in running))
"""
ACCELERATE = """
import os, subprocess, sys
environment = {**os.environ, "ACCELERATE_MIXED_PRECISION": "no", "ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"}
sys.exit(subprocess.run([sys.executable, *sys.argv[1:]], env=environment).returncode)
"""
FROZEN = """
import sys
sys.frozen, sys._MEIPASS, sys.executable = True, "/tmp/_MEI", "/opt/exp"
sys.orig_argv = sys.argv = ["/opt/exp", *sys.argv[1:]]
main = sys.modules["__main__"].__dict__ | {"__file__": "/tmp/_MEI/exp.py"}
exec(compile(open("exp.py").read(), "exp.py", "exec"), main)
"""
LAUNCHER = """
import sys
sys.argv = sys.argv[1:]
exec(compile(open(sys.argv[0]).read(), sys.argv[0], "exec"), {"__name__": "__main__", "__file__": sys.argv[0]})
"""
OUTER = """
import subprocess, sys
from naga import runlock
@runlock
def outer(cfg={"save_dir": "results/outer"}):
    subprocess.run([sys.executable, *sys.argv[1:]], check=True)
outer()
"""
SPAWNS = """
import multiprocessing
from exp import main
def work(): main()
if __name__ == "__main__":
    child = multiprocessing.get_context("spawn").Process(target=work)
    child.start(); child.join(); raise SystemExit(child.exitcode)
"""
FILES = {
    "exp.py": PRINTS,
    "pkg/exp.py": PRINTS,
    "app/__main__.py": PRINTS,
    "moves.py": FOLDERS + PRINTS,
    "script": f"#!/usr/bin/env python\n{PRINTS}",
    "acme/__init__.py": "",
    "acme/train.py": TRAIN,
    "train": "import sys\nfrom acme.train import cli\nif __name__ == '__main__':\n    sys.exit(cli())\n",
    "train2": "import sys\nfrom acme.train import explicit\nif __name__ == '__main__':\n    sys.exit(explicit())\n",
    "runs.py": "import runpy\nrunpy.run_path('exp.py', run_name='__main__')\n",
    "imports.py": "import exp\nexp.main()\n",
    "launcher.py": LAUNCHER,
    "torchrun.py": TORCHRUN,
    "accelerate.py": ACCELERATE,
    "frozen.py": FROZEN,
    "outer.py": OUTER,
    "spawns.py": SPAWNS,
    "test_it.py": "import unittest, exp\nclass Test(unittest.TestCase):\n    def test_it(self): exp.main()\n",
    "doc.py": "'''\n>>> import exp\n>>> _ = exp.main()\ncomputes 0.01\n'''\n",
}


@dataclass(frozen=True, slots=True)
class Start:
    """What a start is to be recorded as: the task, what becomes of the word, and whether its output is logged."""

    task: str = "exp.main"
    word: str = "read"
    log: str = "yes"


EXP, PACKAGE, APP = Start(), Start("acme.train.main"), Start("app.main")
TEXT = Start("__main__.main")
SAID, NONE = Start(word="said in a warning"), Start(word="of another")
STARTS = {
    "python exp.py lr=0.5": EXP,
    "python ./exp.py lr=0.5": EXP,
    "cd / && python $OLDPWD/exp.py lr=0.5 save_dir=$OLDPWD/results/run input_data=$OLDPWD/data/raw.csv": EXP,
    "python -u exp.py lr=0.5": EXP,
    "python -I -X dev exp.py lr=0.5": EXP,
    "./script lr=0.5": Start("script.main"),
    "python linked.py lr=0.5": Start("linked.main"),
    "python moves.py lr=0.5": Start("moves.main"),
    "python -m exp lr=0.5": EXP,
    "python -m pkg.exp lr=0.5": EXP,
    "python -um pkg.exp lr=0.5": EXP,
    "python -Om pkg.exp lr=0.5": EXP,
    "python -mpkg.exp lr=0.5": EXP,
    "python -W ignore -um pkg.exp lr=0.5": EXP,
    "python app lr=0.5": APP,
    "python -m app lr=0.5": APP,
    "python app.pyz lr=0.5": APP,
    "python train.pyz lr=0.5": PACKAGE,
    "python train lr=0.5": PACKAGE,
    "python train2 lr=0.5": PACKAGE,
    "python - lr=0.5 < exp.py": TEXT,
    'python -c "$(cat exp.py)" lr=0.5': TEXT,
    "python -i exp.py lr=0.5 < /dev/null": EXP,
    "ipython exp.py lr=0.5": EXP,
    "ipython -c '%run exp.py lr=0.5'": EXP,
    "ipython -c '%run -m pkg.exp lr=0.5'": EXP,
    "python runs.py lr=0.5": EXP,
    "python -m runpy exp lr=0.5": EXP,
    "python launcher.py exp.py lr=0.5": EXP,
    "python frozen.py lr=0.5": Start(log="no"),
    "python -m cProfile -o ../profile exp.py lr=0.5": EXP,
    "python -m cProfile -o ../profile -m pkg.exp lr=0.5": EXP,
    "python -m trace --count -C ../trace exp.py lr=0.5": EXP,
    "python -m pdb -c continue -c quit exp.py lr=0.5": EXP,
    "coverage run --data-file ../coverage exp.py lr=0.5": EXP,
    "coverage run --data-file ../coverage -m pkg.exp lr=0.5": EXP,
    "python -m debugpy --listen 127.0.0.1:$PORT exp.py lr=0.5": EXP,
    "python -m debugpy --listen 127.0.0.1:$PORT -m pkg.exp lr=0.5": EXP,
    "viztracer -o ../trace.json exp.py lr=0.5": EXP,
    "viztracer -o ../trace.json -m pkg.exp lr=0.5": EXP,
    "kernprof -l -o ../profile exp.py lr=0.5": EXP,
    "kernprof -l -o ../profile -m pkg.exp lr=0.5": EXP,
    "pyinstrument -o ../profile exp.py lr=0.5": EXP,
    "pyinstrument -o ../profile -m pkg.exp lr=0.5": EXP,
    "python torchrun.py 2 exp.py lr=0.5": EXP,
    "python torchrun.py 2 -m pkg.exp lr=0.5": EXP,
    "python accelerate.py exp.py lr=0.5": EXP,
    "nohup python exp.py lr=0.5": EXP,
    "nice timeout 60 python exp.py lr=0.5": EXP,
    'env -i "$(which python)" exp.py lr=0.5': EXP,
    'env -i HOME=/nowhere setsid -w "$(which python)" exp.py lr=0.5 < /dev/null': EXP,
    "script -qec 'python exp.py lr=0.5' ../typescript": EXP,
    "strace -f -o ../strace python exp.py lr=0.5": EXP,
    "gdb -q -batch -ex run --args python exp.py lr=0.5": EXP,
    "python outer.py exp.py lr=0.5": EXP,
    "python imports.py lr=0.5": SAID,
    "python -c 'import exp; exp.main()' lr=0.5": SAID,
    "python spawns.py lr=0.5": NONE,
    "python -m pytest -q -p no:cacheprovider test_it.py": Start(word="of another", log="no"),
    "python -m unittest test_it": NONE,
    "python -m doctest doc.py": Start(word="of another", log="no"),
}  # fmt: skip
HEAD = ["Command", "`lr=0.5` is", "Task", "Snapshot of", "console.log", "Exit code"]


@pytest.fixture
def starts(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The experiment in each of the shapes that are started, none of them committed."""
    for name, text in FILES.items():
        (project / name).parent.mkdir(exist_ok=True)
        (project / name).write_text(text)
    (project / "script").chmod(0o755)
    (project / "linked.py").symlink_to("exp.py")
    zipapp.create_archive(project / "app", project / "app.pyz")
    source = project.parent / "source"
    shutil.copytree(project / "acme", source / "acme")
    zipapp.create_archive(source, project / "train.pyz", main="acme.train:cli")
    monkeypatch.setenv("IPYTHONDIR", str(project.parent / "ipython"))
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
    with socket.create_server(("127.0.0.1", 0)) as free:
        monkeypatch.setenv("PORT", str(free.getsockname()[1]))
    for name in ("PYTEST_CURRENT_TEST", "PYTHONPATH", "NAGA_SNAPSHOT"):
        monkeypatch.delenv(name, raising=False)
    return project


UNDER_PYTEST = "under pytest there are no snapshots (NAGA_SNAPSHOT=on makes them)"


@pytest.mark.parametrize("command", STARTS)
def test_the_words_are_read_and_the_script_is_recorded(starts: Path, command: str) -> None:
    """Not the defaults, and not the profiler's or the interpreter's own repository; and nothing is left behind."""
    needed = command.split(maxsplit=1)[0]
    if needed in ("strace", "gdb") and not shutil.which(needed):
        pytest.skip(f"no {needed}")
    # What goes on after the command and holds its output would keep this from ending.
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60, check=False)
    run = load_run("results/run")
    expected = STARTS[command]
    log = starts / "results/run/console.log"
    logged = "yes" if log.exists() and "computes" in log.read_text() else "no"
    places = [os.path.relpath(code.path, starts) for code in run.record.code]
    assert (run.record.task, _word(run, done.stderr), places, logged) == (
        expected.task,
        expected.word,
        ["."],
        expected.log,
    )
    assert done.returncode == 0
    code = run.record.code[0]
    captured = "none" if " pytest " in command else "the project"
    if captured == "none":
        assert (code.commit, code.reason, git("for-each-ref", "refs/naga", cwd=starts)) == (None, UNDER_PYTEST, "")
    else:
        assert "computes" in git("show", f"{code.commit}:exp.py", cwd=starts)
    _write_row(command, [_word(run, done.stderr), f"`{run.record.task}`", captured, logged, str(done.returncode)])


def _word(run: Run, said: str) -> str:
    assert run.record.config["lr"] in (0.5, 0.01)
    if run.record.config["lr"] == 0.5:
        return "read"
    return "said in a warning" if f"does not read {SHORT}" in said else "of another"


def _write_row(command: str, cells: list[str]) -> None:
    def edit(rows: dict[str, list[str]]) -> list[list[str]]:
        rows[f"`{command}`"] = cells
        known = [f"`{command}`" for command in STARTS]
        return [HEAD, *([command, *rows[command]] for command in known if command in rows)]

    check_table("starts", edit)


def test_a_debugger_of_an_editor(starts: Path) -> None:
    """VS Code's way: an adapter starts the script, and speaks with the editor."""
    with subprocess.Popen([sys.executable, "-m", "debugpy.adapter"], stdin=-1, stdout=-1) as adapter:
        editor = _Editor(adapter.stdin, adapter.stdout)
        editor.ask("initialize", adapterID="debugpy")
        editor.ask("launch", program=str(starts / "exp.py"), args=[SHORT], cwd=str(starts), console="internalConsole")
        editor.wait("initialized")
        editor.ask("configurationDone")
        editor.wait("terminated")
        with contextlib.suppress(OSError):
            editor.ask("disconnect")
    run = load_run("results/run")
    assert (run.record.task, run.record.config["lr"], run.status) == ("exp.main", 0.5, "finished")
    assert (starts / "results/run/console.log").read_text() == "computes 0.5\n"


class _Editor:
    """As much of the debug adapter protocol as starts a script."""

    def __init__(self, sink: "IO[bytes] | None", source: "IO[bytes] | None") -> None:
        assert sink
        assert source
        self._sink, self._source, self._count = sink, source, 0

    def ask(self, command: str, **arguments: Any) -> None:
        self._count += 1
        asked = {"seq": self._count, "type": "request", "command": command, "arguments": arguments}
        text = json.dumps(asked).encode()
        self._sink.write(b"Content-Length: %d\r\n\r\n%s" % (len(text), text))
        self._sink.flush()

    def wait(self, event: str) -> None:
        while (said := self._read()).get("event") != event:
            assert said.get("success", True), said

    def _read(self) -> dict[str, Any]:
        size = 0
        while (line := self._source.readline().strip()) or not size:
            size = int(line.partition(b":")[2] or size)
        found: dict[str, Any] = json.loads(self._source.read(size))
        return found


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
    shutil.rmtree("results")
    helped = script("train", "--help", PYTHONPATH=str(project))
    assert ("learning_rate" in helped.stdout, Path("results").exists()) == (True, False)


def test_the_interpreters_repository_is_left_alone(tmp_path: Path, project: Path) -> None:
    """An interpreter that is in a repository, as pyenv's do, gets no ref and no branch, nor do installed packages."""
    home = tmp_path / "pyenv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", home / "env"], check=True)
    git("init", "-q", cwd=home)
    git("commit", "-q", "--allow-empty", "-m", "Begin", cwd=home)
    (package,) = home.glob("env/lib/*/site-packages")
    (package / "acme").mkdir()
    (package / "acme/__init__.py").touch()
    (package / "acme/train.py").write_text(TRAIN)
    (home / "env/bin/train").write_text(FILES["train"])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    for words in (["-m", "cProfile", "-o", "../profile", "exp.py"], [home / "env/bin/train", SHORT]):
        shutil.rmtree("results", ignore_errors=True)
        subprocess.run([home / "env/bin/python", *words], check=True, env=environment, capture_output=True)
        assert [Path(code.path) for code in load_run("results/run").record.code] == [project]
    assert load_run("results/run").record.config["lr"] == 0.5
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


ARGPARSE = """
import argparse
from acme.train import main
parser = argparse.ArgumentParser()
parser.add_argument("--fast", action="store_true")
parser.add_argument("--lr", type=float)
def cli():
    args = parser.parse_args()
    main(GIVEN)
"""


@pytest.mark.parametrize("word", ["--fast", "--lr=0.5"])
def test_words_of_another_parser(starts: Path, script: Script, word: str) -> None:
    """A task that is called without a configuration reads all words; the hint says what does not, and is right."""
    (starts / "acme/cli.py").write_text(ARGPARSE.replace("GIVEN", ""))
    (starts / "train").write_text(FILES["train"].replace("acme.train", "acme.cli"))
    refused = script("train", word, check=False, PYTHONPATH=str(starts))
    assert (refused.returncode, refused.stdout, Path("results").exists()) == (2, "", False)
    assert refused.stderr == (
        f"naga: unrecognized arguments: {word}\n"
        "  hint: where they are for the ArgumentParser of your own, main({}) or main(cfg) reads no words\n"
    )
    (starts / "acme/cli.py").write_text(ARGPARSE.replace("GIVEN", "{}"))
    script("train", word, PYTHONPATH=str(starts))
    assert load_run("results/run").record.config["lr"] == 0.01


def test_words_that_are_not_read_are_said_once_and_rightly(starts: Path, script: Script) -> None:
    """What the warning proposes reads them, or is quiet."""
    said = script("imports.py", SHORT, "other=1", "--fast").stderr
    assert "warning: main() does not read lr=0.5: main.cli() does, main({}) is quiet\n" in said
    for call, value in (("main.cli()", 0.5), ("main({})", 0.01)):
        (starts / "imports.py").write_text(f"import exp\nexp.{call}\n")
        assert "does not read" not in script("imports.py", SHORT).stderr
        assert load_run("results/run").record.config["lr"] == value


def test_a_folder_of_the_same_names(starts: Path, script: Script) -> None:
    """A script that goes elsewhere is itself, and not the one of its name that is there."""
    (starts / "data/exp.py").write_text("raise SystemExit('the wrong one')\n")
    (starts / "exp.py").write_text(f"{PRINTS.replace('__main__', '__never__')}\nimport os\nos.chdir('data')\nmain()\n")
    config = ("save_dir=../results/run", "input_data=raw.csv", SHORT)
    script("-m", "cProfile", "-o", "../profile", "exp.py", *config, PWD="/nowhere")
    (code,) = load_run("results/run").record.code
    assert "os.chdir" in git("show", f"{code.commit}:exp.py", cwd=starts)
    assert load_run("results/run").record.config["lr"] == 0.5
