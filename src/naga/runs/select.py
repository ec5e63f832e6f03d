"""Selecting runs by their names, by a pattern, or by a filter."""

import os
import re
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

from naga.errors import RunNotFoundError, UsageError
from naga.layout import ARCHIVE
from naga.runs.filter import Filter, check_keys
from naga.runs.find import Run, each_run, load_run, nearest_folder

_MAGIC = re.compile(r"[*?\[]")
_PIECES = {"**/": "(?:.*/)?", "/**": "(?:/.*)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
_PIECE = re.compile(r"\*\*/|/\*\*|\*\*|\*|\?|\[[^\]]*\]")


def select_runs(names: Sequence[str], wanted: Filter) -> list[Run]:
    """Find the runs of all names and patterns that match a filter, the oldest first."""
    if "diag" in wanted.keys:
        raise UsageError("--filter: whether a publication is stale is not known of runs here", hint="--stale")
    found = {run.save_dir: run for name in names or ["**"] for run in _named(name)}
    check_keys(wanted.keys, list(found.values()))
    return sorted((run for run in found.values() if wanted.matches(run)), key=lambda run: run.summary.started)


def is_pattern(name: str) -> bool:
    """Return whether a word is a pattern, and not the name of one run."""
    return bool(_MAGIC.search(name)) and not os.path.exists(name)  # noqa: PTH110  # a name that is too long is none


def _named(name: str) -> Iterator[Run]:
    if not is_pattern(name):
        yield load_run(name)
        return
    known = [part for part in Path(name).parts if part]
    fixed = next(place for place, part in enumerate(known) if _MAGIC.search(part))
    base = Path(*known[:fixed]).absolute()
    fits = re.compile(_regular(str(Path(base, *known[fixed:]))), re.DOTALL)
    runs = [run for run in each_run(base, archived=ARCHIVE in name) if fits.fullmatch(str(run.save_dir))]
    if not runs:
        raise RunNotFoundError(f"no run fits '{name}'", hint=f"naga ls {shlex.quote(nearest_folder(base / '*'))}")
    yield from runs


def _regular(pattern: str) -> str:
    """Translate a pattern to a regular expression."""
    written, at = "", 0
    for piece in _PIECE.finditer(pattern):
        written += re.escape(pattern[at : piece.start()]) + _PIECES.get(piece[0], piece[0].replace("[!", "[^"))
        at = piece.end()
    return written + re.escape(pattern[at:])
