"""`naga ls`: a table of runs, for people, scripts, spreadsheets and papers."""

import argparse
import csv
import json
import math
import re
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from naga.compare.lineage import base_of, out_of_date
from naga.diagnose.freshness import freshness
from naga.errors import LockError, NagaError
from naga.paths import near
from naga.record.lockfile import ANOTHER_TOOL
from naga.runs.filter import check_keys, checked_key, keys_of, parse_filter, sort_key, value_of
from naga.runs.find import Run, look_for_runs
from naga.terminal import printable, say

_STANDARD = ("status", "diag", "started", "took", "task", "save_dir", "run_id")
_CSV = ("run_id", "save_dir", "status", "task", "started", "duration_s", "diag")
_NARROW = ("run_id", "task", "took", "diag", "started")  # what a narrow terminal does without, in this order
_LONGEST = 200  # letters of a cell: one odd run.lock must not push those of others out of the table
_COLOURS = {"finished": "green", "failed": "red", "killed": "red", "lost": "red", "running": "yellow"}
_MOST_RICH = 500  # rows from which on colours are not worth their time
_WARNED = 10  # locks that cannot be read and are named, each in its line
_GAP = 2
_LATEX = {sign: f"\\{sign}" for sign in "&%$#_{}"} | {
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": "$<$", ">": "$>$",
}  # fmt: skip


def ls(words: argparse.Namespace) -> int:
    """List the runs below a folder."""
    wanted = parse_filter(words.filter)
    columns = [checked_key(key, "--columns") for key in words.columns.split(",")] if words.columns else []
    sort_key(words.sort)  # what is wrong with it is said before anything is read
    runs = _found(words)
    check_keys((*wanted.keys, *columns, words.sort.removeprefix("-")), runs)
    further = {run_id: {"diag": diag} for run_id, diag in _freshness(runs, Path(words.root)).items()}
    runs = [run for run in runs if wanted.matches(run, **further.get(run.run_id, {}))]
    runs.sort(key=sort_key(words.sort, further))
    runs = runs[: words.limit] if words.limit is not None else runs
    if words.format == "json":
        print(json.dumps([_as_json(run, further.get(run.run_id, {})) for run in runs], indent=2, default=str))
    elif words.format == "table" and not runs:
        print(printable(f"no runs below '{words.root}'" + (" fit the filter" if words.filter else ""), lines=False))
    else:
        _PRINT[words.format](_Rows(runs, columns, further))
    return 0


def _found(words: argparse.Namespace) -> list[Run]:
    runs, odd = [], []
    for found in look_for_runs(words.root, archived=words.archived):
        if isinstance(found, Run):
            runs.append(found)
        elif found.hint != ANOTHER_TOOL:
            odd.append(found)
    _warn(odd)
    return runs


def _warn(odd: Sequence[LockError]) -> None:
    for error in odd[:_WARNED]:
        say(f"warning: left out: {error.message}")
    if len(odd) > _WARNED:
        say(f"warning: left out: {len(odd) - _WARNED} more that cannot be read")


def _freshness(runs: Sequence[Run], root: Path) -> dict[str, str]:
    try:
        return freshness(runs, root)
    except NagaError as error:
        say(f"warning: {error.message}: what is published is not known")
        return {}


def _as_json(run: Run, further: dict[str, Any]) -> dict[str, Any]:
    summary = run.summary
    simple = {key: value_of(run, key, further) for key in ("run_id", "save_dir", "status", "task", "started")}
    stale = list(out_of_date(run.record, base_of(run.record))) if summary.upstream else []
    return simple | {
        "duration_s": summary.duration_s,
        "diag": further.get("diag"),
        "out_of_date": bool(stale),
        "config": summary.config,
        "metrics": run.metrics,
        "tags": list(run.tags),
    }


class _Rows:
    """Runs, the columns that are shown of them, and the text of each cell."""

    def __init__(self, runs: Sequence[Run], columns: Sequence[str], further: dict[str, dict[str, Any]]) -> None:
        self.runs, self._further = runs, further
        self.is_chosen = bool(columns)
        self.columns = list(columns or _STANDARD)
        if not columns and any(run.tags for run in runs):
            self.columns.insert(2, "tags")

    def raw(self, run: Run, key: str) -> Any:
        """Give what a run has for a key."""
        return value_of(run, key, self._further.get(run.run_id, {}))

    def text(self, run: Run, key: str) -> str:
        """Write it so that a person reads it."""
        value = self.raw(run, key)
        if key == "save_dir":
            text = near(run.save_dir)
        elif key == "started":
            text = local_time(str(value))
        elif key in ("took", "duration_s"):
            text = took(value)
        else:
            text = shown(value)
        return printable(text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}...", lines=False)

    def cells(self) -> Iterator[list[str]]:
        """Give the rows."""
        for run in self.runs:
            yield [self.text(run, key) for key in self.columns]

    def varying(self) -> Iterator[str]:
        """Name what differs among the runs: first what was configured, then what was measured."""
        configs = (f"config.{key}" for run in self.runs for key in keys_of(run.summary.config) if key != "save_dir")
        metrics = (f"metrics.{key}" for run in self.runs for key in run.metrics)
        for key in dict.fromkeys((*configs, *metrics)):
            if len({shown(self.raw(run, key)) for run in self.runs}) > 1:
                yield key


