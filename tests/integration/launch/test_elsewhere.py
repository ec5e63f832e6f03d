"""Sweeps and diags through Dask and through any executor: real clusters of this machine."""

import json
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from slurm_cluster import wait_until
from sweep_watch import asked_all_the_time, finished, write_row
from workbench import Script, git

from naga import find_runs

EXPERIMENT = """
import os, time
from dataclasses import dataclass
from pathlib import Path
from naga import clicfg, runlock, snapshot
from naga.mlflow_log import mlflow_log_run

@dataclass
class Config:
    save_dir: str = "results/x"
    seed: int = 0

@runlock
@snapshot
@clicfg
def main(cfg: Config):
    Path(cfg.save_dir, "result.txt").write_text(str(os.getppid()))
    while Path("wait").exists():
        time.sleep(0.05)
    with open("count.txt", "a") as file:  # outside of what Naga knows of
        file.write(f"{cfg.seed}\\n")
    with open("pids.txt", "a") as file:
        file.write(f"{cfg.seed} {os.getpid()}\\n")

@mlflow_log_run
def diag(cfg):
    import mlflow
    mlflow.log_metrics({"seed": cfg.seed})
    print("diagnosed", os.getpid())

if __name__ == "__main__":
    main()
"""
Dask = tuple[str, Callable[[], "subprocess.Popen[str]"]]
THREADS = "concurrent.futures:ThreadPoolExecutor"


@pytest.fixture
def place(project: Path) -> Path:
    """A repository with an experiment; the current folder."""
    Path("exp.py").write_text(EXPERIMENT)
    Path(".gitignore").write_text("results/\n*.txt\nwait\nmlflow.db\nmlruns/\n__pycache__/\n")
    git("add", "-A", cwd=project)
    git("commit", "-qm", "Sweep", cwd=project)
    return project


def start_dask(*words: str, log: int = subprocess.DEVNULL) -> "subprocess.Popen[str]":
    """Start a part of a cluster of Dask's, which knows nothing of this process; it would wait for who reads a pipe."""
    command = [sys.executable, "-m", "distributed.cli." + words[0], *words[1:]]
    return subprocess.Popen(command, stderr=log, stdout=subprocess.DEVNULL, text=True)


def start_scheduler() -> tuple["subprocess.Popen[str]", str]:
    """Start a scheduler, and read its address."""
    with tempfile.NamedTemporaryFile("r") as log:
        words = ("dask_scheduler", "--port", "0", "--no-dashboard", "--host", "127.0.0.1")
        scheduler = start_dask(*words, log=log.fileno())
        wait_until(lambda: re.search(r"tcp://\S+\n", Path(log.name).read_text()), 60)
        found = re.search(r"tcp://\S+", Path(log.name).read_text())
    assert found
    return scheduler, found[0]


@pytest.fixture
def dask() -> Iterator[Dask]:
    """A scheduler's address, and what starts a worker."""
    scheduler, address = start_scheduler()
    started = [scheduler]

    def start() -> "subprocess.Popen[str]":
        words = ("--nthreads", "1", "--no-nanny", "--no-dashboard")
        started.append(start_dask("dask_worker", address, *words))
        return started[-1]

    yield address, start
    for process in reversed(started):
        process.kill()
        process.communicate()


def count() -> Counter[str]:
    """Count how often each point was computed to its end."""
    return Counter(Path("count.txt").read_text().split()) if Path("count.txt").exists() else Counter()


def sweep(*words: str) -> tuple[str, ...]:
    """The words of a sweep."""
    return "exp.py", "save_dir=results/s", "--sweep", "seed=range(4)", *words


@pytest.mark.parametrize("launcher", ["dask", THREADS])
def test_each_point_has_a_process(place: Path, script: Script, launcher: str) -> None:
    """Points run through another executor, none twice, and the same command computes nothing again."""
    words = sweep("--launcher", launcher, "--jobs", "2")
    assert "4 finished of 4" in script(*words).stderr
    assert "4 finished of 4" in script(*words).stderr
    assert count() == Counter("0123")
    assert len({run.record.process.pid for run in find_runs("results")}) == 4


def test_a_worker_of_dask_dies(place: Path, script: Script, dask: Dask) -> None:
    """SIGKILL a worker: its point ends with it, goes on elsewhere, and none is finished twice."""
    address, start = dask
    workers = [start(), start()]
    Path("wait").touch()
    words = [sys.executable, *sweep("--launcher", "dask", "-l", f"address={address}", "--jobs", "2")]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as driver:
        wait_until(lambda: len(running()) == 2)
        killed = next(run for run in running() if Path(run, "result.txt").read_text() == str(workers[0].pid))
        workers[0].kill()
        wait_until(lambda: killed not in running())
        Path("wait").unlink()
        assert "4 finished of 4" in driver.communicate(timeout=60)[1]
    assert count() == Counter("0123")


