"""Mutation testing by cosmic-ray, room by room: ``make mutants ROOM=secrets``.

A room's source is changed in one small way, in a copy of this checkout, and its tests have to fail; so for a seeded
sample of all such changes. Those that live are listed as patches: each is a test that is missing, or means the same,
which `same_mutants.toml` says with the reason. Only the tests that have run the changed lines are run, in this process
or in one that they started, the quickest first, as long as there is time: no other could fail, and what is left for
want of time counts as one that lived. Ctrl-C ends it with the score so far.
"""

import argparse
import ast
import difflib
import importlib
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import accumulate
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import coverage
import hypothesis  # noqa: F401  # for the forks
import omegaconf  # noqa: F401
import pytest
import sybil  # noqa: F401
from cosmic_ray.mutating import mutate_code, use_mutation
from cosmic_ray.plugins import get_operator
from cosmic_ray.work_db import WorkDB, use_db
from cosmic_ray.work_item import MutationSpec, WorkItem

TOP = Path(__file__).parents[1]
# The tests that hold each room: its own, and those of the rooms above that say what it is for.
ROOMS = {
    "secrets": ["unit/test_secrets.py", "property/test_secrets.py", "integration/test_secrets.py"],
    "record": [
        "unit/record",
        "faults/test_final_faults.py",
        "faults/test_hostile_locks.py",
        "faults/test_odd_folders.py",
        "property/test_record.py",
    ],
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
        "integration/diagnose/test_destination.py",
        "integration/diagnose/test_doctor.py",
        "integration/diagnose/test_local_store.py",
        "integration/diagnose/test_models.py",
        "integration/diagnose/test_page.py",
        "integration/diagnose/test_publish.py",
    ],
    "process": ["unit/process", "integration/test_exits.py", "integration/test_ranks.py", "integration/test_starts.py"],
    "config": [
        "unit/config",
        "property/test_config.py",
        "property/test_recorded_config.py",
        "integration/test_bad_input.py",
    ],
    "capture": ["unit/capture", "integration/test_code_zoo.py", "integration/test_console.py"],
}
COPIED = ("src", "tests", "docs", "conftest.py", "pyproject.toml", "README.md", "CONTRIBUTING.md")
# What takes seconds is made once, not in each fork.
IMPORTED = {"tracking": ("mlflow", "mlflow.store.tracking.sqlalchemy_store")}
MADE = """\
import pathlib, sys
from naga.tracking.store import _new_store
pathlib.Path(sys.argv[1]).write_bytes(_new_store(pathlib.Path("mlruns").absolute()))
"""
WHOLE = 600  # seconds for a test, as in pyproject.toml
CONFIG = """\
[cosmic-ray]
module-path = "src/naga/{place}"
timeout = 60
excluded-modules = []
test-command = ""
[cosmic-ray.distributor]
name = "local"
"""
# Which test runs a line; a process that a test starts reads this anew, and counts for that test.
LINES = """\
[run]
parallel = true
sigterm = true
patch = _exit
data_file = {folder}/lines
include = */src/naga/{place}
context = ${{PYTEST_CURRENT_TEST-}}
"""
# Flags are one bit each, so a sum has the same; what may be given by name only still may be, after a slash; and what
# only type checkers need may be imported.
SAME_KINDS = (
    (re.compile("AddNot$"), re.compile("^if not TYPE_CHECKING:$")),
    (re.compile(r"BitOr_(Add|BitXor)$"), re.compile(r"\b(os\.O_|LOCK_|stat\.S_I)")),
    (re.compile(r"Mul_Div$"), re.compile(r"^\s*/,$|^\s*(def |\w+: ).*, /, ")),
)


