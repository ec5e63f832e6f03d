"""`naga ls`: a table of runs, for people, scripts, spreadsheets and papers."""

import argparse
import csv
import gc
import json
import re
import shutil
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from naga.compare.lineage import Lineage
from naga.diagnose.freshness import freshness
from naga.errors import LockError, NagaError
from naga.paths import near
from naga.record.lockfile import ANOTHER_TOOL
from naga.runs.filter import check_keys, checked_key, items_of, parse_filter, sort_key, value_of
from naga.runs.find import Run, look_for_runs
from naga.terminal import printable, say
from naga.wording import ended, took

_STANDARD = ("status", "diag", "started", "took", "task", "save_dir", "run_id")
_CSV = ("run_id", "save_dir", "status", "task", "started", "duration_s", "diag")
_NARROW = ("run_id", "task", "took", "diag", "started")  # what a narrow terminal does without, in this order
_COLOURS = {"finished": "green", "failed": "red", "killed": "red", "lost": "red", "running": "yellow"}
_MOST_COLOURED = 500  # rows; more than these are read in a pager
_WARNED = 10  # locks that cannot be read and are named, each in its line
_GAP = 2
_LATEX = {sign: f"\\{sign}" for sign in "&%$#_{}"} | {
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": "$<$", ">": "$>$",
}  # fmt: skip


def ls(words: argparse.Namespace) -> int:
    """List the runs below a folder."""
    gc.disable()  # of a hundred thousand runs there is a second's worth of looking for circles, and none
    wanted = parse_filter(words.filter)
    columns = [checked_key(key, "--columns") for key in words.columns.split(",")] if words.columns else []
    sort_key(words.sort)  # what is wrong with it is said before anything is read
    runs = _found(words)
    check_keys((*wanted.keys, *columns, words.sort.removeprefix("-")), runs)
    diags = _freshness(runs, Path(words.root))
    for run in runs:
        run.diag = diags.get(run.run_id)
    lineage = Lineage(runs)
    runs = sorted(filter(wanted.matches, runs), key=sort_key(words.sort))
    first = runs[: words.limit]
    if words.format == "json":
        print(json.dumps([_as_json(run, lineage) for run in first], indent=2, default=str))
    elif words.format == "table" and not runs:
        print(printable(f"no runs below '{words.root}'" + (" fit the filter" if words.filter else ""), lines=False))
    else:
        _PRINT[words.format](_Rows(first, columns, lineage))
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


def _as_json(run: Run, lineage: Lineage) -> dict[str, Any]:
    simple = {key: value_of(run, key) for key in ("run_id", "save_dir", "status", "task", "started", "duration_s")}
    return simple | {
        "diag": run.diag,
        "out_of_date": lineage.is_out_of_date(run),
        "config": run.summary.config,
        "metrics": run.metrics,
        "tags": list(run.tags),
    }


class _Rows:
    """Runs, the columns that are shown of them, and the text of each cell."""

    def __init__(self, runs: Sequence[Run], columns: Sequence[str], lineage: Lineage) -> None:
        self.runs, self._lineage = runs, lineage
        self.is_chosen = bool(columns)
        self.columns = list(columns or _STANDARD)
        self._written: dict[str, list[str]] = {}
        self._widths: dict[str, int] = {}
        if not columns and any(run.tags for run in runs):
            self.columns.insert(2, "tags")

    def column(self, key: str) -> list[str]:
        """Write the values that the runs have for a key, for a person to read."""
        if key not in self._written:
            write = _WRITE.get(key, shown)
            texts = [write(value_of(run, key)) for run in self.runs]
            if key == "status":
                old = map(self._lineage.is_out_of_date, self.runs)
                texts = [f"{text}, out of date" if is_old else text for text, is_old in zip(texts, old, strict=True)]
            self._written[key] = [printable(ended(text), lines=False) for text in texts]
        return self._written[key]

    def cells(self) -> Iterator[tuple[str, ...]]:
        """Return the rows."""
        return zip(*(self.column(key) for key in self.columns), strict=True)

    def widths(self) -> list[int]:
        """Return the cells of the terminal that each column takes, its name included."""
        for key in self.columns:
            if key not in self._widths:
                self._widths[key] = max(cell_widths((key, *self.column(key))))
        return [self._widths[key] for key in self.columns]

    def varying(self) -> Iterator[str]:
        """Name what differs among the runs: first what was configured, then what was measured."""
        values, counts = defaultdict(set), Counter[str]()
        for run in self.runs:
            metrics = ((f"metrics.{key}", value) for key, value in run.metrics.items())
            for key, value in (*items_of(run.summary.config, "config."), *metrics):
                values[key].add(shown(value))
                counts[key] += 1
        for key in sorted(values, key=lambda key: key.startswith("metrics.")):
            if key != "config.save_dir" and (len(values[key]) > 1 or counts[key] < len(self.runs)):
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
    """Write a time of a run.lock in the time zone of this machine."""
    try:
        return f"{datetime.fromisoformat(started).astimezone():%Y-%m-%d %H:%M:%S}"
    except (ValueError, OverflowError):  # the end of the year 9999, in a time zone to the east
        return started


