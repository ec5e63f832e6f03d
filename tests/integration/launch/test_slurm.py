"""Sweeps on a real Slurm of four nodes, whatever is killed on the way; all in one file, since there is one cluster."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import slurm_cluster
from integration.diagnose.server import mlflow_server
from slurm_cluster import Cluster, as_slurm_says, slurm, wait_until
from sweep_watch import asked_all_the_time, finished, naga_status, write_row
from workbench import Script, git

from naga import find_runs, load_run

pytestmark = pytest.mark.skipif(bool(slurm_cluster.why_not()), reason=slurm_cluster.why_not())

EXPERIMENT = '''
import os, sys, time
from dataclasses import dataclass
from pathlib import Path
from naga import clicfg, runlock, snapshot

@dataclass
class Config:
    save_dir: str = "results/x/${now:%H%M%S%f}"
    seed: int = 0
    sleep: float = 0.0

@runlock
@snapshot
@clicfg
def main(cfg: Config):
    """Wait as long as is asked, or until it is said that there is time no more."""
    if os.environ.get("NAGA_RANK", "0") != "0":
        return
    print("computing", cfg.seed)
    until = time.monotonic() + cfg.sleep
    while time.monotonic() < until and not Path("hurry").exists():
        time.sleep(0.05)
    Path(cfg.save_dir, "result.txt").write_text(os.environ.get("NAGA_WORLD_SIZE", "1"))
    with open("count.txt", "a") as file:  # outside of what Naga knows of
        file.write(f"{cfg.seed}\\n")
    with open("pids.txt", "a") as file:
        file.write(f"{cfg.seed} {os.getpid()}\\n")

if __name__ == "__main__":
    main()
'''
Driver = Callable[..., "subprocess.Popen[bytes]"]
WORDS = ("exp.py", "save_dir=results/s", "--launcher", "slurm", "--sweep")


@pytest.fixture(scope="module")
def _one_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with slurm_cluster.cluster(tmp_path_factory.mktemp("slurm")) as made:
        yield made


@pytest.fixture
def cluster(_one_cluster: Cluster) -> Iterator[Cluster]:
    """The cluster of this file, without jobs before and after."""
    yield _one_cluster
    _one_cluster.cancel_all()


@pytest.fixture
def place(project: Path) -> Path:
    """A repository with an experiment; the current folder."""
    Path("results").mkdir()
    Path("exp.py").write_text(EXPERIMENT)
    Path(".gitignore").write_text("results/\n*.log\n*.txt\nhurry\n__pycache__/\n")
    git("add", "-A", cwd=project)
    git("commit", "-qm", "Sweep", cwd=project)
    return project


def count() -> Counter[str]:
    """Count how often each point was computed to its end."""
    return Counter(Path("count.txt").read_text().split()) if Path("count.txt").exists() else Counter()


def naga(*words: str) -> "subprocess.CompletedProcess[str]":
    """Type a command of Naga."""
    return subprocess.run(
        [Path(sys.executable).with_name("naga"), *words], capture_output=True, text=True, check=False, timeout=60
    )


@pytest.fixture
def driver() -> Iterator[Driver]:
    """Start a sweep, and go on with the test; afterwards none is left."""
    started = []

    def start(*words: str) -> "subprocess.Popen[bytes]":
        with Path("driver.log").open("ab") as log:
            command = [sys.executable, *WORDS, *words]
            started.append(subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def cancel(jobs: list[str]) -> None:
    """Type `scancel`, which wants one job at least."""
    if jobs:
        slurm("scancel", *jobs)


def ended(process: "subprocess.Popen[bytes]", points: int) -> int:
    """Wait for the end of a driver; one that does not end says what it waits for."""
    try:
        return process.wait(120 + 5 * points)
    except subprocess.TimeoutExpired:
        states = {run.save_dir.name: run.status for run in find_runs("results") if run.status != "finished"}
        raise AssertionError(f"{states}\n{as_slurm_says()}\n{Path('driver.log').read_text()[-3000:]}") from None


def running() -> list[str]:
    """List the jobs that run."""
    return slurm("squeue", "-h", "-r", "-t", "running", "-o", "%i").split()


def test_points_are_jobs(cluster: Cluster, place: Path, script: Script) -> None:
    """One has eight ranks on two nodes; nothing is left in the user's folder; what had finished is not submitted."""
    done = script(*WORDS, "seed=range(2)", "-l", "ntasks=8", "-l", "time=5")
    assert "2 finished of 2" in done.stderr
    assert {run.save_dir.joinpath("result.txt").read_text() for run in find_runs("results")} == {"8"}
    assert count() == Counter("01")
    private = Path(os.environ["NAGA_CACHE_DIR"], "slurm")
    assert private.stat().st_mode & 0o7777 == 0o700
    assert [path for path in private.rglob("*") if path.is_file()] == []
    assert "3 finished of 3" in script(*WORDS, "seed=range(3)").stderr
    assert count() == Counter("012")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["-l", "partition=gpu"], "Invalid partition name"),
        (["-l", "partion=usual"], "unrecognized option '--partion=usual'"),
        (["-l", "time=soon"], "Invalid --time"),
    ],
)
def test_wrong_options_start_nothing(
    cluster: Cluster, place: Path, script: Script, words: list[str], says: str
) -> None:
    """What sbatch does not take is refused in one line before anything is submitted."""
    done = script(*WORDS, "seed=1,2", *words, check=False)
    assert done.returncode == 2
    assert says in done.stderr.splitlines()[-1] + done.stderr.splitlines()[-2]
    assert "Traceback" not in done.stderr
    assert list(Path("results").iterdir()) == []
    assert git("for-each-ref", "refs/naga", cwd=place) == ""
    assert slurm("squeue", "-h") == ""


