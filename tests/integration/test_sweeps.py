"""Sweeps as their users start, kill and go on with them: real processes, real repositories."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from random import Random

import pytest
from sweep_watch import asked_all_the_time, finished, write_row
from workbench import git

from naga import find_runs, load_run

EXPERIMENT = '''
import os, random, time
from dataclasses import dataclass
from pathlib import Path
from naga import clicfg, runlock, snapshot

@dataclass
class Config:
    save_dir: str = "results/x/${now:%H%M%S%f}"
    seed: int = 0
    sleep: float = 0.0
    worse: str = ""

@runlock
@snapshot
@clicfg
def main(cfg: Config):
    """Compute next to nothing."""
    import late
    with open("count.txt", "a") as file:  # outside of what Naga knows of
        file.write(f"{cfg.seed}\\n")
    print("computing", cfg.seed)
    time.sleep(cfg.sleep)
    if cfg.worse and cfg.seed == 2:
        raise ValueError(cfg.worse)
    Path(cfg.save_dir, "result.txt").write_text(f"{cfg.seed} {late.VERSION} {random.random()}")
    with open("pids.txt", "a") as file:
        file.write(f"{cfg.seed} {os.getpid()}\\n")

if __name__ == "__main__":
    main()
    print("after the sweep")
'''


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with an experiment; the current folder."""
    monkeypatch.chdir(tmp_path)
    Path("exp.py").write_text(EXPERIMENT)
    Path("late.py").write_text("VERSION = 1\n")
    Path(".gitignore").write_text("results/\n*.txt\n__pycache__/\n")
    git("init", "-q", cwd=tmp_path)
    git("add", "-A", cwd=tmp_path)
    git("commit", "-qm", "Begin", cwd=tmp_path)
    return tmp_path


def sweep(*words: str, code: int | None = 0) -> "subprocess.CompletedProcess[str]":
    """Run the experiment, and wait for it."""
    done = subprocess.run([sys.executable, "exp.py", *words], capture_output=True, text=True, check=False, timeout=120)
    assert code is None or done.returncode == code, done.stdout + done.stderr
    return done


def begun(*words: str) -> "subprocess.Popen[bytes]":
    """Start the experiment."""
    command = [sys.executable, "exp.py", *words]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def counted() -> Counter[int]:
    """Count how often each seed was computed."""
    return (
        Counter(int(line) for line in Path("count.txt").read_text().split())
        if Path("count.txt").exists()
        else Counter()
    )


def wait_until_counted(number: int) -> None:
    """Wait until so many points have begun."""
    until = time.monotonic() + 60
    while counted().total() < number:
        assert time.monotonic() < until
        time.sleep(0.02)


