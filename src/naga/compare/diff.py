"""What differs between runs, part by part, according to their run.locks, their lists and git."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from naga.capture.code.changes import changed_files
from naga.capture.data.manifest import hashes_in, read_list
from naga.compare.inside import changes_inside
from naga.config.plain import differing_keys
from naga.errors import UsageError
from naga.frozen import dataclass
from naga.layout import INPUTS_LIST, OUTPUTS_LIST
from naga.record.schema import Code, to_plain
from naga.runs.find import Run, load_run
from naga.runs.metrics import last_publication
from naga.wording import did_you_mean, nearest

_PLACE = "${save_dir}"
_OF_THE_MACHINE = ("executable", "memory_bytes")  # they say where, not what with


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing in which runs differ.

    Parameters
    ----------
    key : str
        Of the configuration, of an input, of the environment or of a metric; or the path of a file.
    values : tuple
        One for each run, None where there is none: values, or hashes of files.
    note : str
        What changed inside, in a few words.
    """

    key: str
    values: tuple[Any, ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Diff:
    """What differs between runs; true where anything does.

    Parameters
    ----------
    runs : tuple of naga.Run
        What was compared.
    parts : mapping of str to tuple of Difference
        ``config``, ``code``, ``data``, ``environment``, ``outputs`` and ``metrics``, or those that were asked for.
    unknown : mapping of str to str
        Parts that not all of the runs recorded, and why.
    """

    runs: tuple[Run, ...]
    parts: Mapping[str, tuple[Difference, ...]]
    unknown: Mapping[str, str]

    def __bool__(self) -> bool:
        """Return whether anything differs."""
        return any(self.parts.values())

    def to_dict(self) -> dict[str, list[dict[str, Any]]]:
        """Return the parts as ``naga diff --format json`` prints them."""
        return {
            name: [{"key": found.key, "values": list(found.values)} for found in part]
            for name, part in self.parts.items()
        }


def diff(
    a: Run | str | os.PathLike[str],
    b: Run | str | os.PathLike[str],
    *more: Run | str | os.PathLike[str],
    only: Iterable[str] = (),
) -> Diff:
    """Compare runs: configuration, code, data, environment, outputs and metrics.

    What always differs between runs is left out: save_dir and what derives from it, run_id, times, host and process.

    Parameters
    ----------
    a, b, *more : naga.Run or path
        The runs, or whatever names one.
    only : iterable of str
        The parts to compare. Default: all.

    Returns
    -------
    Diff

    Examples
    --------
    >>> import naga
    >>> naga.diff("results/a", "results/b").to_dict()  # doctest: +SKIP
    {'config': [{'key': 'lr', 'values': [0.1, 0.2]}], 'code': [], ...}
    """
    wanted = tuple(only) or PARTS
    for name in wanted:
        if name not in _COMPARED:
            raise UsageError(
                f"{name!r} is not a part of a run", hint=did_you_mean(nearest(name, _COMPARED), list(_COMPARED))
            )
    runs = tuple(run if isinstance(run, Run) else load_run(run) for run in (a, b, *more))
    unknown = {part: reason for part in wanted if (reason := _unknown(part, runs))}
    return Diff(runs, {name: tuple(_COMPARED[name](runs)) for name in PARTS if name in wanted}, unknown)


def _unknown(part: str, runs: Sequence[Run]) -> str:
    """Say why a part is not known of all runs: nothing found to differ does not mean that all is equal."""
    for run in runs:
        record, where = run.record, run.save_dir.name
        missing = {
            "code": next((code.reason or "" for code in record.code if not code.commit), "" if record.code else "none"),
            "data": next((f"{key}: {data.reason}" for key, data in record.data.items() if not data.hash), ""),
            "environment": "" if record.environment else "none",
            "outputs": ""
            if record.outputs and record.outputs.hash
            else getattr(record.outputs, "reason", "") or "none",
            "metrics": "" if last_publication(run.save_dir) else "not published",
        }
        if reason := missing.get(part):
            return f"not recorded of {where}" if reason == "none" else f"{where}: {reason}"
    return ""


def _rows(tables: Sequence[Mapping[str, Any]]) -> Iterator[Difference]:
    """Find the keys whose values differ between tables; a missing value is None."""
    for key in dict.fromkeys(key for table in tables for key in table):
        there = [{"": table[key]} if key in table else {} for table in tables]
        if any(differing_keys(there[0], other) for other in there[1:]):
            yield Difference(key, tuple(table.get(key) for table in tables))


def _flat(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for name, item in value.items():
            yield from _flat(item, f"{key}.{name}" if key else str(name))
    elif key:
        yield key, value


def _config(runs: Sequence[Run]) -> Iterator[Difference]:
    return _rows([_config_of(run) for run in runs])


def _config_of(run: Run) -> dict[str, Any]:
    config = {key: value for key, value in run.record.config.items() if key != "save_dir"}
    ended = {f"config_end.{key}": value for key, value in _flat(run.record.config_end)}
    places = {run.record.save_dir, str(Path(run.record.process.cwd, run.record.save_dir))} - {""}
    return {key: _without_place(value, places) for key, value in (dict(_flat(config)) | ended).items()}


def _without_place(value: Any, places: Iterable[str]) -> Any:
    """Replace save_dir by a placeholder in what derives from it: it differs between any two runs."""
    if isinstance(value, list):
        return [_without_place(item, places) for item in value]
    if isinstance(value, str):
        for place in places:
            if value == place or value.startswith(f"{place}/"):
                return _PLACE + value[len(place) :]
    return value


def _code(runs: Sequence[Run]) -> Iterator[Difference]:
    known = paired(runs)
    names = list(dict.fromkeys(name for codes in known for name in codes))
    for name in names:
        codes = [own.get(name) for own in known]
        yield from _repository(codes, f"{name}/" if len(names) > 1 else "", name)


def paired(runs: Sequence[Run]) -> list[dict[str, Code]]:
    """Return the repositories of each run by name; the task's own by that of the first run, as in another worktree."""
    own = next((run.record.code[0].name for run in runs if run.record.code), "")
    tables = []
    for run in runs:
        named = {code.name: code for code in run.record.code}
        if named and own not in named:
            named = {own: run.record.code[0]} | {code.name: code for code in run.record.code[1:]}
        tables.append(named)
    return tables


def _repository(codes: Sequence[Code | None], prefix: str, name: str) -> Iterator[Difference]:
    trees = [code.tree if code else None for code in codes]
    if len(set(trees)) == 1:
        return
    files = changed_files([Path(code.path) for code in codes if code], trees) if all(trees) else None
    if files is None:
        shown = tuple(code and (code.commit or code.reason) for code in codes)
        others = len({code.remote or code.path for code in codes if code}) > 1
        yield Difference(name, shown, "different repositories" if others else "commits that are not both here")
        return
    for path, file in files.items():
        yield Difference(f"{prefix}{path}", file.blobs, file.lines)


def _data(runs: Sequence[Run]) -> Iterator[Difference]:
    lists = [read_list(run.save_dir, INPUTS_LIST) for run in runs]
    for row in _rows([{key: data.hash for key, data in run.record.data.items()} for run in runs]):
        yield row
        below = [files.get(row.key) if isinstance(files, dict) else None for files in lists]
        if all(isinstance(files, list) for files in below):
            tables = [hashes_in(files) for files in below]
            yield from (
                Difference(f"{row.key}/{inner.key}", inner.values)
                for inner in _rows(tables)
                if max(map(len, tables)) > 1
            )


def _environment(runs: Sequence[Run]) -> Iterator[Difference]:
    tables = []
    for run in runs:
        plain = to_plain(run.record.environment) if run.record.environment else {}
        known = {key: value for key, value in plain.items() if key not in _OF_THE_MACHINE}
        known["gpus"] = [
            " ".join(filter(None, (gpu.get("name"), gpu.get("driver")))) for gpu in plain.get("gpus", [])
        ] or None
        tables.append({key: value for key, value in _flat(known) if value is not None})
    return _rows(tables)


def _outputs(runs: Sequence[Run]) -> Iterator[Difference]:
    hashes = [run.record.outputs.hash if run.record.outputs else None for run in runs]
    if len(set(hashes)) == 1:
        return
    lists = [read_list(run.save_dir, OUTPUTS_LIST) for run in runs]
    rows = list(_rows([hashes_in(files) for files in lists])) if all(isinstance(files, list) for files in lists) else []
    for row in rows:
        inside = changes_inside([run.save_dir for run in runs], row.key, row.values) if len(runs) == 2 else ""
        yield Difference(row.key, row.values, inside)
    if not rows:
        yield Difference("outputs", tuple(hashes), "the lists of files are not here")


def _metrics(runs: Sequence[Run]) -> Iterator[Difference]:
    for row in _rows([last_publication(run.save_dir).get("metrics", {}) for run in runs]):
        numbers = [value for value in row.values if isinstance(value, int | float)]
        is_pair = len(row.values) == len(numbers) == 2
        yield replace(row, note=f"{numbers[1] - numbers[0]:+.6g}") if is_pair else row


_COMPARED: dict[str, Callable[[Sequence[Run]], Iterator[Difference]]] = {
    "config": _config,
    "code": _code,
    "data": _data,
    "environment": _environment,
    "outputs": _outputs,
    "metrics": _metrics,
}
PARTS = tuple(_COMPARED)