def main() -> int:
    """Run what the command line asks for, and print the score of each room."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("rooms", nargs="+", choices=list(ROOMS), metavar="ROOM", help=", ".join(ROOMS))
    parser.add_argument("--sample", type=int, default=200, help="how many mutants of a room (default: 200)")
    parser.add_argument("--seed", type=int, default=1, help="which of them (default: 1)")
    parser.add_argument("--jobs", type=int, default=2, help="how many at a time (default: 2)")
    parser.add_argument("--budget", type=float, default=100, help="seconds of tests for one of them (default: 100)")
    parser.add_argument("--unchanged", action="store_true", help="change nothing, to test the tests: all are to live")
    words = parser.parse_args()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _interrupt)
    with suppress(KeyboardInterrupt):
        for room in words.rooms:
            with TemporaryDirectory(prefix="naga-mutants-", ignore_cleanup_errors=True) as folder:
                _measure(room, Path(folder), words)
    return 0


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


@dataclass
class Tests:
    """The tests of a room, how long each takes, and which have run each line of it: all those that begin so."""

    seconds: dict[str, float] = field(default_factory=dict)
    of_line: dict[Path, dict[int, list[str]]] = field(default_factory=dict)

    def of(self, file: Path, lines: range, budget: float) -> list[str]:
        """Name the tests that have run one of these lines: the module's, those of units, others; the quickest first."""
        known, own = self.of_line.get(file, {}), (f"/test_{file.stem}.py::", f"/{file.name}::")
        begins = tuple({begin for line in lines for begin in known.get(line, ())})
        if not begins:  # no test runs them: whether the module can be imported at all
            begins, budget = tuple({begin for each in known.values() for begin in each}), 0
        found = sorted(
            (test for test in self.seconds if test.startswith(begins)),
            key=lambda test: (not any(name in test for name in own), "/unit/" not in test, self.seconds[test]),
        )
        spent = accumulate(self.seconds[test] for test in found)
        return [test for test, so_far in zip(found, spent, strict=True) if so_far <= budget] or found[:1]


@dataclass
class Score:
    """What has become of the mutants of a room."""

    room: str
    killed: int = 0
    lived: int = 0
    same: int = 0

    def __str__(self) -> str:
        tried = self.killed + self.lived
        share = f" ({100 * self.killed / tried:.1f}%)" if tried else ""
        return f"{self.room}: {self.killed} of {tried} mutants killed{share}, {self.same} mean the same"


def _measure(room: str, folder: Path, words: argparse.Namespace) -> None:
    checkouts = [_copied(folder / str(number) / "checkout") for number in range(words.jobs)]
    chosen = _choose(room, checkouts[0], words)
    for module in IMPORTED.get(room, ()):
        importlib.import_module(module)
    if room == "tracking":
        os.environ["NAGA_MIGRATED_STORE"] = str(folder / "migrated.db")
        start = sys.executable, "-c", MADE, os.environ["NAGA_MIGRATED_STORE"]
        subprocess.run(start, cwd=checkouts[0], env={**os.environ, "PYTHONPATH": "src"}, check=True)
    tests = _watched(room, checkouts[0])
    means_same = tomllib.loads(Path(__file__).with_name("same_mutants.toml").read_text(encoding="utf-8"))
    others = [mutation for mutation in chosen if not _is_same(mutation, checkouts[0], means_same)]
    score, free, busy = Score(room, same=len(chosen) - len(others)), checkouts, dict[int, Mutant]()
    try:
        for mutation in others:
            if not free:
                free.append(_await_one(busy, score))
            mutant = Mutant(mutation, free.pop(), tests, words)
            busy[mutant.pid] = mutant
        while busy:
            _await_one(busy, score)
    finally:
        for mutant in busy.values():
            mutant.end()
        print(f"\n{score}", flush=True)


def _copied(checkout: Path) -> Path:
    checkout.mkdir(parents=True)
    for name in COPIED:
        copy = shutil.copytree if (TOP / name).is_dir() else shutil.copy2
        copy(TOP / name, checkout / name)
    (checkout / "program.py").touch()
    return checkout


class Mutant:
    """A copy of the checkout with one change, while its tests run."""

    def __init__(self, mutation: MutationSpec, checkout: Path, tests: Tests, words: argparse.Namespace) -> None:
        self.checkout, self.name, self._changed = checkout, str(mutation.module_path), ExitStack()
        file = checkout / mutation.module_path
        chosen = tests.of(mutation.module_path, _statement(file, mutation.start_pos[0]), words.budget)
        operator = get_operator(mutation.operator_name)(**mutation.operator_args)
        self._texts = "", ""
        if not words.unchanged:
            self._texts = self._changed.enter_context(use_mutation(file, operator, mutation.occurrence))
        self._deadline = time.monotonic() + 60 + 5 * sum(tests.seconds[test] for test in chosen)
        limits = {test: 20 + 10 * tests.seconds[test] for test in chosen}
        files = list(dict.fromkeys(test.partition("::")[0] for test in chosen))
        self.pid = _fork(checkout, partial(_test, ["-x", *files], Chosen(limits))) if chosen else _fork(checkout, int)

    def ended(self) -> int | None:
        """Give its exit code, or None while it runs; what runs for too long has failed."""
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        if pid == 0 and time.monotonic() < self._deadline:
            return None
        self.end(pid == 0)
        return status if pid else 1

    def end(self, runs: bool = True) -> None:
        """Leave no process of it, and the source as it was."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        if runs:
            os.waitpid(self.pid, 0)
        self._changed.close()

    def patch(self) -> str:
        """Show what was changed."""
        before, after = self._texts
        return "".join(difflib.unified_diff(before.splitlines(True), after.splitlines(True), self.name, self.name, n=1))


def _await_one(busy: dict[int, Mutant], score: Score) -> Path:
    """Wait for one of them to end, and count it; give the checkout that is free now."""
    while True:
        for mutant in busy.values():
            if (code := mutant.ended()) is not None:
                del busy[mutant.pid]
                score.killed, score.lived = score.killed + (code != 0), score.lived + (code == 0)
                print("" if code else f"\n{mutant.patch()}", score, sep="\n", flush=True)
                return mutant.checkout
        time.sleep(0.02)


class Chosen:
    """A plugin of pytest: these tests in this order, and no longer than so many seconds each."""

    def __init__(self, limits: dict[str, float]) -> None:
        self._limits = limits

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Take the others away."""
        rank = {test: number for number, test in enumerate(self._limits)}
        items[:] = sorted((item for item in items if item.nodeid in rank), key=lambda item: rank[item.nodeid])
        for item in items:
            item.add_marker(pytest.mark.timeout(self._limits[item.nodeid]))


