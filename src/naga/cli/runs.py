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
from naga.errors import LockError, NagaError, one_line, unreadable
from naga.hashing.hash_tree import hash_path
from naga.record.lockfile import ANOTHER_TOOL
from naga.runs.filter import COLUMNS, check_config_keys, parse_filter, sort_key
from naga.runs.find import Run, as_row, load_run, look_for_runs
from naga.runs.repair import record_outputs, repair_runs
from naga.terminal import printable, say
from naga.tracking.repair import repair_history
from naga.tracking.ui import how_to_view

# Each repairs what it finds in the project of a folder, and returns a line for each thing; what it cannot do it raises.
_REPAIRS = (repair_runs, repair_history)


def _one_line(text: str) -> str:
    return printable(text, lines=False)


def ls(words: argparse.Namespace) -> int:
    """List the runs below a folder."""
    wanted, sort = parse_filter(words.filter), sort_key(words.sort)
    found = list(look_for_runs(words.root, archived=words.archived))
    runs = sorted((run for run in found if isinstance(run, Run)), key=sort)
    for error in found:
        if isinstance(error, LockError) and error.hint != ANOTHER_TOOL:
            say(f"warning: left out: {error.message}")
    check_config_keys((*(key for key, _, _ in wanted.terms), words.sort), runs)
    diags = _freshness(runs, Path(words.root))
    runs = [run for run in runs if wanted.matches(run, diag=diags.get(run.run_id))]
    rows = [{**as_row(run), "diag": diags.get(run.run_id)} for run in runs]
    if words.format == "json":
        print(json.dumps(rows, indent=2))
    elif words.format == "csv":
        _print_csv(rows)
    elif runs:
        runs_table(runs, diags)
    else:
        print(_one_line(f"no runs below '{words.root}'" + (" fit the filter" if words.filter else "")))
    return 0


def _freshness(runs: Sequence[Run], root: Path) -> dict[str, str]:
    try:
        return freshness(runs, root)
    except NagaError as error:
        say(f"warning: {error.message}: what is published is not known")
        return {}


def _print_csv(rows: Sequence[dict[str, Any]]) -> None:
    writer = csv.DictWriter(sys.stdout, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(
        {key: _one_line(value) if isinstance(value, str) else value for key, value in row.items()} for row in rows
    )


def hash_paths(words: argparse.Namespace) -> int:
    """Print the hash of paths as the run.lock has it, or compare what is on the disk with a list."""
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
    run_page(load_run(words.run))
    return 0


def verify_runs(words: argparse.Namespace) -> int:
    """Compare all that runs name with what it was."""
    code = 0
    for name in words.runs:
        try:
            run = load_run(name)
            problems = verify(run)
            old = [f"out of date: {reason}" for reason in out_of_date(run.record, base_of(run.record))]
        except (NagaError, OSError) as error:  # one run that cannot be read keeps no other from being verified
            print(one_line(error if isinstance(error, NagaError) else unreadable(error)), file=sys.stderr)
            code = NagaError.exit_code
            continue
        code = code or int(bool(problems or old))
        verdict = _verdict(problems) or ("out of date" if old else "verified")
        print(_one_line(f"{verdict}  {run.run_id}  {run.save_dir}"))
        for line in (*problems, *old):
            print(f"  {_one_line(line)}")
    return code


def _verdict(problems: Sequence[str]) -> str:
    unchecked = all(": not checked: " in problem for problem in problems)
    return ("not checked" if unchecked else "differs") if problems else ""


def doctor(words: argparse.Namespace) -> int:
    """Repair what was left in pieces; 1 where something could not be looked at or repaired."""
    repaired, failed = 0, 0
    for repair in _REPAIRS:
        try:
            for line in repair(Path(words.root).absolute()):
                print(_one_line(line))
                repaired += 1
        except (NagaError, OSError) as error:
            print(one_line(error if isinstance(error, NagaError) else unreadable(error)), file=sys.stderr)
            failed += 1
    if not repaired and not failed:
        print("all is well")
    return 1 if failed else 0


def mlflow_view(words: argparse.Namespace) -> int:
    """Print how to see the active MLflow runs."""
    for line in how_to_view(Path(words.root).absolute(), words.experiment):
        print(line)
    return 0