def test_the_same_command_goes_on(cluster: Cluster, place: Path, driver: Driver) -> None:
    """SIGKILL the driver, a worker and a slurmd, scancel a job: the same command finishes each point once."""
    first = driver("seed=range(8)", "sleep=120")
    wait_until(lambda: naga_status()["running"] == 8)
    first.kill()
    first.wait()
    jobs = running()
    assert len(jobs) == 8
    assert naga_status() == {"total": 8, "finished": 0, "running": 8, "failed": 0, "killed": 0, "lost": 0, "waiting": 0}
    slurm("scancel", jobs[0])
    wait_until(lambda: naga_status()["killed"] == 1)
    owner = next(run for run in find_runs("results") if run.status == "running")
    os.kill(owner.record.process.pid, signal.SIGKILL)
    wait_until(lambda: naga_status()["lost"] == 1)
    cluster.kill_node("node0")
    cluster.start_node("node0")
    second = driver("seed=range(8)", "sleep=120")
    wait_until(lambda: len(running()) == 8 and naga_status()["running"] == 8)
    Path("hurry").touch()
    assert second.wait(60) == 0
    assert naga_status()["finished"] == 8
    assert count() == Counter("01234567")


def test_queued_points_are_joined(cluster: Cluster, place: Path, script: Script, driver: Driver) -> None:
    """What an earlier driver has left in the queue is waited for, not submitted again; the status has the reason."""
    done = script(*WORDS, "seed=range(3)", "--no-wait", "-l", "begin=now+1hour")
    assert done.returncode == 0
    wait_until(lambda: len(slurm("squeue", "-h", "-r").splitlines()) == 3)
    wait_until(lambda: "queue     3 jobs PENDING (BeginTime)" in naga("status", "results").stdout)
    assert naga_status()["waiting"] == 3
    second = driver("seed=range(3)", "-l", "begin=now+1hour")
    time.sleep(2)
    jobs = slurm("squeue", "-h", "-r", "-o", "%i").split()
    assert len(jobs) == 3
    for job in jobs:
        slurm("scontrol", "update", f"JobId={job}", "StartTime=now")
    assert second.wait(60) == 0
    assert count() == Counter("012")


def test_cancel(cluster: Cluster, place: Path, driver: Driver) -> None:
    """`naga cancel` ends the driver and the jobs of this sweep, and no other job."""
    slurm("sbatch", "-J", "other", "-o", "/dev/null", "--wrap", "sleep 300")
    going = driver("seed=range(2)", "sleep=120")
    wait_until(lambda: naga_status()["running"] == 2)
    done = naga("cancel", "results")
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("of Slurm") == 2
    going.wait(20)
    assert slurm("squeue", "-h", "-o", "%j").split() == ["other"]
    assert naga_status()["killed"] == 2


def test_ctrl_c(cluster: Cluster, place: Path, driver: Driver) -> None:
    """Ctrl-C in the driver cancels its jobs, and leaves no other."""
    going = driver("seed=range(2)", "sleep=120")
    wait_until(lambda: naga_status()["running"] == 2)
    going.send_signal(signal.SIGINT)
    assert going.wait(20) != 0
    wait_until(lambda: slurm("squeue", "-h") == "")
    assert naga_status()["killed"] == 2


DIAG = """
import os
from exp import main
from naga.mlflow_log import mlflow_log_run

@mlflow_log_run
def diag(cfg):
    import mlflow
    mlflow.log_metrics({"seed": cfg.seed, "job": int(os.environ["SLURM_JOB_ID"])})
"""