def shown(value: Any) -> str:
    """Write a value of a cell."""
    if value is None:
        return ""
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    if isinstance(value, float):
        return f"{value:.6g}"
    return json.dumps(value, default=str) if isinstance(value, list | dict | bool) else str(value)


def local_time(started: str) -> str:
    """Write a time of a run.lock as it was on the clock of this machine."""
    try:
        return f"{datetime.fromisoformat(started).astimezone():%Y-%m-%d %H:%M:%S}"
    except (ValueError, OverflowError):  # the end of the year 9999, in a time zone to the east
        return started


def took(seconds: float | None) -> str:
    """Write a duration.

    Examples
    --------
    >>> took(0.031), took(3.14), took(75), took(7200)
    ('31 ms', '3.1 s', '1 min 15 s', '2 h 0 min')
    """
    if seconds is None or not math.isfinite(seconds):
        return "" if seconds is None else str(seconds)
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def _table(rows: _Rows) -> None:
    """Print a table as wide as the terminal is, and whole into a pipe."""
    if not sys.stdout.isatty():
        _plain_table(rows.columns, list(rows.cells()), None)
        return
    width = shutil.get_terminal_size().columns
    if not rows.is_chosen:
        _fit(rows, width)
    cells = list(rows.cells())
    print_row = _coloured if len(cells) <= _MOST_RICH else None
    _plain_table(rows.columns, cells, width, print_row)


def _fit(rows: _Rows, width: int) -> None:
    """Leave out what a narrow terminal has no room for, and show in a wide one what differs among the runs."""

    def used() -> int:
        cells = list(rows.cells())
        widths = [max(len(name), *(len(row[i]) for row in cells)) for i, name in enumerate(rows.columns)]
        return sum(widths) + _GAP * (len(widths) - 1)

    for name in _NARROW:
        if used() > width and name in rows.columns:
            rows.columns.remove(name)
    for key in rows.varying():
        rows.columns.insert(-2 if "run_id" in rows.columns else -1, key)
        if used() > width:
            rows.columns.remove(key)
            break


def _plain_table(
    names: Sequence[str], cells: Sequence[Sequence[str]], width: int | None, paint: Callable[[str], str] | None = None
) -> None:
    widths = [max(len(name), *(len(row[i]) for row in cells)) for i, name in enumerate(names)]
    if width is not None:
        _narrowed(widths, names, width)
    rights = [name in ("took", "duration_s") for name in names]
    for row in (names, *cells):
        words = [_cut(cell, size) for cell, size in zip(row, widths, strict=True)]
        padded = zip(words, widths, rights, strict=True)
        line = [cell.rjust(size) if right else cell.ljust(size) for cell, size, right in padded]
        if paint and row is not names and "status" in names:
            place = names.index("status")
            line[place] = line[place].replace(words[place], paint(words[place]))
        print((" " * _GAP).join(line).rstrip())


def _narrowed(widths: list[int], names: Sequence[str], width: int) -> None:
    """Make the widest columns narrower until the row fits; save_dir, which other commands take, is the last to lose."""
    while sum(widths) + _GAP * (len(widths) - 1) > width:
        able = [i for i, size in enumerate(widths) if size > 8 and names[i] != "save_dir"]
        if not able:
            return  # then it goes on in the next line of the terminal, and no letter is lost
        widths[max(able, key=lambda i: widths[i])] -= 1


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}\N{HORIZONTAL ELLIPSIS}"


def _coloured(status: str) -> str:
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    with console.capture() as painted:
        console.print(Text(status, style=_COLOURS.get(status, "")), end="")
    return painted.get()


def _csv(rows: _Rows) -> None:
    columns = rows.columns if rows.is_chosen else _CSV
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(columns)
    for run in rows.runs:
        values = (rows.raw(run, key) for key in columns)
        writer.writerow([printable(shown(value), lines=False) if not _is_number(value) else value for value in values])


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _markdown(rows: _Rows) -> None:
    for line in (rows.columns, ["---"] * len(rows.columns), *rows.cells()):
        print(f"| {' | '.join(_escaped_markdown(cell) for cell in line)} |")


def _escaped_markdown(cell: str) -> str:
    return cell if cell == "---" else re.sub(r"([\\`*_{}\[\]<>|])", r"\\\1", cell)


def _latex(rows: _Rows) -> None:
    print(f"\\begin{{tabular}}{{{'l' * len(rows.columns)}}}\n\\toprule")
    lines = [" & ".join("".join(_LATEX.get(sign, sign) for sign in cell) for cell in line) + r" \\"
             for line in (rows.columns, *rows.cells())]  # fmt: skip
    print("\n".join([lines[0], r"\midrule", *lines[1:], r"\bottomrule", r"\end{tabular}"]))


_PRINT: dict[str, Callable[[_Rows], None]] = {"table": _table, "csv": _csv, "markdown": _markdown, "latex": _latex}
