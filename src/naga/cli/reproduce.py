"""`naga reproduce` and `naga checkout`: a run computed again, and its code alone."""

import argparse
import json
import os
import shutil
import sys

from naga.errors import NagaError, SaveDirError, UsageError
from naga.paths import near
from naga.reproduce.reproduce import EXIT_CODES, NOT_RESTORED, Verdict, repeated, reproduce
from naga.reproduce.restore import lay_out_code
from naga.reproduce.verdict import tolerances_of
from naga.runs.find import Run, load_run
from naga.terminal import print_asked, printable, say


def reproduce_run(words: argparse.Namespace) -> int:
    """Compute a run again; 0 reproduced, 1 differs, 2 not restored."""
    run = load_run(words.run)
    try:
        verdict = _verdict(run, words)
    except (NagaError, OSError, KeyboardInterrupt) as error:
        if words.format == "json":  # who reads it gets an object, whatever comes
            reason = error.message if isinstance(error, NagaError) else str(error) or "interrupted"
            verdict = Verdict(verdict=NOT_RESTORED, run_id=run.run_id, not_restored=(reason,))
            print_asked(json.dumps(verdict.to_dict(), indent=2) + "\n")
        raise
    if words.format == "json":
        print_asked(json.dumps(verdict.to_dict(), indent=2) + "\n")
    else:
        _print(verdict)
    return EXIT_CODES[verdict.verdict]


def _verdict(run: Run, words: argparse.Namespace) -> Verdict:
    if not words.trust:
        _require_trust(run)
    tolerances = tolerances_of(words.tolerance, run)
    if words.to and words.repeat > 1:
        raise UsageError("--to names one folder, and --repeat makes several", hint="leave out one of them")

    def once() -> Verdict:
        return reproduce(
            run,
            to=words.to,
            tolerances=tolerances,
            recorded_environment=words.env == "recorded",
            current_code=words.code == "current",
            tell=say,
        )

    return repeated(run, words.repeat, once)


def _require_trust(run: Run) -> None:
    """Ask whether the code of another user is to be run; without a terminal, only ``--trust`` says so."""
    owner = run.lock_path.stat().st_uid
    if owner == os.getuid():
        return
    who = f"'{run.save_dir}' belongs to user {owner}, who wrote the code that would be run"
    if sys.stdin.isatty():
        print(f"naga: {who}. Run it? [y/N] ", end="", file=sys.stderr, flush=True)
        if sys.stdin.readline().strip().lower() in ("y", "yes"):
            return
    raise UsageError(who, hint=f"naga reproduce {run.run_id} --trust")


def _print(verdict: Verdict) -> None:
    lines = [f"{verdict.verdict}  {verdict.run_id}" + (f"  {near(verdict.save_dir)}" if verdict.save_dir else "")]
    lines += [f"  {one.verdict:<16}  {one.path}" + (f"  ({one.note})" if one.note else "") for one in verdict.outputs]
    lines += [f"  not restored: {reason}" for reason in verdict.not_restored]
    lines += [f"  not the same: {line}" for line in verdict.differences]
    print_asked("".join(printable(line, lines=False) + "\n" for line in lines))


def checkout(words: argparse.Namespace) -> int:
    """Lay out the code of a run, all repositories of it."""
    run, folder = load_run(words.run), words.folder
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise SaveDirError(
            f"'{folder}' is there already, and not empty", hint=f"naga checkout {words.run} <a new folder>"
        )
    codes = [code for code in run.record.code if code.commit]
    if not codes:
        raise UsageError(
            f"run {run.run_id} has no snapshot of its code", hint="only runs of tasks with @snapshot have one"
        )
    was_there = folder.exists()
    try:
        places = lay_out_code(codes, folder.absolute())
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        if was_there:
            folder.mkdir()
        raise
    for place in places:
        print_asked(printable(near(place), lines=False) + "\n")
    print(f"naga: its commit: {codes[0].commit}; git switch -c again {str(codes[0].commit)[:10]} goes on from it",
          file=sys.stderr)  # fmt: skip
    return 0
