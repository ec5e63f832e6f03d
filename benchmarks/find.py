"""Listing 1,000, 10,000 and 100,000 runs, beside signac, MLflow's search and FlexLock; what differs between two runs.

``first`` is without what a tool has noted before, ``again`` a second time with nothing changed; the system's file cache
is warm in both. Each figure is of a process of its own, from its start to its end. Numbers behind the name of the
benchmark are other counts of runs: ``python -m benchmarks.find 1000``.
"""

import os
import re
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from benchmarks.hashing import python_with
from benchmarks.snapshot import make_repository

COUNTS = (1_000, 10_000, 100_000)
MOST_S = 300
NAGA_TASK = """
from naga import clicfg, runlock, snapshot
@runlock
@snapshot
@clicfg
def main(cfg={"save_dir": "made/a", "lr": 0.1}): pass
if __name__ == "__main__": main()
"""
FLEX_TASK = """
from flexlock import flexcli
@flexcli(snapshot_config={"repos": {"main": "."}})
def main(save_dir="made/a", lr=0.1): pass
if __name__ == "__main__": main()
"""
SIGNAC = """
import sys, signac
project = signac.init_project(sys.argv[1])
for number in range(int(sys.argv[2])):
    project.open_job({"lr": number}).init()
"""
MLFLOW = """
import sys, logging
logging.disable(logging.WARNING)
import mlflow
mlflow.set_tracking_uri(sys.argv[1])
print(len(mlflow.search_runs(experiment_ids=["0"], max_results=1_000_000)))
"""
GIT = ("git", "-c", "user.name=n", "-c", "user.email=n@x")


def copies(folder: Path, python: str, task: str, count: int) -> None:
    """Make one run with a tool, and as many folders as asked of what it leaves, each with another value."""
    folder.mkdir()
    (folder / "task.py").write_text(task)
    for git in ("init -q", "add task.py", "commit -qm Begin"):
        subprocess.run([*GIT, *git.split()], cwd=folder, check=True)
    words = [python, "-W", "ignore", "task.py", *(["-o", "save_dir=made/a"] if "flexlock" in task else [])]
    subprocess.run(words, cwd=folder, check=True, capture_output=True)
    text = (folder / "made/a/run.lock").read_text()
    run_id = next(iter(re.findall(r"run_id: .?([0-9T]+-[0-9a-f]+)", text)), "-")
    for number in range(count):
        run = folder / f"results/{number // 100}/{number}"
        run.mkdir(parents=True)
        own = text.replace(run_id, f"{run_id[:-8]}{number:08x}").replace("lr: 0.1", f"lr: {number}")
        (run / "run.lock").write_text(own)


def fill_mlflow(folder: Path, count: int) -> None:
    """Put runs with a parameter and a metric into a store, as MLflow would in some hours."""
    folder.mkdir()
    file = folder / "mlflow.db"
    words = [sys.executable, "-c", MLFLOW, f"sqlite:///{file}"]
    subprocess.run(words, check=True, capture_output=True)
    with sqlite3.connect(file) as database:
        named = ("run_uuid", "name", "source_type", "source_name", "entry_point_name", "user_id", "status",
                 "start_time", "end_time", "source_version", "lifecycle_stage", "artifact_uri",
                 "experiment_id")  # fmt: skip
        insert = f"INSERT INTO runs ({', '.join(named)}) VALUES ({', '.join('?' * len(named))})"
        rows = (
            (f"{n:032x}", f"r{n}", "UNKNOWN", "", "", "u", "FINISHED", n, n, "", "active", "a", 0) for n in range(count)
        )
        database.executemany(insert, rows)
        params = ((f"{n:032x}", "lr", str(n)) for n in range(count))
        database.executemany("INSERT INTO params (run_uuid, key, value) VALUES (?, ?, ?)", params)
        metrics = ((f"{n:032x}", "acc", float(n), 0, 0, 0) for n in range(count))
        names = "(run_uuid, key, value, timestamp, step, is_nan)"
        database.executemany(f"INSERT INTO latest_metrics {names} VALUES (?, ?, ?, ?, ?, ?)", metrics)
    database.close()


