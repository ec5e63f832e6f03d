"""`naga status`, `naga log` and `naga cancel`: the state of runs, their output, and stopping them."""

import argparse
import json
import sys
import time
from pathlib import Path

from naga.compare.lineage import Lineage
from naga.errors import LockError, RunNotFoundError, UsageError
from naga.layout import CONSOLE_LOG
from naga.record.opener import open_inside
from naga.runs.find import Run, load_run
from naga.sweep.cancel import cancel
from naga.sweep.screen import last_line
from naga.sweep.standing import in_words, queued, standing
from naga.terminal import print_asked, print_lines, printable
from naga.wording import plural

_WATCH_S = 2.0
_FOLLOW_S = 0.25


def status(words: argparse.Namespace) -> int:
    """Print the state of runs."""
    root = _folder(words.folder)
    while True:
        counts, runs = standing(root)
        if words.format == "json":
            print_asked(json.dumps(counts) + "\n")
        else:
            _print(counts, runs, root)
        if not words.watch or not counts["running"] + counts["waiting"]:
            return 0
        time.sleep(_WATCH_S)


def _print(counts: dict[str, int], runs: list[Run], root: Path) -> None:
    words = in_words(counts)
    print_asked(f"{plural(counts['total'], 'run')}: {words}\n" if words else f"no runs below '{root}'\n")
    for state, count in queued(root).most_common():
        where, _, said = state.partition("|")
        print_asked(f"{where}     {plural(count, 'job')} {printable(said, lines=False)}\n")
    lineage = Lineage(runs)
    for run in runs:
        status, note = run.status, ""
        if status != "finished":
            error = run.record.error
            note = f"{error.type}: {error.message}".splitlines()[0] if error else last_line(run.save_dir)
        elif lineage.is_out_of_date(run):
            status, note = "out of date", next(lineage.out_of_date(run))
        if note or status != "finished":
            place = run.save_dir.relative_to(root) if run.save_dir != root else run.save_dir.name
            print_lines(f"{status:<9} {place}  {note}".rstrip())


def log(words: argparse.Namespace) -> int:
    """Print a run's console.log, and with ``-f`` what is added while the run goes on."""
    run = load_run(words.run)
    place = run.save_dir / CONSOLE_LOG
    try:
        opened = open_inside(run.save_dir, place)
    except FileNotFoundError:
        problem = f"'{place}' is not there: the run has logged nothing"
        raise RunNotFoundError(problem, hint="@runlock(console=True)") from None
    except LockError as error:
        raise RunNotFoundError(f"'{place}' {error.message}", hint=error.hint) from None
    with opened as file:
        while True:
            goes_on = words.follow and load_run(run.save_dir).status == "running"
            while block := file.read(1 << 20):
                sys.stdout.write(printable(block.decode(errors="replace")))
            sys.stdout.flush()
            if not goes_on:
                return 0
            time.sleep(_FOLLOW_S)


def cancel_below(words: argparse.Namespace) -> int:
    """Stop the runs below a folder; 1 where one cannot be stopped from here."""
    stopped, left = cancel(_folder(words.folder))
    for line in stopped:
        print_asked(f"stopped  {printable(line, lines=False)}\n")
    for line in left:
        print_asked(f"left     {printable(line, lines=False)}\n")
    if not stopped and not left:
        print_asked("nothing runs here\n")
    return 1 if left else 0


def _folder(word: str) -> Path:
    path = Path(word).absolute()
    if not word or not path.is_dir():
        raise UsageError(f"no folder '{word}'", hint="naga status <a folder>")
    return path