def naga(*words: str, code: int = 0) -> str:
    """Run a command of Naga's."""
    program = Path(sys.executable).with_name("naga")
    done = subprocess.run([program, *words], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def test_every_point_is_a_run(place: Path) -> None:
    """Each has its own folder, lock, console.log and random numbers, and one commit stands for all."""
    done = sweep("--sweep", "seed=range(3)", "save_dir=results/s")
    assert "after the sweep" not in done.stdout
    assert "3 finished of 3" in done.stderr
    runs = find_runs("results/s")
    assert [run.save_dir.name for run in runs] == ["seed=0", "seed=1", "seed=2"]
    assert len({run.record.code[0].commit for run in runs}) == 1
    assert all(git("rev-parse", str(run.record.code[0].ref), cwd=place) for run in runs)
    assert len({Path(run.save_dir, "result.txt").read_text().split()[2] for run in runs}) == 3
    assert [Path(run.save_dir, "console.log").read_text() for run in runs] == [f"computing {n}\n" for n in range(3)]
    assert runs[1].record.sweep["point"] == "seed=1"
    alone = subprocess.run([*runs[1].record.process.argv, "--dry-run"], capture_output=True, text=True, check=False)
    assert "--dry-run is for sweeps" in alone.stderr
    subprocess.run(runs[1].record.process.argv, check=True)  # it is there: nothing to do
    assert counted() == Counter(range(3))
    assert git("status", "--porcelain", cwd=place) == ""


def test_the_same_command_goes_on(place: Path) -> None:
    """After SIGKILL of the driver, all finish, and none is computed twice but those that ran; then nothing is left."""
    words = ("--sweep", "seed=range(12)", "save_dir=results/s", "sleep=0.3", "--jobs", "2")
    with begun(*words) as driver:
        wait_until_counted(4)
        driver.kill()
    time.sleep(0.5)
    killed = [run.record.config["seed"] for run in find_runs("results/s") if run.status in ("killed", "lost")]
    assert not [run for run in find_runs("results/s") if run.status == "running"]
    sweep(*words)
    assert {run.status for run in find_runs("results/s")} == {"finished"}
    assert counted() == Counter(range(12)) + Counter(killed)
    sweep(*words)
    assert counted() == Counter(range(12)) + Counter(killed)


def test_one_killed_point_fails_one(place: Path) -> None:
    """The others go on, the exit code says it, and the next call tries it again."""
    words = ("--sweep", "seed=range(4)", "save_dir=results/s", "sleep=1", "--jobs", "4")
    with begun(*words) as driver:
        wait_until_counted(4)
        os.kill(load_run("results/s/seed=1").record.process.pid, signal.SIGKILL)
    assert driver.returncode == 1
    assert json.loads(naga("status", "results/s", "--format", "json")) == {
        "total": 4, "finished": 3, "running": 0, "failed": 0, "killed": 0, "lost": 1, "waiting": 0,
    }  # fmt: skip
    sweep(*words)
    assert counted() == Counter([0, 1, 1, 2, 3])


def test_two_drivers_share_the_work(place: Path) -> None:
    """Both wait for the last point, wherever it runs, and none is computed twice."""
    words = ("--sweep", "seed=range(6)", "save_dir=results/s", "sleep=0.4", "--jobs", "2")
    with begun(*words) as one, begun(*words) as two:
        pass
    assert (one.returncode, two.returncode) == (0, 0)
    assert counted() == Counter(range(6))


def test_failed_points(place: Path) -> None:
    """They are said, left as they are, and tried again only where that is asked for."""
    words = ("--sweep", "seed=range(4)", "save_dir=results/s", "worse=diverged")
    assert "seed=2 failed: ValueError: diverged" in sweep(*words, code=1).stderr
    sweep(*words, code=1)
    assert counted()[2] == 1
    sweep(*words, "--retry", "failed", code=1)
    assert counted() == Counter([0, 1, 2, 2, 3])
    done = sweep("--sweep", "seed=2,3,4", "save_dir=results/f", "worse=x", "--fail-fast", "--jobs", "1", code=1)
    assert "2 waiting" in done.stderr


def test_an_edit_while_it_runs_is_said(place: Path) -> None:
    """Points whose code changed under them say so; finished ones of other code are counted and left as they are."""
    words = ("--sweep", "seed=range(2)", "save_dir=results/s")
    sweep(*words)
    Path("exp.py").write_text(EXPERIMENT + "# edited\n")
    again = sweep(*words)
    assert "2 of 2 points had finished before, 2 with other code" in again.stderr
    assert "at once" not in again.stderr
    assert counted() == Counter([0, 1])
    sweep(*words, "--existing", "archive")
    assert counted() == Counter([0, 0, 1, 1])
    assert len(find_runs("results/s", archived=True)) == 4


def test_a_new_process_each(place: Path) -> None:
    """Where a thread makes forks unsafe, which is said, and what stands below `__name__` does not run in them."""
    text = EXPERIMENT.replace(
        "    main()\n", "    threading.Thread(target=time.sleep, args=(3,), name='mine').start()\n    main()\n"
    )
    Path("exp.py").write_text("import threading\n" + text)
    done = sweep("--sweep", "seed=range(2)", "save_dir=results/s")
    assert "a new process each, as a thread is running: mine" in done.stderr
    assert counted() == Counter([0, 1])


def test_forks_beside_pools(place: Path) -> None:
    """What MLflow and the pool of a linear algebra library leave at import does no harm to a fork; a database does."""
    text = "import mlflow, numpy, sqlite3\nSQUARE = numpy.ones((900, 900)) @ numpy.ones((900, 900))\n" + EXPERIMENT
    Path("exp.py").write_text(text.replace("    import late\n", "    import late\n    SQUARE @ SQUARE\n"))
    done = sweep("--sweep", "seed=range(4)", "save_dir=results/s")
    assert "forked from this one" in done.stderr
    assert counted() == Counter(range(4))
    Path("exp.py").write_text("import sqlite3\nopened = sqlite3.connect('results/a.db')\n" + EXPERIMENT)
    assert "results/a.db' is open" in sweep("--sweep", "seed=4,5", "save_dir=results/s").stderr


def test_inputs_are_hashed_once(place: Path) -> None:
    """Before the points start, which then find the hash in the cache; where one is missing, none starts."""
    text = EXPERIMENT.replace("seed: int", 'data: str = "raw.bin"\n    seed: int').replace(
        "@clicfg", "@track_data('data')\n@clicfg"
    )
    Path("exp.py").write_text(text.replace("import clicfg", "import track_data, clicfg"))
    words = ("--sweep", "seed=range(4)", "save_dir=results/s", "--jobs", "4")
    assert "raw.bin" in sweep(*words, code=2).stderr
    assert not Path("results").exists()
    Path("raw.bin").write_bytes(bytes(3_000_000))
    time.sleep(3.1)  # what has just been written is not believed to stay as it is
    sweep(*words)
    assert {run.record.data["data"].source for run in find_runs("results/s")} == {"cached"}


def test_timeout(place: Path) -> None:
    """A point that takes too long is killed, and the others are not."""
    sweep("--sweep", "seed=0", "sleep=0,30", "save_dir=results/s", "--timeout", "2", code=1)
    assert {run.save_dir.name: run.status for run in find_runs("results/s")} == {
        "sleep=0.0": "finished", "sleep=30.0": "killed",
    }  # fmt: skip


def test_dry_run_and_refusals_leave_nothing(place: Path) -> None:
    """Nothing is written before all words are known to be right."""
    assert "2 points, 0 finished" in sweep("--sweep", "seed=1,2", "--dry-run").stdout
    for words in (["seed=a,b"], ["sed=1,2"], ["seed=1,1"], ["seed=range(0)"], []):
        said = sweep("--sweep", *words, code=2).stderr
        assert said.startswith("naga: ")
        assert said.count("\n") == 2
    assert sweep("--jobs", "2", code=2).stderr.startswith("naga: --jobs is for sweeps")
    assert not Path("results").exists()


def test_diag(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Finished points are published as they end, and failed ones are not."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{place}/mlflow.db")
    diag = "@mlflow_log_run\ndef diag(cfg):\n    mlflow.log_metric('seed', cfg.seed)\n\n"
    text = f"import mlflow\nfrom naga.mlflow_log import mlflow_log_run\n{EXPERIMENT}"
    Path("exp.py").write_text(text.replace("if __name__", f"{diag}if __name__"))
    sweep("--sweep", "seed=range(4)", "save_dir=results/s", "worse=bad", "--diag", code=1)
    assert [run.metrics for run in find_runs("results/s")] == [{"seed": 0}, {"seed": 1}, {}, {"seed": 3}]


def test_on_a_terminal(place: Path) -> None:
    """A table shows what each point has printed last, and none of it gets into what the points print."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "exp.py", "--sweep", "seed=range(4)", "save_dir=results/s", "sleep=1", "--jobs", "2"]
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    shown = b""
    with suppress(OSError):  # the terminal is closed
        while block := os.read(ours, 65536):
            shown += block
    assert process.wait() == 0
    assert b"2 running, 2 waiting" in shown
    assert b"seed=1  computing 1" in shown
    assert [run.save_dir.joinpath("console.log").read_text() for run in find_runs("results/s")] == [
        f"computing {seed}\n" for seed in range(4)
    ]


def test_interrupted(place: Path) -> None:
    """Ctrl-C ends the sweep and its points, which go on with the same command."""
    command = [sys.executable, "exp.py", "--sweep", "seed=range(6)", "save_dir=results/s", "sleep=2", "--jobs", "2"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    wait_until_counted(2)
    os.killpg(process.pid, signal.SIGINT)
    said = process.communicate(timeout=20)[1]
    assert process.returncode == 130
    assert "Traceback" not in said
    counts = json.loads(naga("status", "results/s", "--format", "json"))
    assert (counts["killed"], counts["running"], counts["waiting"]) == (2, 0, 4)


def test_cancel_and_log(place: Path) -> None:
    """A sweep is stopped whole, from anywhere, and what a point printed can be read."""
    with begun("--sweep", "seed=range(4)", "save_dir=results/s", "sleep=60", "--jobs", "2") as driver:
        wait_until_counted(2)
        time.sleep(0.3)
        assert "running" in naga("status", "results/s")
        assert naga("log", "results/s/seed=0") == "computing 0\n"
        assert "stopped" in naga("cancel", "results/s")
        driver.wait(30)
    counts = json.loads(naga("status", "results/s", "--format", "json"))
    assert (counts["killed"], counts["waiting"]) == (2, 2)
    assert "nothing runs here" in naga("cancel", "results/s")


def test_from_python(place: Path) -> None:
    """`main.sweep` gives the finished runs, and raises after all have ended where one did not finish."""
    Path("many.py").write_text(
        "import exp\n"
        "runs = exp.main.sweep({'seed': [0, 1], 'save_dir': 'results/s'}, jobs=2)\n"
        "print([run.record.config['seed'] for run in runs])\n"
        "exp.main.sweep({'seed': [2, 3], 'save_dir': 'results/s', 'worse': 'bad'})\n"
    )
    done = subprocess.run([sys.executable, "many.py"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "[0, 1]" in done.stdout
    assert "1 point of 2 did not finish: seed=2: ValueError: bad" in done.stderr
    assert counted() == Counter(range(4))


LATE_IMPORTS = EXPERIMENT.replace(
    "    import late\n", "    import late, built, pack.lately\n    from pack import _version\n"
)


@pytest.mark.parametrize("start", ["forked", "a new process each"])
def test_points_run_the_code_of_the_sweep(place: Path, start: str) -> None:
    """Whatever is edited meanwhile, imported late or ignored by git; the locks name the user's own repository."""
    thread = "    __import__('threading').Thread(target=time.sleep, args=(9,), name='mine', daemon=True).start()\n"
    text = LATE_IMPORTS if start == "forked" else LATE_IMPORTS.replace("    main()\n", f"{thread}    main()\n")
    Path("exp.py").write_text(text)
    Path("pack").mkdir()
    for file, content in {"__init__": "", "lately": "", "_version": "V = 1\n"}.items():
        Path("pack", f"{file}.py").write_text(content)
    Path("built.py").write_text("import pathlib\nassert (pathlib.Path(__file__).parent / 'exp.py').exists()\n")
    with Path(".gitignore").open("a") as ignored:
        ignored.write("_version.py\n")
    words = ("--sweep", "seed=range(6)", "save_dir=results/s", "sleep=0.4", "--jobs", "2")
    with begun(*words) as driver:
        wait_until_counted(2)
        for file in ("exp.py", "late.py", "pack/lately.py"):
            Path(file).write_text("raise RuntimeError('edited')\n")
    assert driver.returncode == 0
    runs = find_runs("results/s")
    assert {Path(run.save_dir, "result.txt").read_text().split()[1] for run in runs} == {"1"}
    assert {run.record.code[0].path for run in runs} == {str(place)}
    assert len({run.record.code[0].commit for run in runs}) == 1
    assert {git("show", f"{run.record.code[0].ref}:late.py", cwd=place) for run in runs} == {"VERSION = 1\n"}
    assert not any("changed" in warning for run in runs for warning in run.record.warnings)
    assert [left.name for left in Path(os.environ["NAGA_CACHE_DIR"], "sweeps").iterdir()] == ["lock"]


@pytest.mark.parametrize("launcher", ["local", "concurrent.futures:ThreadPoolExecutor"])
def test_paths_that_modules_compute(place: Path, launcher: str) -> None:
    """They lead to the code of the sweep; in a configuration they are the user's own, and the same in the next call."""
    text = EXPERIMENT.replace("from naga", "HERE = Path(__file__).parent\nfrom naga", 1)
    text = text.replace(
        'worse: str = ""', 'worse: str = ""\n    data: str = str(HERE / "data.csv")\n    lr: float = 0.1'
    )
    Path("exp.py").write_text(text.replace('print("computing", cfg.seed)', "print(HERE, cfg.data)"))
    words = ("--sweep", "seed=range(2)", "save_dir=results/s", "--launcher", launcher)
    said = sweep(*words).stderr
    assert launcher != "local" or "a new process each, as HERE in exp.py is a path" in said
    assert "2 finished of 2" in sweep(*words).stderr
    assert counted() == Counter([0, 1])
    for run in find_runs("results"):
        here, data = Path(run.save_dir, "console.log").read_text().split()
        assert here.startswith(os.environ["NAGA_CACHE_DIR"])
        assert data == run.record.config["data"] == str(place / "data.csv")
    assert "forked from this one" in sweep("--sweep", "seed=5", "save_dir=results/s", "--code", "current").stderr


def test_code_is_laid_out_where_nobody_else_writes(place: Path) -> None:
    """A folder that others can write to is refused in one line, before anything is computed."""
    folder = Path(os.environ["NAGA_CACHE_DIR"], "sweeps")
    folder.mkdir(parents=True, exist_ok=True)
    before = folder.stat().st_mode
    folder.chmod(0o777)
    assert f"others can write to '{folder}'" in sweep("--sweep", "seed=1,2", "save_dir=results/s", code=2).stderr
    folder.chmod(before)
    assert not counted()


def test_current_code_is_what_each_point_finds(place: Path) -> None:
    """``--code current`` takes a snapshot for each point, of what it imports."""
    words = ("--sweep", "seed=range(4)", "save_dir=results/s", "sleep=0.6", "--jobs", "1", "--code", "current")
    with begun(*words) as driver:
        wait_until_counted(1)
        Path("late.py").write_text("VERSION = 2\n")
    assert driver.returncode == 0
    assert len({run.record.code[0].tree for run in find_runs("results/s")}) == 2


@pytest.mark.parametrize(
    ("points", "jobs"), [(16, 4), pytest.param(200, 8, marks=[pytest.mark.stress, pytest.mark.timeout(1800)])]
)
def test_random_kills(place: Path, points: int, jobs: int) -> None:
    """Points and drivers are killed at any moment: the same command goes on, and none that finished is run again."""
    words = ("--sweep", f"seed=range({points})", "save_dir=results/s", "sleep=0.3", "--jobs", str(jobs))
    random = Random(1)
    first = begun(*words)
    wait_until_counted(1)
    # The points of a driver that was killed write their final locks while those of the next begin.
    with asked_all_the_time(points, 2 * jobs), first:
        for driver in (first, begun(*words), begun(*words)):
            until = finished() + points // 4
            while driver.poll() is None:
                running = [run for run in find_runs("results/s") if run.status == "running"]
                if running and random.random() < 0.3:
                    with suppress(ProcessLookupError):
                        os.kill(random.choice(running).record.process.pid, signal.SIGKILL)
                if finished() > until:
                    driver.kill()
                time.sleep(0.1)
        sweep(*words)
    if points == 200:
        write_row("local, 8 processes", "three drivers, and points at random")


def _mounted(place: Path, options: str) -> bool:
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


def test_a_full_disk(place: Path) -> None:
    """It stops the sweep at once, in one line; with room again, the same command does the rest."""
    small = place / "small"
    if not _mounted(small, "size=64k"):
        pytest.skip("nothing can be mounted here")
    try:
        words = ("--sweep", "seed=range(20)", "save_dir=small/s", "--jobs", "1")
        done = sweep(*words, code=1)
        assert done.stderr.count("No space left") == 1
        assert "Traceback" not in done.stderr
        assert re.search(", 1 (failed|lost), ", done.stderr.splitlines()[-1])
        before = counted()
        finished = [run.record.config["seed"] for run in find_runs(small) if run.status == "finished"]
        assert 0 < len(finished) < 20
        subprocess.run(["mount", "-o", "remount,size=9m", str(small)], check=True)
        sweep(*words)
        assert {run.status for run in find_runs(small)} == {"finished"}
        assert all((counted() - before)[seed] == 0 for seed in finished)
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_results_that_cannot_be_written(place: Path) -> None:
    """One line before anything is computed: below a file, and on what is mounted to be read."""
    Path("file.txt").touch()
    roots = ["file.txt/s", *(["fixed/s"] if _mounted(place / "fixed", "ro") else [])]
    try:
        for root in roots:
            said = sweep("--sweep", "seed=range(3)", f"save_dir={root}", code=2).stderr
            assert f"{root}' cannot be written: " in said
            assert said.count("\n") == 2
    finally:
        subprocess.run(["umount", str(place / "fixed")], check=len(roots) > 1, capture_output=True)
    assert not counted()


def test_points_of_files_and_spaced_ones(place: Path) -> None:
    """Rows of CSV and YAML, multiplied with what is listed; numbers evenly spaced on a line, or by their powers."""
    Path("points.csv").write_text('seed,worse\n1,a\n3,"b,c"\n')
    Path("points.yaml").write_text("- {seed: 5, sleep: 0.0}\n- {seed: 6}\n")
    assert "2 finished of 2" in sweep("--sweep-file", "points.csv", "save_dir=results/s").stderr
    assert {run.record.config["worse"] for run in find_runs("results")} == {"a", "b,c"}
    words = ("--sweep-file", "points.yaml", "--sweep", "worse=x,y", "save_dir=results/t")
    assert "4 finished of 4" in sweep(*words).stderr
    planned = sweep("--sweep", "sleep=logspace(-3,-1,3)", "save_dir=results/u", "--dry-run").stdout
    assert [line.rpartition("=")[2] for line in planned.splitlines()[:3]] == ["0.001", "0.01", "0.1"]
    assert "--sweep-file none.csv" in sweep("--sweep-file", "none.csv", code=2).stderr
    Path("points.csv").write_text("sed\n1\n")
    assert "unknown key 'sed'" in sweep("--sweep-file", "points.csv", code=2).stderr


def test_a_point_that_was_a_run_before(place: Path) -> None:
    """It is not computed again, and the table says where it is and how long it took."""
    subprocess.run([sys.executable, "exp.py", "seed=1", "save_dir=results/s/first"], check=True)
    done = sweep("--sweep", "seed=1,2", "save_dir=results/s")
    assert counted() == Counter([1, 2])
    assert re.search(r"^finished  seed=1  .* s  results/s/first$", done.stdout, re.MULTILINE), done.stdout
    assert re.search(r"^finished  seed=2  .* s$", done.stdout, re.MULTILINE), done.stdout


def test_inputs_are_no_part_of_its_code(place: Path) -> None:
    """As in a run: what is tracked as data is not stored as code, and a run before the sweep had the same code."""
    text = EXPERIMENT.replace("@snapshot", "@snapshot\n@track_data('data')").replace(
        "runlock, snapshot", "runlock, snapshot, track_data"
    )
    Path("exp.py").write_text(text.replace('worse: str = ""', 'worse: str = ""\n    data: str = "raw.csv"'))
    Path("raw.csv").write_text("1\n")
    subprocess.run([sys.executable, "exp.py", "seed=1", "save_dir=results/s/first"], check=True)
    done = sweep("--sweep", "seed=1,2", "save_dir=results/s")
    assert "1 of 2 points had finished before\n" in done.stderr
    trees = {run.record.code[0].tree for run in find_runs("results/s")}
    assert len(trees) == 1
    assert "raw.csv" not in git("ls-tree", "-r", "--name-only", str(trees.pop()), cwd=place).split()