def test_diag(cluster: Cluster, place: Path, script: Script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs are diagnosed by jobs; a server takes what they publish side by side, a SQLite store from one of them."""
    Path("look.py").write_text(DIAG)
    script("exp.py", "save_dir=results/s", "--sweep", "seed=range(6)")
    done = naga("diag", "look.py", "results/**", "--launcher", "slurm", "--jobs", "20")
    assert "6 published" in done.stdout, done.stderr
    assert {int(run.metrics["seed"]) for run in find_runs("results")} == set(range(6))
    assert len({run.metrics["job"] for run in find_runs("results")}) == 1
    with mlflow_server(tmp_path, f"sqlite:///{tmp_path}/server.db") as uri:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        assert "6 published" in naga("diag", "look.py", "results/**", "--launcher", "slurm", "--jobs", "20").stdout
    assert len({run.metrics["job"] for run in find_runs("results")}) == 6


def test_preempted_points_are_requeued(cluster: Cluster, place: Path, driver: Driver) -> None:
    """A job that is preempted is requeued by Slurm, and its point goes on in a second attempt."""
    going = driver("seed=7,8", "sleep=120", "-l", "cpus-per-task=4")
    wait_until(lambda: naga_status()["running"] == 2)
    slurm("sbatch", "-p", "urgent", "-N4", "--exclusive", "-o", "/dev/null", "--wrap", "sleep 2")
    wait_until(lambda: naga_status()["killed"] == 2)
    Path("hurry").touch()
    assert going.wait(90) == 0
    assert {load_run(run.save_dir).record.attempt for run in find_runs("results")} == {2}
    assert count() == Counter("78")


@pytest.mark.stress
def test_time_limit(cluster: Cluster, place: Path, driver: Driver) -> None:
    """A point that takes longer than Slurm lets it is killed, and says why; Slurm counts in minutes."""
    assert driver("seed=7", "sleep=1,300", "-l", "time=1").wait(150) == 1
    assert naga_status()["killed"] == 1
    assert "ended     1 job TIMEOUT (TimeLimit)" in naga("status", "results").stdout
    assert "TIMEOUT (TimeLimit)" in Path("driver.log").read_text()


def test_a_node_that_starts_no_job(cluster: Cluster, place: Path, driver: Driver) -> None:
    """Slurm takes it from service and holds its jobs: they are released, and another node starts them."""
    with cluster.no_launch():
        going = driver("seed=1,2")
        wait_until(lambda: "launch failed requeued held" in slurm("squeue", "-h", "-o", "%r"))
    assert going.wait(120) == 0, Path("driver.log").read_text()
    assert count() == Counter("12")


def test_no_node_starts_a_job(cluster: Cluster, place: Path, driver: Driver) -> None:
    """A point whose job is held again and again says so, and its job is cancelled; the same command goes on."""
    with cluster.no_launch():
        assert driver("seed=1").wait(120) == 1
        assert "PENDING (launch failed requeued held)" in Path("driver.log").read_text()
        assert slurm("squeue", "-h") == ""
    assert driver("seed=1").wait(60) == 0
    assert count() == Counter("1")


def test_a_folder_of_answers_that_is_removed(cluster: Cluster, place: Path, driver: Driver) -> None:
    """Where the jobs can answer no more, the points on their way and those to come say so: nothing waits for ever."""
    going = driver("seed=range(3)", "sleep=120", "--jobs", "1")
    wait_until(lambda: naga_status()["running"] == 1)
    shutil.rmtree(Path(os.environ["NAGA_CACHE_DIR"], "slurm"))
    assert going.wait(60) == 1
    said = Path("driver.log").read_text()
    assert "not watched any more: FileNotFoundError" in said
    assert "2 failed, 1 lost of 3" in said


def test_a_controller_that_is_away(cluster: Cluster, place: Path, script: Script, driver: Driver) -> None:
    """Without a controller, a sweep is refused in one line; one that is going on waits for it."""
    going = driver("seed=1,2", "sleep=120")
    wait_until(lambda: naga_status()["running"] == 2)
    cluster.stop_controller()
    done = script(*WORDS, "seed=3,4", check=False)
    assert done.returncode == 2
    assert "Unable to contact slurm controller" in done.stderr
    assert "Traceback" not in done.stderr
    cluster.start_controller()
    Path("hurry").touch()
    assert going.wait(60) == 0, Path("driver.log").read_text()
    assert count() == Counter("12")


@pytest.mark.parametrize(
    ("points", "sleep"), [(24, 3), pytest.param(200, 4, marks=[pytest.mark.stress, pytest.mark.timeout(1800)])]
)
def test_whatever_is_killed(cluster: Cluster, place: Path, driver: Driver, points: int, sleep: int) -> None:
    """A driver, workers, a slurmd for good, `scancel`, a preemption: the same command finishes all, none twice."""
    words = (f"seed=range({points})", f"sleep={sleep}")
    first = driver(*words)
    wait_until(lambda: finished() >= points // 12, 120)
    with asked_all_the_time(points, slots=16):
        first.kill()
        first.wait()
        second = driver(*words)
        for run in [run for run in find_runs("results") if run.status == "running"][:2]:
            os.kill(run.record.process.pid, signal.SIGKILL)
        cancel(running()[-2:])
        cluster.kill_node("node1")  # what it runs goes on, and is queued again: it must not be computed beside itself
        wait_until(lambda: finished() >= points // 4, 300)
        slurm("sbatch", "-p", "urgent", "-N3", "--exclusive", "-o", "/dev/null", "--wrap", "sleep 2")
        wait_until(lambda: finished() >= points // 2, 300)
        cluster.start_node("node1")
        cancel(slurm("squeue", "-h", "-r", "-t", "pending", "-o", "%i").split()[-2:])
        ended(second, points)
        assert ended(driver(*words), points) == 0, Path("driver.log").read_text()[-3000:]
    if points == 200:
        write_row(
            "Slurm, four nodes of four cores",
            "the driver, two points, a node's slurmd; four jobs by `scancel`, a dozen by preemption",
        )
