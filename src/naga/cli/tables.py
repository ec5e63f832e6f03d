"""How runs look on a terminal."""

import io
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from naga.cli.ls import local_time
from naga.compare.lineage import out_of_date
from naga.record import yaml_text
from naga.record.schema import Code, Data, Record
from naga.runs.find import Run
from naga.secrets import MARK, redacted_keys
from naga.terminal import printable
from naga.wording import first_of, plural, took

_COLOURS = {"finished": "green", "failed": "red", "killed": "red", "lost": "red", "running": "yellow"}


def print_run(run: Run) -> None:
    """Print one run as a table."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in _lines(run):
        table.add_row(name, value)
    print_table(table)


def _lines(run: Run) -> Iterator[tuple[str, Text | str]]:
    record = run.record
    yield "run", plain(f"{run.run_id}  ({record.task})")
    yield "status", _ending(run)
    yield "folder", plain(str(run.save_dir))
    who = f"{record.process.host} by {record.process.user or 'unknown'}"
    yield "started", plain(f"{local_time(record.started)} on {who}")
    yield from _section("tags", [", ".join(run.tags)])
    yield from _section("note", [run.note])
    yield from _section("out of date", out_of_date(run))
    yield from _section("config", _config_lines(record.config))
    yield from _section("redacted", [", ".join(_redacted(record))])
    yield from _section("code", (_code_line(code) for code in record.code))
    yield from _section("data", (_data_line(key, data) for key, data in record.data.items()))
    yield from _section("upstream", (f"{up.save_dir}  (run {up.run_id})" for up in record.upstream))
    if record.outputs:
        outputs = record.outputs
        counted = f"{_files(outputs.files)}, {size_text(outputs.size_bytes or 0)}" if outputs.files is not None else ""
        yield "outputs", plain("; ".join(filter(None, (counted, outputs.reason))))
    if record.environment:
        packages = len(record.environment.packages)
        yield "python", plain(f"{record.environment.python}, {packages} packages, {record.environment.platform}")
    yield from _section("warnings", record.warnings)
    if record.error:
        text = record.error.traceback or f"{record.error.type}: {record.error.message}"
        yield "error", plain(text, lines=True)


def _redacted(record: Record) -> Iterator[str]:
    """Name the values of the run that its run.lock has redacted."""
    yield from (".".join(map(str, keys)) for keys in redacted_keys(record.config | record.config_end))
    if any(MARK in word for word in record.process.argv):
        yield "(command line)"


def _section(name: str, lines: Iterable[str]) -> Iterator[tuple[str, Text]]:
    text = "\n".join(lines)
    if text:
        yield name, plain(text, lines=True)


def _ending(run: Run) -> Text:
    text = _status(run)
    if run.record.duration_s is not None:
        text.append(f" after {took(run.record.duration_s)}", style="not bold default")
    if run.record.attempt > 1:
        text.append(f", attempt {run.record.attempt}", style="not bold default")
    return text


def _config_lines(config: Mapping[Any, Any]) -> list[str]:
    return yaml_text.dump(dict(config)).splitlines() if config else []


def _code_line(code: Code) -> str:
    if code.commit is None:
        return f"{code.name}: {code.reason}"
    changes = " with uncommitted changes" if code.dirty else ""
    skipped = f"; not stored: {first_of((entry.path for entry in code.skipped), 3)}" if code.skipped else ""
    return f"commit {code.commit[:10]} of {code.name}{changes}{skipped}"


def _data_line(key: str, data: Data) -> str:
    if data.hash is None:
        return f"{key} = {data.path}: {data.reason}"
    return f"{key} = {data.path}  {data.hash[:19]}  ({_files(data.files or 0)}, {size_text(data.size_bytes or 0)})"


def ended(run: Run) -> str:
    """Say how a run ended, and how long it took."""
    return _ending(run).plain


def _status(run: Run) -> Text:
    return Text(run.status, style=_COLOURS.get(run.status, ""))


def plain(text: str, *, lines: bool = False) -> Text:
    """Show text literally, without interpreting markup or control characters."""
    return Text(printable(text, lines=lines))  # rich would read brackets as markup


def size_text(size_bytes: float) -> str:
    """Write a size as people read it."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size_bytes < 1024:
            return f"{size_bytes:.0f} {unit}" if unit == "B" else f"{size_bytes:.1f} {unit}"
        size_bytes /= 1024
    return f"{size_bytes:.1f} TiB"


def _files(count: int) -> str:
    return plural(count, "file")


def failures_table(failures: Sequence[tuple[str, str]]) -> None:
    """Print which runs failed, and the first line of each reason; nothing where none did."""
    if not failures:
        return
    table = Table("failed", "why", box=None, pad_edge=False, header_style="bold")
    for run, reason in failures:
        table.add_row(plain(run), plain(reason))
    print_table(table)


def print_table(table: Table) -> None:
    """Print a table as wide as the terminal is, and whole into a pipe."""
    if sys.stdout.isatty():
        Console(highlight=False).print(table)
        return
    # A pipe has no width: cutting lines to 80 columns would lose what a script looks for.
    console = Console(width=10_000, highlight=False, file=io.StringIO())
    with console.capture() as text:
        console.print(table)
    print("\n".join(line.rstrip() for line in text.get().splitlines()))
