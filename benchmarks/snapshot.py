"""A snapshot of 50,000 files against `git status` of them, and against FlexLock 0.10.0 in an environment of its own."""

import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path
from typing import Self

from benchmarks._figures import found

ROUNDS = 15
FILES = 50_000
BUDGETS = {"clean": 1.2, "slightly dirty": 1.5}
FLEXLOCK = Path(__file__).parents[1] / ".venv" / "flexlock-mlflow"

# Each runs in a process that stays, and answers a line with how long one snapshot took.
ASKED = """
import sys, time
for number, line in enumerate(sys.stdin):
    began = time.perf_counter()
    take(f"run-{number}-{time.time_ns()}")
    print(time.perf_counter() - began, flush=True)
"""
NAGA = """
from pathlib import Path
from typing import Self
from naga.capture.code.snapshot import Snapshot, SnapshotLabel, capture_code

def take(name):
    subject = SnapshotLabel(run_id=name, task="train", save_dir="results/a", leave_out=(Path("results/a").absolute(),))
    assert capture_code(Path("train.py"), Snapshot(), subject).entries[0].ref
"""
FLEX = """
import warnings
warnings.simplefilter("ignore")
from flexlock.git_utils import create_shadow_snapshot

def take(name):
    assert create_shadow_snapshot(".", ref_name=name)["commit"]
"""


class Contender:
    """A snapshot tool that waits, with its modules loaded, to take one."""

    def __init__(self, python: str, code: str, top: Path) -> None:
        self._process = subprocess.Popen(
            [python, "-c", code + ASKED],
            cwd=top,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def seconds(self) -> float:
        """Take one, and return how long it took."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return float(self._process.stdout.readline())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()


def flexlock_python() -> str | None:
    """Return the interpreter that has FlexLock and MLflow, installing them first; None where they cannot be had."""
    python = FLEXLOCK / "bin" / "python"
    if not (FLEXLOCK / "ready").exists():
        pip = [str(python), "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
        install = [*pip, "flexlock==0.10.0", f"mlflow=={version('mlflow')}"]
        for words in ([sys.executable, "-m", "venv", str(FLEXLOCK)], install):
            if subprocess.run(words, check=False, capture_output=True).returncode:
                return None
        (FLEXLOCK / "ready").touch()
    return str(python)


def make_repository(top: Path) -> None:
    """Commit 50,000 small files in 500 folders."""
    for folder in range(500):
        where = top / f"package_{folder // 50}" / f"part_{folder}"
        where.mkdir(parents=True)
        for file in range(FILES // 500):
            (where / f"module_{file}.py").write_text(f"# {folder} {file}\n" + "value = 1\n" * (file % 40))
    (top / "train.py").write_text("train = True\n")
    commit = ["-c", "user.name=n", "-c", "user.email=n@x", "commit", "-qm", "Begin"]
    for words in (["init", "-q"], ["add", "--all"], commit):
        subprocess.run(["git", *words], cwd=top, check=True)


def edit(top: Path) -> None:
    """Edit ten files and write ten new ones."""
    for number in range(10):
        folder = top / f"package_{number}" / f"part_{number * 50}"
        (folder / "module_1.py").write_text("edited = True\n")
        (folder / "new.py").write_text("new = True\n")


def git_status(top: Path) -> float:
    """Time one `git status`."""
    began = time.perf_counter()
    subprocess.run(["git", "status"], cwd=top, check=True, capture_output=True)
    return time.perf_counter() - began


def compare(state: str, top: Path, flexlock: str | None) -> None:
    """Time all in turn, so that they meet the same machine, and print the medians and what they are to `git status`."""
    with ExitStack() as stack:
        tools = {"naga": stack.enter_context(Contender(sys.executable, NAGA, top))}
        if flexlock is not None:
            tools["flexlock 0.10.0"] = stack.enter_context(Contender(flexlock, FLEX, top))
        rounds = [(git_status(top), *(tool.seconds() for tool in tools.values())) for _ in range(ROUNDS + 1)][1:]
    status, *taken = (statistics.median(column) for column in zip(*rounds, strict=True))
    print(f"{state:15} git status {status * 1000:5.0f} ms", end="")
    for name, median in zip(tools, taken, strict=True):
        print(f"   {name} {median * 1000:5.0f} ms = {median / status:.2f} x", end="")
    print(f"   (budget of naga {BUDGETS[state]} x)")
    found(f"a snapshot of 50,000 files, {state}", taken[0] / status, "times git status", BUDGETS[state])


def main() -> None:
    """Print the table."""
    flexlock = flexlock_python()
    if flexlock is None:
        print("flexlock 0.10.0 could not be installed: left out")
    with tempfile.TemporaryDirectory() as name:
        top = Path(name)
        make_repository(top)
        time.sleep(1.1)  # so that no file is as young as the index
        compare("clean", top, flexlock)
        edit(top)
        compare("slightly dirty", top, flexlock)
