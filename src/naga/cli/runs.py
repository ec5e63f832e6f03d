"""One function per command of `naga`: from words to printed lines."""

import argparse
import csv
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from naga.capture.data.check import check
from naga.cli.tables import run_page, runs_table
from naga.compare.lineage import base_of, out_of_date
from naga.compare.verify import verify
from naga.diagnose.freshness import freshness
from naga.errors import NagaError, one_line
from naga.hashing.hash_tree import hash_path
from naga.runs.filter import COLUMNS, parse_filter, sort_key
from naga.runs.find import Run, as_row, find_runs, load_run
from naga.runs.repair import record_outputs, repair_runs
from naga.terminal import printable
from naga.tracking.repair import repair_history
from naga.tracking.ui import how_to_view

# Each repairs what it finds in the project of a folder, and returns a line for each thing; what it cannot do it raises.
_REPAIRS = (repair_runs, repair_history)


def ls(words: argparse.Namespace) -> int:
    """List the runs below a folder."""
    wanted, sort = parse_filter(words.filter), sort_key(words.sort)
    runs = sorted(find_runs(words.root, archived=words.archived), key=sort)
    diags = _freshness(runs, Path(words.root))
    runs = [run for run in runs if wanted.matches(run, diag=diags.get(run.run_id))]
    rows = [{**as_row(run), "diag": diags.get(run.run_id)} for run in runs]
    if words.format == "json":
        print(json.dumps(rows, indent=2))
    elif words.format == "csv":
        _print_csv(rows)
    elif runs:
        runs_table(runs, words.root, diags)
    else:
        print(f"no runs below '{words.root}'" + (" fit the filter" if words.filter else ""))
    return 0


def _freshness(runs: Sequence[Run], root: Path) -> dict[str, str]:
    try:
        return freshness(runs, root)
    except NagaError as error:
        print(f"naga: warning: {error.message}: what is published is not known", file=sys.stderr)
        return {}


def _print_csv(rows: Sequence[dict[str, Any]]) -> None:
    writer = csv.DictWriter(sys.stdout, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)


def hash_paths(words: argparse.Namespace) -> int:
    """Print the hash of paths as the run.lock has it, or compare what lies on the disk with a list."""
    if words.check:
        differing = [line for manifest in words.path for line in check(Path(manifest))]
        for line in differing:
            print(printable(line))
        return 1 if differing else 0
    if words.record:
        for run in [load_run(name) for name in words.path]:
            print(f"{record_outputs(run)}  {printable(str(run.save_dir))}")
        return 0
    for path in words.path:
        print(f"{hash_path(Path(path), fresh=True).hash}  {path}")
    return 0


def show(words: argparse.Namespace) -> int:
    """Show one run."""
    run_page(load_run(words.run))
    return 0


def verify_runs(words: argparse.Namespace) -> int:
    """Compare all that runs name with what it was."""
    code = 0
    for run in [load_run(name) for name in words.runs]:
        problems = verify(run)
        old = [f"out of date: {reason}" for reason in out_of_date(run.record, base_of(run.record))]
        code = 1 if problems or old else code
        verdict = _verdict(problems) or ("out of date" if old else "verified")
        print(printable(f"{verdict}  {run.run_id}  {run.save_dir}"))
        for line in (*problems, *old):
            print(f"  {printable(line)}")
    return code


def _verdict(problems: Sequence[str]) -> str:
    unchecked = all(": not checked: " in problem for problem in problems)
    return ("not checked" if unchecked else "differs") if problems else ""


def doctor(words: argparse.Namespace) -> int:
    """Mend what was left in pieces; 1 where something could not be looked at or mended."""
    mended, failed = 0, 0
    for mend in _REPAIRS:
        try:
            for line in mend(Path(words.root).absolute()):
                print(printable(line))
                mended += 1
        except NagaError as error:
            print(one_line(error), file=sys.stderr)
            failed += 1
    if not mended and not failed:
        print("all is well")
    return 1 if failed else 0


def mlflow_view(words: argparse.Namespace) -> int:
    """Print how to see the active MLflow runs."""
    for line in how_to_view(Path(words.root).absolute(), words.experiment):
        print(line)
    return 0
