"""Mutation testing by cosmic-ray, room by room: ``make mutants ROOM=secrets``.

A room's source is changed in one small way, in a copy of this checkout, and its tests have to fail; so for a seeded
sample of all such changes. Those that live are listed as patches: each is a test that is missing, or means the same.
"""

import argparse
import ast
import difflib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import hypothesis  # noqa: F401  # for the forks
import omegaconf  # noqa: F401
import pytest
import sybil  # noqa: F401
from cosmic_ray.mutating import use_mutation
from cosmic_ray.plugins import get_operator
from cosmic_ray.work_db import WorkDB, use_db
from cosmic_ray.work_item import MutationSpec, WorkItem

TOP = Path(__file__).parents[1]
# The tests that hold each room: its own, and those of the rooms above that say what it is for.
ROOMS = {
    "secrets": ["unit/test_secrets.py", "property/test_secrets.py", "integration/test_secrets.py"],
    "record": ["unit/record", "faults/test_final_faults.py", "property/test_record.py", "faults/test_hostile_locks.py"],
    "save_dir": ["unit/save_dir", "faults/test_owners.py", "integration/test_save_dir_names.py"],
    "run": [
        "unit/run",
        "unit/test_task.py",
        "faults/test_owners.py",
        "integration/test_exits.py",
        "integration/test_ranks.py",
    ],
    "tracking": [
        "unit/tracking",
        "property/test_mlflow_values.py",
        "integration/diagnose/test_doctor.py",
        "integration/diagnose/test_page.py",
        "integration/diagnose/test_publish.py",
    ],
    "process": ["unit/process", "integration/test_exits.py", "integration/test_ranks.py", "integration/test_starts.py"],
    "config": ["unit/config", "property/test_config.py", "integration/test_bad_input.py"],
    "capture": ["unit/capture", "integration/test_code_zoo.py", "integration/test_console.py"],
}
COPIED = ("src", "tests", "docs", "conftest.py", "pyproject.toml", "README.md", "CONTRIBUTING.md")
CONFIG = """\
[cosmic-ray]
module-path = "src/naga/{place}"
timeout = 60
excluded-modules = []
test-command = ""
[cosmic-ray.distributor]
name = "local"
"""


def main() -> int:
    """Run what the command line asks for, and print the score of each room."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("rooms", nargs="+", choices=list(ROOMS), metavar="ROOM", help=", ".join(ROOMS))
    parser.add_argument("--sample", type=int, default=200, help="how many mutants of a room (default: 200)")
    parser.add_argument("--seed", type=int, default=1, help="which of them (default: 1)")
    parser.add_argument("--timeout", type=float, default=120, help="seconds for one of them (default: 120)")
    words = parser.parse_args()
    for room in words.rooms:
        with TemporaryDirectory(prefix="naga-mutants-") as folder:
            _measure(room, Path(folder), words)
    return 0


def _measure(room: str, folder: Path, words: argparse.Namespace) -> None:
    for name in COPIED:
        copy = shutil.copytree if (TOP / name).is_dir() else shutil.copy2
        copy(TOP / name, folder / name)
    place = room if (TOP / "src/naga" / room).is_dir() else f"{room}.py"
    (folder / "room.toml").write_text(CONFIG.format(place=place))
    subprocess.run([Path(sys.executable).with_name("cosmic-ray"), "init", "room.toml", "all"], cwd=folder, check=True)
    (folder / "program.py").touch()
    with use_db(folder / "all", mode=WorkDB.Mode.open) as session:
        chosen = _choose(list(session.work_items), folder, words)
    tests = [f"tests/{test}" for test in ROOMS[room] if (TOP / "tests" / test).exists()]
    if not _pass(folder, tests, timeout_s=600):
        print((folder / "output").read_text()[-3000:])
        raise SystemExit(f"{room}: its tests do not pass as it is: pytest {' '.join(tests)}")
    lived = 0
    for number, mutation in enumerate(chosen, 1):
        operator = get_operator(mutation.operator_name)(**mutation.operator_args)
        with use_mutation(folder / mutation.module_path, operator, mutation.occurrence) as (before, after):
            if _pass(folder, tests, words.timeout):
                lived += 1
                name = str(mutation.module_path)
                print("".join(difflib.unified_diff(before.splitlines(True), after.splitlines(True), name, name, n=1)))
        print(f"{room}: {number - lived} of {number} killed", end="\r", flush=True)
    print(f"{room}: {len(chosen) - lived} of {len(chosen)} mutants killed ({100 - 100 * lived / len(chosen):.1f}%)")


def _pass(folder: Path, tests: list[str], timeout_s: float) -> bool:
    """Run tests in a fork: it has imported already what takes the longest."""
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        os.setsid()
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs do not hear Ctrl-C
        os.chdir(folder)
        for descriptor in (1, 2):
            os.dup2(os.open("output", os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), descriptor)
        # Compiled files are known by their time and size, which a mutant may share with the former one.
        os.environ |= {"PYTHONPATH": str(folder / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
        sys.dont_write_bytecode = True
        sys.path.insert(0, str(folder / "src"))
        # Runs take snapshots of where their program lies: that is not to be this checkout.
        sys.modules["__main__"].__file__ = str(folder / "program.py")
        os._exit(pytest.main(["-q", "-x", "-p", "no:cacheprovider", "--hypothesis-seed=0", *tests]))
    deadline = time.monotonic() + timeout_s
    while (ended := os.waitpid(pid, os.WNOHANG)) == (0, 0) and time.monotonic() < deadline:
        time.sleep(0.02)
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    if ended == (0, 0):
        os.waitpid(pid, 0)
    return ended[0] == pid and ended[1] == 0


def _choose(items: list[WorkItem], folder: Path, words: argparse.Namespace) -> list[MutationSpec]:
    """Take a sample of those that change what is computed."""
    types: dict[Path, set[tuple[int, int]]] = {}
    chosen = []
    for mutation in sorted((item.mutations[0] for item in items), key=_order):
        file = folder / mutation.module_path
        places = types.setdefault(file, set(_annotations(file)))
        is_same = mutation.operator_name.endswith(("_Eq_Is", "_NotEq_IsNot", "_Is_Eq", "_IsNot_NotEq"))
        if not is_same and not any(first <= mutation.start_pos[0] <= last for first, last in places):
            chosen.append(mutation)
    return random.Random(words.seed).sample(chosen, min(words.sample, len(chosen)))


def _order(mutation: MutationSpec) -> tuple[str, str, int, str]:
    return str(mutation.module_path), mutation.operator_name, mutation.occurrence, str(mutation.operator_args)


def _annotations(file: Path) -> Iterator[tuple[int, int]]:
    """Give the lines of signatures, of decorators (caches, `slots`), and of declared fields without a value."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef) and not any([*node.args.defaults, *node.args.kw_defaults]):
            yield node.lineno, node.body[0].lineno - 1
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield from ((decorator.lineno, decorator.end_lineno or 0) for decorator in node.decorator_list)
        if isinstance(node, ast.AnnAssign) and node.value is None:
            yield node.lineno, node.end_lineno or node.lineno


if __name__ == "__main__":
    raise SystemExit(main())
