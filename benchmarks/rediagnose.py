"""Many finished runs diagnosed again: `naga diag` against a shell loop, and a pass that finds nothing to do.

NAGA_BENCHMARK_RUNS says how many runs (100); of the loop, a few rounds are timed.
"""

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks._figures import found
from naga.capture.environment import capture_environment
from naga.process.identity import this_process
from naga.record.lockfile import write_lock
from naga.record.schema import Record

RUNS = int(os.environ.get("NAGA_BENCHMARK_RUNS", "100"))
LOOPED = 5
NAGA = [sys.executable, "-c", "import sys; from naga.cli import main\nif __name__ == '__main__': sys.exit(main())"]

SCRIPT = """
import mlflow
from naga import clicfg, runlock
from naga.mlflow_log import mlflow_log_run

@runlock
@clicfg
def main(cfg={"save_dir": "results/0", "learning_rate": 0.01, "epochs": 10}):
    return cfg

@mlflow_log_run
def diag(cfg):
    mlflow.log_metrics({"accuracy": 0.9, "loss": 0.1, "epochs": cfg["epochs"]})
    mlflow.log_text("a page of text", "note.txt")

if __name__ == "__main__":
    diag(main())
"""


def make_runs(folder: Path) -> None:
    """Leave runs as tasks leave them."""
    (folder / "pyproject.toml").touch()
    (folder / "exp.py").write_text(SCRIPT)
    environment, process = capture_environment(), this_process()
    for number in range(RUNS):
        save_dir = f"results/{number:05}"
        (folder / save_dir).mkdir(parents=True)
        config = {"save_dir": save_dir, "learning_rate": number / 1000, "epochs": 10}
        record = Record(
            run_id=f"20260101T000000-{number:08x}", status="finished", task="exp.main", save_dir=save_dir,
            started="2026-01-01T00:00:00Z", config=config, process=process, environment=environment,
        )  # fmt: skip
        write_lock(folder / save_dir, record)


def seconds(words: list[str], folder: Path) -> float:
    began = time.perf_counter()
    subprocess.run(words, cwd=folder, check=True, capture_output=True)
    return time.perf_counter() - began


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_runs(folder)
        seconds([sys.executable, "exp.py", "--reuse", "results/00000"], folder)  # creates the store
        one = [seconds([sys.executable, "exp.py", "--reuse", f"results/{n:05}"], folder) for n in range(LOOPED)]
        loop = sum(one) / LOOPED * RUNS
        print(f"{'a loop of python exp.py --reuse':42} {loop:8.1f} s  ({loop / RUNS:.2f} s a run, {LOOPED} timed)")
        for jobs in ("1", "2"):
            took = seconds([*NAGA, "diag", "exp.py", "results/**", "--jobs", jobs], folder)
            what = f"naga diag of {RUNS} runs, --jobs {jobs}"
            print(f"{what:42} {took:8.1f} s  {loop / took:.0f} x faster (at least 20)")
            found(f"{RUNS} runs diagnosed again, --jobs {jobs}", took, "s")
        took = seconds([*NAGA, "diag", "exp.py", "--stale", "results/**"], folder)
        print(f"{'naga diag --stale, nothing to do':42} {took:8.1f} s")
        memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        print(f"{'the largest process':42} {memory:8.0f} MiB")
