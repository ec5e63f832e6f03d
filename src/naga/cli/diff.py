"""`naga diff`: what differs between runs, a line each."""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table

from naga.capture.code.changes import patch
from naga.cli.tables import ended, plain, print_table
from naga.compare.diff import Diff, Difference, diff, paired
from naga.errors import UsageError
from naga.paths import near
from naga.runs.find import Run

if TYPE_CHECKING:
    from naga.diagnose.batch.why import Crossed

_OF_FILES = ("code", "data", "outputs")


def diff_runs(words: argparse.Namespace) -> int:
    """Print what differs between runs; 1 where anything does."""
    if len(words.runs) < 2:
        raise UsageError("a diff needs two runs", hint="naga diff results/a results/b")
    found = diff(*words.runs, only=[name.strip() for name in words.only.split(",")] if words.only is not None else ())
    if words.why and len(found.runs) != 2:
        raise UsageError(f"--why explains two runs, not {len(found.runs)}", hint="naga diff results/a results/b --why")
    why = _why(*found.runs) if words.why else []
    if words.format == "json":
        crossed = [{"key": one.key, "values": list(one.values), "because": one.because} for one in why]
        print(json.dumps(found.to_dict() | ({"why": crossed} if words.why else {}), indent=2, default=str))
    else:
        _print(found)
        if words.why:
            _print_why(why)
        if words.patch:
            sys.stdout.flush()
            print("".join(_patches(found)), end="")
    return 1 if found else 0


def _print(found: Diff) -> None:
    table = Table(box=None, pad_edge=False, show_header=False)
    for place in range(len(found.runs) + 2):
        table.add_column(style="bold" if place == 0 else "", overflow="fold")
    table.add_row("run", "", *(plain(run.run_id) for run in found.runs))
    table.add_row("folder", "", *(plain(near(run.save_dir)) for run in found.runs))
    table.add_row("status", "", *(plain(ended(run)) for run in found.runs))
    for name, part in found.parts.items():
        if not part:
            table.add_row(name, "", plain(found.unknown.get(name, "same")))
        for place, row in enumerate(part):
            table.add_row(name if place == 0 else "", plain(row.key), *map(plain, _cells(name, row)))
    print_table(table)


def _why(a: Run, b: Run) -> "list[Crossed]":
    from naga.diagnose.batch.why import why_metrics_differ  # a diff without it needs nothing of diags

    return why_metrics_differ(a, b)


def _print_why(why: "Sequence[Crossed]") -> None:
    table = Table(box=None, pad_edge=False)
    for heading in ("metric", "first diag: first", "second results", "second diag: first", "second results"):
        table.add_column(heading)
    for one in why:
        table.add_row(plain(one.key), *(plain("-" if value is None else f"{value:.6g}") for value in one.values))
    if why:
        print_table(table)
    print("\n".join(one.sentence() for one in why) or "no metric differs")


def _cells(part: str, row: Difference) -> Iterator[str]:
    """Show two hashes of a file as what became of the file, and anything else as it is."""
    if part in _OF_FILES and len(row.values) == 2:
        before, after = row.values
        yield "added" if before is None else "removed" if after is None else "changed"
        yield row.note
        return
    *others, last = map(_shown, row.values)
    yield from others
    yield f"{last} ({row.note})" if row.note else last  # no column of its own, for which the others become narrow


def _shown(value: Any) -> str:
    if value is None:
        return "-"
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return text.removeprefix("blake3:")[:12] if text.startswith("blake3:") or _is_blob(text) else text


def _is_blob(text: str) -> bool:
    return len(text) in (40, 64) and all(char in "0123456789abcdef" for char in text)


def _patches(found: Diff) -> Iterator[str]:
    first, *others = paired(found.runs)
    for other in others:
        for name, before in first.items():
            after = other.get(name)
            if after and before.tree and after.tree and before.tree != after.tree:
                yield patch([Path(before.path), Path(after.path)], [before.tree, after.tree], paged=sys.stdout.isatty())