def cell_widths(texts: Sequence[str]) -> list[int]:
    """Return the widths of texts on a terminal, where one letter may take two cells."""
    if all(map(str.isascii, texts)):
        return [*map(len, texts)]
    from rich.cells import cell_len

    return [*map(cell_len, texts)]


def _table(rows: _Rows) -> None:
    """Print a table as wide as the terminal is, and whole into a pipe."""
    if not sys.stdout.isatty():
        _print_columns(rows, rows.widths())
        return
    width = shutil.get_terminal_size().columns
    if not rows.is_chosen:
        _fit(rows, width)
    widths = rows.widths()
    _narrow(widths, rows.columns, width)
    _print_columns(rows, widths, _coloured if len(rows.runs) <= _MOST_COLOURED else None)


def _fit(rows: _Rows, width: int) -> None:
    """Drop columns that do not fit a narrow terminal; on a wide one, add columns that differ among the runs."""

    def is_too_wide() -> bool:
        return sum(rows.widths()) + _GAP * (len(rows.columns) - 1) > width

    for name in _NARROW:
        if is_too_wide() and name in rows.columns:
            rows.columns.remove(name)
    for key in rows.varying():
        rows.columns.insert(-2 if "run_id" in rows.columns else -1, key)
        if is_too_wide():
            rows.columns.remove(key)


def _print_columns(rows: _Rows, widths: Sequence[int], paint: Callable[[str], str] | None = None) -> None:
    columns = []
    for key, width in zip(rows.columns, widths, strict=True):
        cells = [*_padded([key, *rows.column(key)], width, right=_WRITE.get(key) is took)]
        if key == "status" and paint:
            cells = [cells[0], *map(paint, cells[1:])]
        columns.append(cells)
    print("\n".join((" " * _GAP).join(line).rstrip() for line in zip(*columns, strict=True)))


def _narrow(widths: list[int], names: Sequence[str], width: int) -> None:
    """Make the widest columns narrower until the row fits; save_dir stays whole, since other commands take it."""
    while sum(widths) + _GAP * (len(widths) - 1) > width:
        able = [i for i, size in enumerate(widths) if size > 8 and names[i] != "save_dir"]
        if not able:
            return  # then it goes on in the next line of the terminal, and no letter is lost
        widths[max(able, key=lambda i: widths[i])] -= 1


def _padded(texts: Sequence[str], width: int, *, right: bool) -> Iterator[str]:
    """Fill cells up to a width, or cut them with a mark."""
    for text, own in zip(texts, cell_widths(texts), strict=True):
        if own > width:
            from rich.cells import set_cell_size

            yield set_cell_size(text, width - 1) + "\N{HORIZONTAL ELLIPSIS}"
        else:
            yield " " * (width - own) + text if right else text + " " * (width - own)


@cache
def _coloured(cell: str) -> str:
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    with console.capture() as painted:
        console.print(Text(cell, style=_COLOURS.get(cell.strip(), "yellow")), end="")
    return painted.get()


def _csv(rows: _Rows) -> None:
    columns = rows.columns if rows.is_chosen else _CSV
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(columns)
    for run in rows.runs:
        values = (value_of(run, key) for key in columns)
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


_WRITE: dict[str, Callable[[Any], str]] = {"save_dir": near, "started": local_time, "took": took, "duration_s": took}
_PRINT: dict[str, Callable[[_Rows], None]] = {"table": _table, "csv": _csv, "markdown": _markdown, "latex": _latex}