@pytest.mark.parametrize(
    ("points", "count"), [(12, 2), pytest.param(200, 4, marks=[pytest.mark.stress, pytest.mark.timeout(1800)])]
)
def test_workers_of_dask_die(place: Path, script: Script, dask: Dask, points: int, count: int) -> None:
    """One after the other, and others come: the same command finishes all, none twice."""
    address, start = dask
    workers = [start() for _ in range(count)]
    words = ["exp.py", "save_dir=results/s", "--sweep", f"seed=range({points})", "--launcher", "dask"]
    words += ["-l", f"address={address}", "--jobs", str(count)]
    with subprocess.Popen([sys.executable, *words], stderr=subprocess.DEVNULL) as driver:
        wait_until(lambda: Path("results").exists() and finished() > 0, 90)
        with asked_all_the_time(points, slots=count):
            while driver.poll() is None:
                workers.pop(0).kill()
                workers.append(start())
                until = finished() + points // 12
                wait_until(lambda until=until: finished() >= until or driver.poll() is not None, 600)  # type: ignore[misc]
            script(*words)
    if points == 200:
        write_row("Dask, four workers", "a dozen workers, one after the other")


def test_a_scheduler_that_dies(place: Path, script: Script) -> None:
    """The driver says so in one line, and ends; on another cluster the same command finishes the rest."""
    scheduler, address = start_scheduler()
    worker = start_dask("dask_worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard")
    words = sweep("--launcher", "dask", "--jobs", "1")
    command = [sys.executable, *words, "-l", f"address={address}"]
    Path("wait").touch()
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as driver:
        wait_until(lambda: len(running()) == 1)
        for process in (scheduler, worker):
            process.kill()
            process.communicate()
        said = driver.communicate(timeout=90)[1].splitlines()
    Path("wait").unlink()
    assert driver.returncode == 2
    assert f"naga: Dask no longer answers at {address}" in said
    assert "Traceback" not in "".join(said)
    wait_until(lambda: not running())
    assert "4 finished of 4" in script(*words).stderr
    assert count() == Counter("0123")


def running() -> list[str]:
    """The folders of runs that compute."""
    runs = [run for run in find_runs("results") if run.status == "running"] if Path("results").exists() else []
    return [str(run.save_dir) for run in runs if (run.save_dir / "result.txt").exists()]


def test_a_scheduler_that_is_not_there(place: Path, script: Script) -> None:
    """An address where nothing listens is one line, and nothing is written."""
    done = script(*sweep("--launcher", "dask", "-l", "address=tcp://127.0.0.1:9"), check=False)
    assert done.returncode == 2
    assert "Dask does not answer at tcp://127.0.0.1:9" in done.stderr
    assert not Path("results").exists()


@pytest.mark.parametrize("launcher", ["dask", THREADS])
def test_diag_through_a_launcher(place: Path, script: Script, launcher: str) -> None:
    """Many runs are diagnosed by jobs; a SQLite store has one that publishes."""
    script(*sweep())
    naga = str(Path(sys.executable).with_name("naga"))
    done = script(naga, "diag", "exp.py", "results/**", "--launcher", launcher, "--jobs", "3")
    assert "4 published" in done.stdout
    assert "one job publishes all runs, not 3" in done.stderr
    assert len(set(re.findall(r"diagnosed (\d+)", done.stdout))) == 1
    listed = json.loads(script(naga, "ls", "results", "--format", "json").stdout)
    assert [row["diag"] for row in listed] == ["fresh"] * 4


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--dry-run"], "--dry-run reads the runs here"),
        (["--check"], "--check reads the runs here"),
        (["--code", "recorded"], "--code recorded reads the runs here"),
    ],
)
def test_what_is_read_here(place: Path, script: Script, words: list[str], says: str) -> None:
    """What publishes nothing, or needs other code, is no work for a launcher; nothing is published."""
    script(*sweep())
    naga = str(Path(sys.executable).with_name("naga"))
    done = script(naga, "diag", "exp.py", "results/**", "--launcher", THREADS, *words, check=False)
    assert (done.returncode, says in done.stderr) == (2, True)
    assert "Traceback" not in done.stderr
    assert not Path("mlflow.db").exists()


def test_a_diag_that_cannot_be_imported(place: Path, script: Script) -> None:
    """A script that is broken is one line, not one for each run."""
    script(*sweep())
    Path("exp.py").write_text(EXPERIMENT + "\n1 / 0\n")
    naga = str(Path(sys.executable).with_name("naga"))
    done = script(naga, "diag", "exp.py", "results/**", "--launcher", THREADS, check=False)
    assert done.returncode == 2
    assert done.stderr.count("ZeroDivisionError") == 1
