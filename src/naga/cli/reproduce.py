"""`naga reproduce` and `naga checkout`: a run computed again, and its code alone."""

import argparse
import json
import os
import shlex
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from naga.crate.unpack import Unpacked, unpacked
from naga.crate.zip_format import MOST_BYTES
from naga.errors import NagaError, SaveDirError, UsageError
from naga.layout import LOCK_NAME
from naga.paths import near
from naga.reproduce.reproduce import EXIT_CODES, NOT_RESTORED, Verdict, free_place, repeated, reproduce
from naga.reproduce.restore import lay_out_code
from naga.reproduce.verdict import tolerances_of
from naga.runs.find import Run, load_run
from naga.terminal import print_asked, print_lines, say
from naga.wording import shortened


def reproduce_run(words: argparse.Namespace) -> int:
    """Compute a run again; 0 reproduced, 1 differs, 2 not restored."""
    with _found(words) as runs:
        try:
            verdicts = _verdicts(runs, words)
        except (NagaError, OSError, KeyboardInterrupt) as error:
            if words.format == "json":  # who reads it gets an object, whatever comes
                reason = error.message if isinstance(error, NagaError) else str(error) or "interrupted"
                failed = Verdict(verdict=NOT_RESTORED, run_id="", not_restored=(reason,))
                _print_json([replace(failed, run_id=one.run.run_id) for one in runs])
            raise
    if words.format == "json":
        _print_json(verdicts)
    else:
        for verdict in verdicts:
            _print(verdict)
    return max(EXIT_CODES[verdict.verdict] for verdict in verdicts)


def _print_json(verdicts: Sequence[Verdict]) -> None:
    said = [verdict.to_dict() for verdict in verdicts]
    print_asked(json.dumps(said if len(said) > 1 else said[0], indent=2) + "\n")


def _verdicts(runs: Sequence[Unpacked], words: argparse.Namespace) -> list[Verdict]:
    if not words.trust:
        _require_trust(words, [one.run for one in runs])
    if words.to and (words.repeat > 1 or len(runs) > 1):
        raise UsageError("--to names one folder, and there will be several", hint="leave it out")
    if words.build and words.env == "current":
        raise UsageError("--build without --env recorded builds nothing", hint="--env recorded --build")
    return [_verdict(one, words) for one in runs]


@contextmanager
def _found(words: argparse.Namespace) -> Iterator[list[Unpacked]]:
    """Return the run that was named, or the runs of a zip."""
    path = Path(words.run)
    if not path.is_file() or path.name == LOCK_NAME:
        yield [Unpacked(load_run(words.run))]
        return
    if getattr(words, "code", "") == "current":
        raise UsageError(
            "--code current: a zip brings its code with it", hint=f"naga reproduce {shlex.quote(words.run)}"
        )
    with unpacked(path, most=sys.maxsize if words.large else MOST_BYTES) as runs:
        yield runs


def _verdict(one: Unpacked, words: argparse.Namespace) -> Verdict:
    tolerances = tolerances_of(words.tolerance, one.run)

    def once() -> Verdict:
        return reproduce(
            one.run,
            to=words.to or (free_place(Path.cwd(), one.run.run_id) if one.base else None),
            tolerances=tolerances,
            recorded_environment=words.env == "recorded",
            build=words.build,
            current_code=words.code == "current",
            tell=say,
        )

    return one.reworded(repeated(words.repeat, once, tolerances))


def _require_trust(words: argparse.Namespace, runs: Sequence[Run]) -> None:
    """Ask before running the code of another user, or of a zip; without a terminal, ``--trust`` is required."""
    named = Path(words.run) if Path(words.run).is_file() else runs[0].lock_path
    owner, is_zip = named.stat().st_uid, named.name != LOCK_NAME
    if owner == os.getuid() and not is_zip:
        return
    tasks = ", ".join(f"{run.record.task} ({run.run_id})" for run in runs)
    who = f"'{named if is_zip else runs[0].save_dir}' belongs to user {owner}, who wrote the code that would be run"
    if is_zip:
        who = f"'{named}', a file of user {owner}, brings the code that would be run: {tasks}"
    if sys.stdin.isatty():
        print(f"naga: {shortened(who)}. Run it? [y/N] ", end="", file=sys.stderr, flush=True)
        if sys.stdin.readline().strip().lower() in ("y", "yes"):
            return
    raise UsageError(who, hint=f"naga reproduce {shlex.quote(words.run)} --trust")


def _print(verdict: Verdict) -> None:
    lines = [f"{verdict.verdict}  {verdict.run_id}" + (f"  {near(verdict.save_dir)}" if verdict.save_dir else "")]
    lines += [f"  {one.verdict:<16}  {one.path}" + (f"  ({one.note})" if one.note else "") for one in verdict.outputs]
    lines += [f"  not restored: {reason}" for reason in verdict.not_restored]
    lines += [f"  not the same: {line}" for line in verdict.differences]
    print_lines(*lines)


def checkout(words: argparse.Namespace) -> int:
    """Lay out the code of a run, with all its repositories."""
    folder = words.folder
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise SaveDirError(
            f"'{folder}' is there already, and not empty", hint=f"naga checkout {shlex.quote(words.run)} <a new folder>"
        )
    with _found(words) as runs:
        if len(runs) > 1:
            raise UsageError(f"'{words.run}' holds {len(runs)} runs", hint=f"unzip {shlex.quote(words.run)} 'code/*'")
        _lay_out(runs[0].run, folder, is_here=runs[0].base is None)
    return 0


def _lay_out(run: Run, folder: Path, *, is_here: bool) -> None:
    codes = [code for code in run.record.code if code.commit]
    if not codes:
        why = f": {run.record.code[0].reason}" if run.record.code else ""
        hint = f"naga show {run.run_id}" if why else "only runs of tasks with @snapshot have one"
        raise UsageError(f"run {run.run_id} has no snapshot of its code{why}", hint=hint)
    was_there = folder.exists()
    try:
        places = lay_out_code(codes, folder.absolute())
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        if was_there:
            folder.mkdir()
        raise
    for place in places:
        print_lines(near(place))
    if is_here:
        print(f"naga: its commit: {codes[0].commit}; git switch -c again {str(codes[0].commit)[:10]} goes on from it",
              file=sys.stderr)  # fmt: skip
