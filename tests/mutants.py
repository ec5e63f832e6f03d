"""Mutation testing by cosmic-ray, room by room: ``make mutants ROOM=secrets``.

A room's source is changed in one small way, in a copy of this checkout, and its tests have to fail; so for a seeded
sample of all such changes. Those that live are listed as patches: each is a test that is missing, or means the same.
"""

import argparse
import ast
import random
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from cosmic_ray.work_db import WorkDB, use_db
from cosmic_ray.work_item import MutationSpec, WorkerOutcome, WorkItem, WorkResult

TOP = Path(__file__).parents[1]
# The tests that hold each room: its own, and those of the rooms above that say what it is for.
ROOMS = {
    "secrets": ["unit/test_secrets.py", "integration/test_secrets.py"],
    "record": ["unit/record", "property/test_record.py", "faults/test_hostile_locks.py", "faults/test_final_faults.py"],
    "save_dir": ["unit/save_dir", "faults/test_owners.py", "integration/test_save_dir_names.py"],
    "run": ["unit/run", "unit/test_task.py", "integration/test_exits.py", "integration/test_workers.py"],
    "tracking": ["unit/tracking", "property/test_mlflow_values.py", "integration/diagnose"],
    "process": ["unit/process", "integration/test_exits.py", "integration/test_ranks.py", "integration/test_starts.py"],
    "config": ["unit/config", "property/test_config.py", "integration/test_bad_input.py"],
    "capture": ["unit/capture", "integration/test_code_zoo.py", "integration/test_console.py"],
}
COPIED = ("src", "tests", "docs", "conftest.py", "pyproject.toml", "README.md", "CONTRIBUTING.md")
CONFIG = """\
[cosmic-ray]
module-path = "src/naga/{place}"
timeout = {timeout_s}
excluded-modules = []
test-command = "{command}"
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
    pytest = f"env PYTHONPATH=src {sys.executable} -m pytest -q -x -p no:cacheprovider"
    command = " ".join([pytest, *(f"tests/{test}" for test in ROOMS[room] if (TOP / "tests" / test).exists())])
    (folder / "room.toml").write_text(CONFIG.format(place=place, timeout_s=words.timeout, command=command))
    subprocess.run(command.split(), cwd=folder, check=True, stdout=subprocess.DEVNULL)  # unchanged, they pass
    _cosmic_ray(folder, "init", "room.toml", "session.sqlite")
    with use_db(folder / "session.sqlite", mode=WorkDB.Mode.open) as session:
        _choose(session, folder, words)
    _cosmic_ray(folder, "exec", "room.toml", "session.sqlite")
    with use_db(folder / "session.sqlite", mode=WorkDB.Mode.open) as session:
        _report(room, session)


def _cosmic_ray(folder: Path, *words: str) -> None:
    subprocess.run([Path(sys.executable).with_name("cosmic-ray"), *words], cwd=folder, check=True)


def _choose(session: WorkDB, folder: Path, words: argparse.Namespace) -> None:
    """Leave out all but a sample; what changes a type that nobody reads is no change."""
    types: dict[Path, set[tuple[int, int]]] = {}
    items = []
    for item in sorted(session.work_items, key=_order):
        (mutation,) = item.mutations
        file = folder / mutation.module_path
        places = types.setdefault(file, set(_annotations(file)))
        if not any(first <= mutation.start_pos[0] <= last for first, last in places):
            items.append(item)
    chosen = {item.job_id for item in random.Random(words.seed).sample(items, min(words.sample, len(items)))}
    for item in session.work_items:
        if item.job_id not in chosen:
            session.set_result(item.job_id, WorkResult(worker_outcome=WorkerOutcome.SKIPPED))


def _order(item: WorkItem) -> tuple[str, str, int, str]:
    mutation: MutationSpec = item.mutations[0]
    return str(mutation.module_path), mutation.operator_name, mutation.occurrence, str(mutation.operator_args)


def _annotations(file: Path) -> Iterator[tuple[int, int]]:
    """Give the lines of signatures and of declared fields without a value."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef) and not node.args.defaults and not node.args.kw_defaults:
            yield node.lineno, node.body[0].lineno - 1
        if isinstance(node, ast.AnnAssign) and node.value is None:
            yield node.lineno, node.end_lineno or node.lineno


def _report(room: str, session: WorkDB) -> None:
    results = {job: result for job, result in session.results if result.worker_outcome != WorkerOutcome.SKIPPED}
    for result in results.values():
        if not result.is_killed:
            print(result.diff)
    count = Counter(result.is_killed for result in results.values())
    print(f"{room}: {count[True]} of {count.total()} mutants killed ({100 * count[True] / count.total():.1f}%)")


if __name__ == "__main__":
    raise SystemExit(main())
