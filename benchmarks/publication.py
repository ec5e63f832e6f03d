"""One publication (50 parameters, 2 artifacts) against the naive sequence of MLflow's calls, and FlexLock 0.10.0."""

import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Self

from benchmarks._figures import found
from benchmarks.snapshot import flexlock_python

ROUNDS = 15
BUDGET = 11

# Each runs in a process that stays, and answers a line with how long one publication took and how many HTTP requests.
BEFORE = """
import logging, os, sys, time, warnings
warnings.simplefilter("ignore")
logging.disable(logging.WARNING)
from pathlib import Path
import mlflow, requests

calls = 0
send = requests.Session.send
def counting(*args, **kwargs):
    global calls
    calls += 1
    return send(*args, **kwargs)
requests.Session.send = counting
"""
AFTER = """
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)  # MLflow prints addresses
for line in sys.stdin:
    calls, began = 0, time.perf_counter()
    publish()
    print(time.perf_counter() - began, calls, file=answers, flush=True)
found = mlflow.search_runs(experiment_names=["benchmark"], output_format="list")
assert len(found) == int(sys.argv[1]) and all(len(run.data.params) == 51 for run in found), found[:1]
assert all(len(mlflow.artifacts.list_artifacts(run_id=run.info.run_id)) == 2 for run in found)
"""
NAGA = """
from naga.mlflow_log import mlflow_log_run
mlflow.set_experiment("benchmark")

@mlflow_log_run
def publish_run(cfg):
    mlflow.log_metric("accuracy", 0.95)

def publish():
    publish_run("run")
"""
NAIVE = """
mlflow.set_experiment("benchmark")
config = {"save_dir": "run", **{f"key{n}": n for n in range(50)}}

def publish():
    with mlflow.start_run(run_name="run") as run:
        mlflow.log_params(config)
        mlflow.log_artifact("run/run.lock")
        mlflow.log_artifact("run/experiment.log")
        mlflow.set_tags({"logical_run_id": "run", "run_status": "active"})
        mlflow.log_metric("accuracy", 0.95)
    wanted = "tags.logical_run_id = 'run' and tags.run_status = 'active'"
    client = mlflow.MlflowClient()
    for old in client.search_runs([run.info.experiment_id], wanted):
        if old.info.run_id != run.info.run_id:
            client.set_tag(old.info.run_id, "run_status", "deprecated")
            client.set_tag(old.info.run_id, "superseded_by", run.info.run_id)
"""
FLEX = """
from flexlock.mlflow import mlflow_context

def publish():
    with mlflow_context("run", experiment_name="benchmark"):
        mlflow.log_metric("accuracy", 0.95)
"""
MAKE_RUN = """
import naga
from pathlib import Path

@naga.runlock
def main(cfg):
    Path(cfg["save_dir"], "experiment.log").write_text("what happened")

main({"save_dir": "run", **{f"key{n}": n for n in range(50)}})
"""


class Contender:
    """A tool that waits, with its modules loaded, to publish once more."""

    def __init__(self, python: str, code: str, folder: Path, uri: str) -> None:
        folder.mkdir(parents=True)
        subprocess.run([sys.executable, "-c", MAKE_RUN], cwd=folder, check=True, env={**os.environ, "NAGA_QUIET": "1"})
        self._process = subprocess.Popen(
            [python, "-c", BEFORE + code + AFTER, str(ROUNDS + 1)],
            cwd=folder,
            env={**os.environ, "MLFLOW_TRACKING_URI": uri, "GIT_PYTHON_REFRESH": "quiet", "NAGA_QUIET": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def publish(self) -> tuple[float, int]:
        """Publish, and return how many seconds and HTTP requests it took."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        seconds, calls = self._process.stdout.readline().split()
        return float(seconds), int(calls)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()
        assert self._process.returncode == 0, "its pages do not hold what they should"


@contextmanager
def server(folder: Path) -> Iterator[str]:
    """Run `mlflow server` on SQLite, without the seven processes that run its jobs."""
    folder.mkdir()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    words = ["--port", port, "--workers", "1", "--artifacts-destination", str(folder / "artifacts")]
    process = subprocess.Popen(
        [sys.executable, "-m", "mlflow", "server", *words, "--backend-store-uri", f"sqlite:///{folder}/mlflow.db"],
        env={**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        address = f"http://127.0.0.1:{port}"
        while process.poll() is None:
            try:
                with urllib.request.urlopen(f"{address}/health", timeout=5):
                    break
            except OSError:
                time.sleep(0.2)
        yield address
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def compare(store: str, uris: dict[str, str], folder: Path, flexlock: str | None) -> None:
    """Let all publish in turn, so that they meet the same machine, and print the medians."""
    tools = {"naive": (sys.executable, NAIVE), "naga": (sys.executable, NAGA)}
    if flexlock is not None:
        tools["flexlock 0.10.0"] = (flexlock, FLEX)
    with ExitStack() as stack:
        waiting = [stack.enter_context(Contender(*tool, folder / name, uris[name])) for name, tool in tools.items()]
        rounds = [[contender.publish() for contender in waiting] for _ in range(ROUNDS + 1)][1:]
    print(f"{store:10}", end="")
    for name, column in zip(tools, zip(*rounds, strict=True), strict=True):
        seconds = statistics.median(one[0] for one in column)
        calls = max(one[1] for one in column)
        requests = f" {calls:3} requests" if calls else ""
        print(f"   {name} {seconds * 1000:4.0f} ms{requests}", end="")
        if name == "naga":
            found(f"a publication, {store}", seconds * 1000, "ms")
    print(f"   (budget of naga {BUDGET} requests)")


def main() -> None:
    """Print the table."""
    flexlock = flexlock_python()
    if flexlock is None:
        print("flexlock 0.10.0 could not be installed: left out")
    names = ("naive", "naga", "flexlock 0.10.0")
    with tempfile.TemporaryDirectory() as name:
        top = Path(name)
        # Each has a store of its own, so that none searches the pages of another.
        compare("SQLite", {tool: f"sqlite:///{top}/{tool}.db" for tool in names}, top / "sqlite", flexlock)
        with ExitStack() as stack:
            uris = {tool: stack.enter_context(server(top / tool)) for tool in names}
            compare("server", uris, top / "server-runs", flexlock)
