"""The screen of a sweep: a live table on a terminal, elsewhere a line for each point that ends, and a last table."""

import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import median
from typing import Any

from naga.errors import LockError
from naga.layout import CONSOLE_LOG
from naga.paths import near
from naga.record.opener import open_inside
from naga.runs.find import Run
from naga.sweep.driver import Progress
from naga.sweep.points import Sweep
from naga.sweep.standing import STATUSES, in_words, run_at
from naga.terminal import print_lines, printable, say

_ROWS = 12  # running and failed points that are shown at once
_SHOWN = 40  # points of the last table


def shown(steps: Iterator[Progress], asked: Sweep, before: Mapping[str, Run]) -> Progress:
    """Show the progress of a sweep while it goes on, and at its end what had finished before; return its last state."""
    start = time.monotonic()
    last = _live(steps, asked, start) if sys.stderr.isatty() else _lines(steps)
    _summary(last, asked, before, time.monotonic() - start)
    return last


def _lines(steps: Iterator[Progress]) -> Progress:
    known: dict[str, str] = {}
    last = Progress()
    for last in steps:  # the last one is what is returned
        for label, state in last.states.items():
            if known and known.get(label) != state and state != "running":
                note = last.notes.get(label, "")
                done = sum(one not in ("waiting", "running") for one in last.states.values())
                say(f"{done} of {len(last.states)}: {label} {state}" + (f": {note}" if note else ""))
        known = dict(last.states)
    return last


def _live(steps: Iterator[Progress], asked: Sweep, start: float) -> Progress:
    from rich.console import Console
    from rich.live import Live

    last = Progress()
    # Its thread could hold a lock when a point is forked, and its streams would be those of the fork.
    console = Console(stderr=True)
    with Live(
        console=console, transient=True, auto_refresh=False, redirect_stdout=False, redirect_stderr=False
    ) as live:
        for last in steps:  # the last one is what is returned
            live.update(_table(last, asked, time.monotonic() - start), refresh=True)
    return last


def _table(progress: Progress, asked: Sweep, seconds: float) -> Any:
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    counts = progress.counts()
    words = [f"{counts[name]} {name}" for name in STATUSES if counts[name]]
    left = counts["waiting"] + counts["running"]
    if progress.seconds and left:
        words.append(f"about {_duration(median(progress.seconds) * left / max(counts['running'], 1))} left")
    table = Table(show_header=False, box=None)
    folders = {point.label: point.save_dir for point in asked.points}
    rows = [label for label, state in progress.states.items() if state in ("running", "failed", "killed", "lost")]
    for label in rows[:_ROWS]:
        state = progress.states[label]
        note = progress.notes.get(label, "") if state != "running" else last_line(folders[label])
        table.add_row(Text(state), Text(printable(label, lines=False)), Text(printable(note, lines=False)))
    return Group(Text(f"{', '.join(words)} ({_duration(seconds)})"), table)


def last_line(folder: Path) -> str:
    """Return the last line that a run has printed."""
    try:
        with open_inside(folder, folder / CONSOLE_LOG) as log:
            log.seek(max(log.seek(0, 2) - 2000, 0))
            lines = log.read().decode(errors="replace").strip().splitlines()
    except (OSError, LockError):
        return ""
    return lines[-1] if lines else ""


def _summary(progress: Progress, asked: Sweep, before: Mapping[str, Run], seconds: float) -> None:
    points = (
        asked.points
        if len(asked.points) <= _SHOWN
        else [point for point in asked.points if progress.states[point.label] != "finished"][:_SHOWN]
    )
    width = max((len(point.label) for point in points), default=0)
    for point in points:
        run = before.get(point.digest) or run_at(point.save_dir)
        took = run.record.duration_s if run else None
        note = progress.notes.get(point.label, "") or (
            near(run.save_dir) if run and run.save_dir != point.save_dir else ""
        )
        line = f"{progress.states[point.label]:<9} {point.label:<{width}}  {_duration(took or 0):>7}  {note}"
        print_lines(line.rstrip())
    say(f"{in_words(progress.counts())} of {len(asked.points)} in {_duration(seconds)}")


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"
