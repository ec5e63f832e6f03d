"""One function per command of `naga`: from words to printed lines."""

import argparse
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from naga.capture.data.check import check
from naga.capture.environment import capture_environment
from naga.cli.tables import print_run
from naga.compare.lineage import Lineage
from naga.compare.verify import verify
from naga.errors import NagaError, one_line, unreadable
from naga.hashing.hash_tree import hash_path
from naga.reproduce.environment import not_restorable
from naga.reproduce.restore import changed_inputs, lacks
from naga.runs.filter import Filter
from naga.runs.find import Run, load_run
from naga.runs.repair import record_outputs, repair_runs
from naga.runs.select import is_pattern, select_runs
from naga.terminal import printable, say
from naga.tracking.repair import repair_history
from naga.tracking.ui import how_to_view
from naga.wording import Unrepaired, first_of, plural

# Each repairs what it finds in the project of a folder, and returns a line for each thing; what it cannot do it raises.
_REPAIRS = (repair_runs, repair_history)


def _one_line(text: str) -> str:
    return printable(text, lines=False)


def hash_paths(words: argparse.Namespace) -> int:
    """Print the hashes of paths as a run.lock has them, or compare the disk with a list."""
    if words.check:
        differing = [line for manifest in words.path for line in check(Path(manifest))]
        for line in differing:
            print(_one_line(line))
        return 1 if differing else 0
    if words.record:
        for run in [load_run(name) for name in words.path]:
            print(f"{record_outputs(run)}  {_one_line(str(run.save_dir))}")
        return 0
    for path in words.path:
        print(f"{hash_path(Path(path), fresh=True).hash}  {_one_line(path)}")
    return 0


def show(words: argparse.Namespace) -> int:
    """Show one run."""
    print_run(load_run(words.run))
    return 0


def verify_runs(words: argparse.Namespace) -> int:
    """Compare everything that runs recorded with what is there now."""
    code, lineage = 0, Lineage()
    # Each word by itself: one run that cannot be read keeps no other from being verified.
    for name in [each for word in words.runs for each in _named(word)]:
        try:
            run = load_run(name)
            problems = verify(run)
            old = [f"out of date: {reason}" for reason in lineage.out_of_date(run)]
        except (NagaError, OSError) as error:
            print(one_line(error if isinstance(error, NagaError) else unreadable(error)), file=sys.stderr)
            code = NagaError.exit_code
            continue
        code = code or int(bool(problems or old))
        verdict = _verdict(problems) or ("out of date" if old else "verified")
        print(_one_line(f"{verdict}  {run.run_id}  {run.save_dir}  ({_again(run)})"))
        for line in (*problems, *old):
            print(f"  {_one_line(line)}")
    return code


def _named(word: str) -> list[str]:
    return [str(run.save_dir) for run in select_runs([word], Filter())] if is_pattern(word) else [word]


def _again(run: Run) -> str:
    """Say whether a run could be computed again now; files that were just verified are not read again."""
    if reasons := lacks(run) or list(changed_inputs(run.record, fresh=False)):
        return f"cannot be computed again: {reasons[0]}"
    now, then = capture_environment(None), run.record.environment
    names = {name for name, _ in then.packages.items() ^ now.packages.items()} if then else set()
    if not then or not names:
        return "can be computed again"
    lacking = names & not_restorable(then, [code.path for code in run.record.code])
    how = (
        f", of which {first_of(sorted(lacking), 3)} cannot be restored" if lacking else "; --env recorded restores them"
    )
    return f"can be computed again, here with other versions of {plural(len(names), 'package')}{how}"


def _verdict(problems: Sequence[str]) -> str:
    unchecked = all(": not checked: " in problem for problem in problems)
    return ("not checked" if unchecked else "differs") if problems else ""


def doctor(words: argparse.Namespace) -> int:
    """Repair what crashed runs left behind; 1 where something could not be examined or repaired."""
    said, failed = 0, 0
    for repair in _REPAIRS:
        try:
            for line in repair(Path(words.root).absolute()):
                print(_one_line(line))
                said += 1
                failed += isinstance(line, Unrepaired)
        except (NagaError, OSError) as error:
            print(one_line(error if isinstance(error, NagaError) else unreadable(error)), file=sys.stderr)
            failed += 1
    if not said and not failed:
        print("all is well")
    return 1 if failed else 0


def mlflow_view(words: argparse.Namespace) -> int:
    """Print how to see the active MLflow runs."""
    for line in how_to_view(Path(words.root).absolute(), words.experiment):
        print(line)
        if line.startswith("mlflow ui") and find_spec("flask") is None:
            say("this MLflow is mlflow-skinny, which has no user interface: pip install mlflow")
    return 0