class Watched:
    """A plugin of pytest: which test runs a line."""

    def __init__(self, measured: coverage.Coverage) -> None:
        self._measured = measured

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """Count what runs from now on as this test's."""
        self._measured.switch_context(item.nodeid)
        return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: Any, request: pytest.FixtureRequest) -> Iterator[Any]:
        """Count what a fixture that tests share does as theirs."""
        shared = {"module": request.node.nodeid, "session": ""}.get(fixturedef.scope)
        if shared is not None:
            self._measured.switch_context(shared)
        try:
            return (yield)
        finally:
            if shared is not None:
                self._measured.switch_context(os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" (")[0])


class Timed:
    """A plugin of pytest: which tests there are, how long each takes, and whether it has failed."""

    def __init__(self, seen: Path) -> None:
        self._seen = seen

    def pytest_sessionstart(self) -> None:
        """Open what it is written to: some tests give up their rights."""
        self._file = self._seen.open("a", encoding="utf-8", buffering=1)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Write it down for the process that chooses."""
        self._file.write(f"{report.duration} {report.outcome} {report.nodeid}\n")

    def pytest_sessionfinish(self) -> None:
        """Close it."""
        self._file.close()


def _watched(room: str, checkout: Path) -> Tests:
    """Run the tests of a room once as it is; those that fail then are left out."""
    place = room if (TOP / "src/naga" / room).is_dir() else f"{room}.py"
    named = [*(f"tests/{test}" for test in ROOMS[room]), f"src/naga/{place}"]  # the examples of docstrings
    seen, lines = checkout / "seen", checkout.parent / "lines"
    config = checkout.parent / "coverage.ini"
    config.write_text(LINES.format(folder=checkout.parent, place=f"{place}/**/*" if room == place else place))
    _run(checkout, partial(_watch, named, config, seen))
    tests, _ = _seen(seen)
    seen.unlink()
    # Once more in the way and order of mutants: what fails then says nothing of them.
    quickest_first = {test: float(WHOLE) for test in sorted(tests, key=tests.__getitem__)}
    files = list(dict.fromkeys(test.partition("::")[0] for test in quickest_first))
    _run(checkout, partial(_test, files, Chosen(quickest_first), Timed(seen)))
    tests, failed = _seen(seen)
    for test in sorted(failed):
        print(f"{room}: {test} fails as it is, and counts for nothing")
    found = Tests({test: seconds for test, seconds in tests.items() if test not in failed})
    print(f"{room}: {len(found.seconds)} tests, {sum(found.seconds.values()):.0f} s", flush=True)
    data = coverage.CoverageData(str(lines))
    coverage.Coverage(data_file=str(lines), config_file=False).combine([str(lines.parent)])
    data.read()
    for name in data.measured_files():
        if not Path(name).is_relative_to(checkout):
            continue  # of a process that is given no environment, and imports what is installed
        of_line = data.contexts_by_lineno(name).items()
        begins = {line: sorted({_begin(context) for context in contexts}) for line, contexts in of_line}
        found.of_line[Path(name).relative_to(checkout)] = begins
    return found


def _seen(seen: Path) -> tuple[dict[str, float], set[str]]:
    """Read how long each test takes, and which of them have ever failed."""
    tests, failed = dict[str, float](), set[str]()
    for line in seen.read_text(encoding="utf-8").splitlines():
        duration, outcome, test = line.split(" ", 2)
        tests[test] = tests.get(test, 0) + float(duration)
        failed |= {test} if outcome == "failed" else set()
    return tests, failed


def _begin(context: str) -> str:
    """Say how the names of the tests begin that a line was run for: all that may share what a fixture made."""
    test, _, phase = context.strip("|").rpartition(" (")
    return (test.partition("::")[0] if phase == "setup)" else test) if test else context.strip("|")


def _watch(named: list[str], config: Path, seen: Path) -> int:
    measured = coverage.Coverage(config_file=str(config))
    os.environ["COVERAGE_PROCESS_START"] = str(config)
    measured.start()
    code = _test(named, Watched(measured), Timed(seen))
    measured.stop()
    measured.save()
    return code


def _test(words: list[str], *plugins: object) -> int:
    return int(pytest.main(["-q", "-p", "no:cacheprovider", "--hypothesis-seed=0", *words], plugins=plugins))


def _run(checkout: Path, body: Callable[[], int]) -> None:
    """Run tests of the source as it is, and leave no process of theirs."""
    pid = _fork(checkout, body)
    try:
        os.waitpid(pid, 0)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)


def _fork(checkout: Path, body: Callable[[], int]) -> int:
    """Run tests in a fork: it has imported already what takes the longest."""
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        code = 1
        with suppress(BaseException):
            os.setsid()
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
            os.chdir(checkout)
            for descriptor in (1, 2):
                os.dup2(os.open("output", os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), descriptor)
            # Compiled files are known by their time and size, which a mutant may share with the former one.
            os.environ |= {"PYTHONPATH": str(checkout / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
            os.environ |= {"PYTEST_DEBUG_TEMPROOT": str(checkout.parent)}
            sys.dont_write_bytecode = True
            sys.path.insert(0, str(checkout / "src"))
            # Runs take snapshots of where their program is: that is not to be this checkout.
            sys.modules["__main__"].__file__ = str(checkout / "program.py")
            code = body()
        os._exit(code)
    return pid


def _choose(room: str, checkout: Path, words: argparse.Namespace) -> list[MutationSpec]:
    """Take a sample of those that change what is computed."""
    place = room if (TOP / "src/naga" / room).is_dir() else f"{room}.py"
    (checkout.parent / "room.toml").write_text(CONFIG.format(place=place))
    start = Path(sys.executable).with_name("cosmic-ray"), "init", "../room.toml", "../all"
    subprocess.run(start, cwd=checkout, check=True)
    with use_db(checkout.parent / "all", mode=WorkDB.Mode.open) as session:
        items: list[WorkItem] = list(session.work_items)
    types: dict[Path, set[tuple[int, int]]] = {}
    chosen = []
    for mutation in sorted((item.mutations[0] for item in items), key=_order):
        file = checkout / mutation.module_path
        if file not in types:
            types[file] = set(_annotations(file))
        is_same = mutation.operator_name.endswith(("_Eq_Is", "_NotEq_IsNot", "_Is_Eq", "_IsNot_NotEq"))
        if not is_same and not any(first <= mutation.start_pos[0] <= last for first, last in types[file]):
            chosen.append(mutation)
    return random.Random(words.seed).sample(chosen, min(words.sample, len(chosen)))


def _is_same(mutation: MutationSpec, checkout: Path, known: dict[str, dict[str, str]]) -> bool:
    """Tell whether a mutant is known to mean the same, by its changed line without its spaces."""
    before = (checkout / mutation.module_path).read_text(encoding="utf-8")
    after = mutate_code(before, get_operator(mutation.operator_name)(**mutation.operator_args), mutation.occurrence)
    pairs = zip(before.splitlines(), after.splitlines(), strict=False)
    changed = next((new for old, new in pairs if old != new), "")
    if any(name.search(mutation.operator_name) and line.search(changed) for name, line in SAME_KINDS):
        return True
    listed = known.get(str(mutation.module_path).removeprefix("src/naga/"), {})
    patterns = (".*".join(map(re.escape, "".join(line.split()).split("…"))) for line in listed)
    return any(re.fullmatch(pattern, "".join(changed.split())) for pattern in patterns)


def _statement(file: Path, line: int) -> range:
    """Give the lines of the innermost statement there, or of its head: a line that begins none is not noted as run."""
    found = range(line, line + 1)
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.stmt | ast.ExceptHandler | ast.match_case):
            body: list[ast.stmt] = getattr(node, "body", [])
            first = node.pattern.lineno if isinstance(node, ast.match_case) else node.lineno
            last = body[0].lineno - 1 if body else getattr(node, "end_lineno", first)
            if first <= line <= max(first, last):
                found = range(first, max(first, last) + 1)
    return found


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
