"""Runs that are computed again: with the verdict that is known beforehand, and nothing of the user's touched."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from workbench import git

from naga import find_runs, load_run
from naga.reproduce.inputs import COPIED

HEAD = """
import json, os, random, subprocess, sys, threading, time
from dataclasses import dataclass, field
from pathlib import Path
import numpy as np
import helper
from naga import clicfg, load_stage, runlock, seed_everything, snapshot, track_data

@dataclass
class Config:
    save_dir: str = "results/run"
    raw: str = "data/raw.csv"
    parts: str = "data/parts"
    several: str = "data/parts/*.txt"
    stage: str = "results/first"
    log: str = "${save_dir}/deep/log.txt"
    api_key: str = "${oc.env:API_KEY,none}"
    seed: int = 0
"""
TASK = """
@runlock(env=["FACTOR"])
@snapshot
{decorators}
@clicfg
def main(cfg: Config):
    save_dir = Path(cfg.save_dir)
    result = {body}
    (save_dir / "result.json").write_text(json.dumps(result))
{more}

if __name__ == "__main__":
    main()
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with data that git ignores; the current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("API_KEY", "swordfish-of-gold")
    monkeypatch.setenv("FACTOR", "2")
    Path("data/parts").mkdir(parents=True)
    Path("data/raw.csv").write_text("1\n2\n3\n")
    for name in "ab":
        Path(f"data/parts/{name}.txt").write_text(name)
    Path("helper.py").write_text("FACTOR = 2\n")
    Path(".gitignore").write_text("results/\ndata/\n__pycache__/\n")
    git("init", "-q", cwd=tmp_path)
    git("add", "-A", cwd=tmp_path)
    git("commit", "-qm", "Begin", cwd=tmp_path)
    return tmp_path


def compute(body: str, *words: str, decorators: str = "", more: str = "") -> None:
    """Write an experiment, and run it."""
    Path("exp.py").write_text(HEAD + TASK.format(decorators=decorators, body=body, more=more))
    subprocess.run([sys.executable, "exp.py", *words], check=True, capture_output=True)