def measure(words: list[str], folder: Path) -> str:
    """Run a command; write the seconds that it took, those of its processes, and the most memory of one of them."""
    began = time.perf_counter()
    with tempfile.TemporaryFile() as output:
        child = subprocess.Popen(words, cwd=folder, stdout=output, stderr=subprocess.DEVNULL)
        while True:
            done, status, used = os.wait4(child.pid, os.WNOHANG)
            if done:
                break
            if time.perf_counter() - began > MOST_S:
                child.kill()
            time.sleep(0.002)
        took = time.perf_counter() - began
        child.returncode = status
    if took > MOST_S:
        return f"> {MOST_S} s"
    cpu = used.ru_utime + used.ru_stime
    return f"{took:.2f} s ({cpu:.2f} s of CPU), {used.ru_maxrss / 1024:.0f} MB" + (
        f" (exit {status})" if status else ""
    )


Tool = tuple[str, list[str], Callable[[Path, int], object]]


def tools() -> list[Tool]:
    """Give what lists runs: a name, its command, and what makes the runs; say which cannot be had."""
    found: list[Tool] = []
    naga = str(Path(sys.executable).with_name("naga"))
    found.append(("naga ls", [naga, "ls", "results"], lambda at, n: copies(at, sys.executable, NAGA_TASK, n)))
    signac, flexlock = python_with("signac==2.4.1"), python_with("flexlock==0.10.0")
    if signac:
        words = [str(Path(signac).with_name("signac")), "find"]
        found.append(
            (
                "signac 2.4.1 find",
                words,
                lambda at, n: subprocess.run([signac, "-c", SIGNAC, str(at), str(n)], check=True),
            )
        )
    uri = "sqlite:///mlflow.db"
    words = [sys.executable, "-c", MLFLOW, uri]
    found.append((f"MLflow {version('mlflow')} search_runs", words, fill_mlflow))
    if flexlock:
        words = [flexlock, "-W", "ignore", "-m", "flexlock.cli", "ls", "results"]
        found.append(("FlexLock 0.10.0 ls", words, lambda at, n: copies(at, flexlock, FLEX_TASK, n)))
    missing = [name for name, python in (("signac", signac), ("FlexLock", flexlock)) if python is None]
    if missing:
        print(f"not measured, because they cannot be installed: {', '.join(missing)}")
    return found


def race(counts: tuple[int, ...]) -> None:
    """Print a table: a row for each tool and state, a column for each count of runs."""
    figures: dict[tuple[str, str], list[str]] = {}
    for count in counts:
        for name, words, make in tools():
            with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as top:
                os.environ["NAGA_CACHE_DIR"] = f"{top}/cache"
                make(Path(top, "runs"), count)
                time.sleep(4)  # what was written just now is never believed to be unchanged
                first = measure(words, Path(top, "runs"))
                again = first if first.startswith(">") else measure(words, Path(top, "runs"))
            for state, figure in (("first", first), ("again", again)):
                figures.setdefault((name, state), []).append(figure)
            print(f"{count:>9,} {name}: first {first}; again {again}", file=sys.stderr, flush=True)
    print(f"| | |{'|'.join(f' {count:,} runs ' for count in counts)}|\n|{' --- |' * (len(counts) + 2)}")
    for (name, state), row in figures.items():
        print(f"| {name} | {state} | {' | '.join(row)} |")


def differ() -> None:
    """Print how long `naga diff` takes for two runs of a repository of 50,000 files."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        top = Path(name)
        make_repository(top)
        (top / "task.py").write_text(NAGA_TASK)
        for number, run in enumerate("ab"):
            (top / "train.py").write_text(f"train = {number}\n")
            subprocess.run(
                [sys.executable, "task.py", f"save_dir=made/{run}"], cwd=top, check=True, capture_output=True
            )
        words = [str(Path(sys.executable).with_name("naga")), "diff", "made/a", "made/b"]
        took = []
        for _ in range(5):
            began = time.perf_counter()
            done = subprocess.run(words, cwd=top, check=False, capture_output=True, text=True)
            took.append(time.perf_counter() - began)
        assert done.returncode == 1 and "train.py" in done.stdout, done.stdout + done.stderr
        print(f"\nnaga diff of two runs in 50,000 files: {statistics.median(took):.2f} s  (budget 0.5 s)")


def main() -> None:
    """Print both."""
    race(tuple(map(int, filter(str.isdecimal, sys.argv[1:]))) or COUNTS)
    differ()


if __name__ == "__main__":
    main()