def reproduce(*words: str) -> tuple[int, dict[str, Any]]:
    """Reproduce, and give the exit code with what was printed."""
    program = Path(sys.executable).with_name("naga")
    command = [str(program), "reproduce", *words, "--format", "json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def everything() -> dict[str, bytes]:
    """Give the bytes of every file but those of reproductions."""
    files = [file for file in Path().rglob("*") if file.is_file() and ".reproduced" not in file.parts]
    return {str(file): file.read_bytes() for file in files if file.parts[0] != ".git"}


@pytest.mark.parametrize(
    ("body", "verdict"),
    [
        ("os.environ.get('FACTOR')", "reproduced"),
        ("[seed_everything(3), random.random(), float(np.random.rand())]", "reproduced"),
        ("[Path(cfg.log).parent.mkdir(), Path(cfg.log).write_text('x')]", "reproduced"),
        ("os.getpid()", "differs"),
    ],
    ids=["a changed variable", "everything seeded", "a path in the run's folder", "its own process"],
)
def test_what_a_run_has_of_its_process(body: str, verdict: str, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Recorded variables and paths are as then, whatever is edited meanwhile; a process is another one."""
    compute(body)
    Path("exp.py").write_text("raise SystemExit('edited')")
    monkeypatch.setenv("FACTOR", "9")
    assert reproduce("results/run")[1]["verdict"] == verdict


def test_tolerance_and_repetition(place: Path) -> None:
    """What is close enough is said to be; that a program differs from itself is said, too."""
    compute("[1 + random.random() * 1e-9]", "save_dir=results/noise")
    code, said = reproduce("results/noise", "--tolerance", "result.json=1e-6")
    assert (code, said["outputs"][0]["verdict"]) == (0, "within tolerance")
    _, said = reproduce("results/noise", "--repeat", "2")
    assert any("the program differs from itself" in line for line in said["differences"])


def test_what_a_run_writes_to_its_input_reaches_no_original(place: Path) -> None:
    """Inputs at relative paths are copies; a folder of data with a link in it is as good as it was."""
    Path("data/parts/c.txt").symlink_to("a.txt")
    more = "    Path(cfg.raw).write_text('1\\n2\\n3\\n')\n    Path('data/parts/c.txt').write_text('a')"
    compute("1", more=more, decorators='@track_data("raw", "parts")')
    before = {file: file.stat() for file in Path("data").rglob("*")}
    code, said = reproduce("results/run")
    assert (code, said["verdict"]) == (0, "reproduced"), said
    assert not any("data" in line for line in said["differences"])
    assert {file: file.stat() for file in before} == before


@pytest.mark.parametrize("how", ["named from the root", "too large to be copied"])
def test_a_changed_original_is_named(how: str, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a run does to an original all the same is no reproduction, whatever its outputs are."""
    raw = Path("data/raw.csv")
    words = [f"raw={raw.absolute()}"] if how == "named from the root" else []
    if not words:
        raw.write_bytes(b"1" * (COPIED + 1))
    compute("[Path(cfg.raw).open('r+').write('2'), 1]", *words, decorators='@track_data("raw")')
    with raw.open("r+b") as file:
        file.write(b"1")
    code, said = reproduce("results/run")
    assert (code, said["verdict"]) == (1, "differs"), said
    assert [one["verdict"] for one in said["outputs"]] == ["identical"]
    assert any("the original has changed" in line and "raw.csv" in line for line in said["differences"])


STARTED = """
import random, sys
from pathlib import Path
from naga import clicfg, runlock, snapshot

WORDS = [word for word in sys.argv if word in ("x=2", "7")]

@runlock
@snapshot
@clicfg
def first(cfg={"save_dir": "results/first"}):
    Path(cfg["save_dir"], "result.txt").write_text("first")
    return cfg

@runlock
@snapshot
@clicfg
def main(cfg={"save_dir": "results/run", "x": 1}):
    seen = [cfg["x"] in (1, 3) or random.random(), cfg["x"], WORDS, __name__, __debug__]
    Path(cfg["save_dir"], "result.txt").write_text(str(seen))
"""
MAIN = "\nif __name__ == '__main__':\n    random.seed(5)\n"


@pytest.mark.parametrize(
    ("words", "block", "others"),
    [
        (["exp.py", "x=2"], "    main()\n    Path('after').touch()\n    raise SystemExit('not reached')", {}),
        (["-O", "-m", "exp", "x=2"], "    main()", {}),
        (["exp.py"], "    cfg = first()\n    for x in (5, 6):\n        main(x=x, save_dir=f'results/{x}')", {}),
        (["exp.py", "--sweep", "x=1,3", "save_dir=results/run"], "    main()", {}),
        (["all.py", "7"], "", {"all.py": "import random, sys, exp\nrandom.seed(7)\nexp.main(x=int(sys.argv[1]))"}),
        (["-m", "cProfile", "-o", "profile", "exp.py", "x=2"], "    main()", {}),
    ],
    ids=["script", "module", "several calls", "sweep", "another script", "profiler"],
)
def test_the_script_is_started_as_then(words: list[str], block: str, others: dict[str, str], place: Path) -> None:
    """What it does before the call is done again, with the words that were typed; what it does after it is not."""
    for name, text in {"exp.py": STARTED + MAIN + block if block else STARTED, **others}.items():
        Path(name).write_text(text)
    subprocess.run([sys.executable, *words], check=False, capture_output=True)
    for run in find_runs("results"):
        if run.record.task != "exp.first" and not (block.count("for") and run.config.x == 6):
            code, said = reproduce(str(run.save_dir))
            assert (code, said["verdict"]) == (0, "reproduced"), said
            assert not any("by itself" in line for line in said["differences"])
            Path("after").unlink(missing_ok=True)
    assert not Path("results/first/.archive").exists()
    assert len(find_runs("results")) >= 1


WORKER = """    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        pool.submit(first, {"save_dir": FOLDER}).result()
    main()
"""
SUBPROCESS = """    import subprocess
    subprocess.run([sys.executable, "other.py"], check=True)
    main()
"""
OTHER = "from exp import *\nfirst({'save_dir': FOLDER})\n"


@pytest.mark.parametrize("block", [WORKER, SUBPROCESS], ids=["a worker", "a subprocess"])
def test_no_run_of_the_user_is_written_anew(block: str, place: Path) -> None:
    """Other tasks that the script calls elsewhere than in its own process are refused where they would write."""
    folder = repr(str(place / "results/first"))
    Path("exp.py").write_text((STARTED + MAIN + block).replace("FOLDER", folder))
    Path("other.py").write_text(OTHER.replace("FOLDER", folder))
    subprocess.run([sys.executable, "exp.py"], check=True, capture_output=True)
    before = everything()
    code, said = reproduce("results/run")
    assert everything() == before
    assert code == 1  # __name__ is another one where the task is called by itself
    assert any("the task was called by itself" in line for line in said["differences"]), said


def test_a_script_that_was_named_whole(place: Path) -> None:
    """Of an absolute name the recorded script is taken, where the task is called by itself, too: not today's."""
    text = HEAD + TASK.format(decorators="", body="1", more="")
    text = text.replace("    main()\n", "    'NAGA_REPRODUCES' in os.environ or main()\n")
    Path("exp.py").write_text(text)
    subprocess.run([sys.executable, str(place / "exp.py")], check=True, capture_output=True)
    Path("exp.py").write_text(text.replace("result = 1", "result = 2"))
    code, said = reproduce("results/run")
    assert (code, said["verdict"]) == (0, "reproduced"), said
    assert any("the task was called by itself" in line for line in said["differences"]), said


def test_tasks_and_diags_of_a_run(place: Path) -> None:
    """A task that the run itself calls is computed, beside it; a diag before the run publishes nothing."""
    inner = "    first({'save_dir': cfg['save_dir'] + '/first'})\n    first({'save_dir': 'results/beside'})\n"
    text = STARTED.replace("    seen = [", inner + "    seen = [").replace('cfg["x"] in (1, 3) or random.random()', "1")
    diag = "@mlflow_log_run\ndef diag(cfg):\n    Path('diagnosed').touch()\n"
    again = "    if 'NAGA_REPRODUCES' in os.environ:\n        diag('results/run')\n"
    block = f"\nif __name__ == '__main__':\n{again}    main()\n"
    Path("exp.py").write_text("import os\nfrom naga.mlflow_log import mlflow_log_run\n" + text + diag + block)
    subprocess.run([sys.executable, "exp.py"], check=True, capture_output=True)
    before = everything()
    code, said = reproduce("results/run")
    assert (code, said["verdict"]) == (0, "reproduced"), said
    assert not any("by itself" in line for line in said["differences"])
    assert everything() == before
    assert Path(said["save_dir"], "first", "result.txt").exists()


def test_a_failed_reproduction_differs(place: Path) -> None:
    """What the run read and did not track is not there: it is said, and the folder stays to be looked at."""
    compute("Path('data/raw.csv').read_text()")
    code, said = reproduce("results/run")
    assert (code, said["verdict"]) == (1, "differs")
    assert said["outputs"] == [{"path": "result.json", "verdict": "missing", "note": ""}]
    assert "FileNotFoundError" in said["differences"][0]
    assert load_run(said["save_dir"]).status == "failed"


def without(text: str, key: str, following: str) -> str:
    """Take a key out of a run.lock."""
    return text[: text.index(f"\n{key}:\n") + 1] + text[text.index(f"\n{following}:\n") + 1 :]


@pytest.mark.parametrize(
    ("edit", "named"),
    [
        (lambda text: text.replace("status: finished", "status: failed"), "the run is failed, not finished"),
        (lambda text: without(text, "code", "outputs"), "code: it has no snapshot (@snapshot)"),
        (lambda text: without(text, "outputs", "process"), "its outputs are not known"),
        (lambda text: text.replace("platform: Linux", "platform: Darwin"), "environment: it ran on Darwin"),
        (lambda text: text.replace("  host: ", "  ranks: 4\n  host: "), "4 processes computed it together"),
        (lambda text: text.replace("    commit: ", "    commit: 12"), "code: commit 12"),
        (lambda text: text.replace("exp.py]", "ipykernel_launcher.py]"), "it ran in a notebook"),
        (lambda text: text.replace("task: exp.main", "task: other.main"), "code: the task other.main is in no file"),
        (lambda text: text.replace("task: exp.main", "task: exp.other"), "run: no task exp.other"),
    ],
)
def test_what_cannot_be_reproduced(edit: Any, named: str, place: Path) -> None:
    """Said in one line, and in an object; nothing is left behind, and nothing is touched."""
    compute("1")
    lock = Path("results/run/run.lock")
    lock.write_text(edit(lock.read_text()))
    before = everything()
    code, said = reproduce("results/run")
    assert (code, said["verdict"]) == (2, "not restored")
    assert any(reason.startswith(named) for reason in said["not_restored"]), said
    assert everything() == before
    assert not Path("results/.reproduced").exists()


def test_a_later_schema(place: Path) -> None:
    """It is refused before anything is done."""
    compute("1")
    lock = Path("results/run/run.lock")
    lock.write_text(lock.read_text().replace("naga.run/1", "naga.run/99"))
    command = [str(Path(sys.executable).with_name("naga")), "reproduce", "results/run"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "naga.run/99" in done.stderr


def test_outputs_that_were_deleted(place: Path) -> None:
    """What is listed can be compared with all the same; where the list is gone, what is there has to be as it was."""
    compute("1")
    Path("results/run/result.json").unlink()
    assert reproduce("results/run")[1]["verdict"] == "reproduced"
    Path("results/run/result.json").write_text("1")
    Path("results/run/.naga/outputs.json").unlink()
    assert reproduce("results/run")[1]["verdict"] == "reproduced"
    Path("results/run/result.json").write_text("2")
    code, said = reproduce("results/run")
    assert (code, said["not_restored"][0]) == (
        2,
        "its outputs are not known: they have changed, and .naga/outputs.json is gone",
    )


def test_bad_words(place: Path) -> None:
    """One line, a hint, exit code 2, nothing written."""
    compute("1")
    program = Path(sys.executable).with_name("naga")
    for words in (["--tolerance", "x"], ["--to", "data"], ["--repeat", "0"], ["--to", "new", "--repeat", "2"]):
        command = [str(program), "reproduce", "results/run", *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 2
        assert done.stderr.startswith("naga: ")
    assert not Path("results/.reproduced").exists()
    assert not Path("new").exists()


def test_to_and_checkout(place: Path) -> None:
    """A folder of one's own for the reproduction, and the code alone, with what was not committed."""
    Path("helper.py").write_text("FACTOR = 5  # not committed\n")
    compute("helper.FACTOR")
    assert reproduce("results/run", "--to", "elsewhere")[0] == 0
    assert Path("elsewhere/run.lock").exists()
    program = Path(sys.executable).with_name("naga")
    subprocess.run([program, "checkout", "results/run", "code"], check=True, capture_output=True)
    assert Path("code", place.name, "helper.py").read_text() == "FACTOR = 5  # not committed\n"
    Path("results/run").rename("results/a run")
    done = subprocess.run([program, "checkout", "results/a run", "code"], capture_output=True, text=True, check=False)
    assert (done.returncode, "is there already" in done.stderr) == (2, True)
    assert "hint: naga checkout 'results/a run' <a new folder>" in done.stderr


@pytest.mark.parametrize("name", ["../escaped", "/tmp/naga-escaped", ".."])
def test_no_name_leads_out_of_the_folder(name: str, place: Path) -> None:
    """A run.lock that says where its code is, elsewhere than asked, gets nothing laid out there."""
    compute("1")
    lock = Path("results/run/run.lock")
    lock.write_text(lock.read_text().replace(f"name: {place.name}", f'name: "{name}"', 1))
    command = [str(Path(sys.executable).with_name("naga")), "checkout", "results/run", "inner/code"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, "is not the name of a repository" in done.stderr) == (2, True)
    assert not Path("inner").exists()
    assert not Path("/tmp/naga-escaped").exists()
    assert reproduce("results/run")[0] == 2


def test_another_place(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run's folder and a clone of the repository are enough; the original is gone."""
    compute("helper.FACTOR")
    other = tmp_path.parent / f"{tmp_path.name}-clone"
    git("clone", "-q", str(place), str(other), cwd=place)
    git("fetch", "-q", "origin", "refs/naga/*:refs/naga/*", cwd=other)
    shutil.copytree("results", other / "results")
    place.rename(f"{place}-hidden")
    monkeypatch.chdir(other)
    assert reproduce("results/run")[1]["verdict"] == "reproduced"


@pytest.mark.parametrize("now", ["changed", "gone"])
def test_an_input_that_the_snapshot_holds(place: Path, now: str) -> None:
    """What is committed with the code is had from there, whatever has become of it since."""
    git("add", "-f", "data/raw.csv", cwd=place)
    git("commit", "-qm", "Data", cwd=place)
    compute("len(Path(cfg.raw).read_text())", decorators='@track_data("raw")')
    Path("data/raw.csv").write_text("9\n") if now == "changed" else Path("data/raw.csv").unlink()
    assert reproduce("results/run")[1]["verdict"] == "reproduced"


def test_todays_code(place: Path) -> None:
    """What differs then is the code's doing."""
    compute("helper.FACTOR")
    Path("helper.py").write_text("FACTOR = 30  # of another size: Python believes a .pyc of the same second and size\n")
    code, said = reproduce("results/run", "--code", "current")
    assert (code, said["verdict"]) == (1, "differs")
    assert reproduce("results/run")[1]["verdict"] == "reproduced"


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives files away")
def test_the_code_of_another_user(place: Path) -> None:
    """It is run only where that is said."""
    compute("1")
    for file in (Path("results/run"), *Path("results/run").rglob("*")):
        os.chown(file, 1234, 1234)
    command = [str(Path(sys.executable).with_name("naga")), "reproduce", "results/run"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    assert done.returncode == 2
    assert "belongs to user 1234" in done.stderr
    assert reproduce("results/run", "--trust")[1]["verdict"] == "reproduced"


def test_todays_code_needs_what_the_run_does_not_say(place: Path) -> None:
    """A default that came later may not be what the code did: it is computed with only where that is declared."""
    compute("cfg.seed")
    text = Path("exp.py").read_text()
    Path("exp.py").write_text(text.replace("    seed: int = 0", "    seed: int = 0\n    later: int = 5"))
    code, said = reproduce("results/run", "--code", "current")
    assert (code, said["verdict"]) == (2, "not restored")
    assert "older than later" in said["not_restored"][0]
    declared = "    seed: int = 0\n    later: int = field(default=5, metadata={'before': 1})"
    Path("exp.py").write_text(text.replace("    seed: int = 0", declared))
    assert reproduce("results/run", "--code", "current")[1]["verdict"] == "reproduced"
