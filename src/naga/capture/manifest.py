"""The per-file lists beside a run.lock: one JSON object per file, link and empty folder."""

import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path

from naga.capture.hash_format import Entry
from naga.record.atomic import write_atomic

__all__ = ["add_inputs", "write_inputs", "write_outputs"]

_EMPTY = b"{"


def write_outputs(path: Path, entries: Iterable[Entry]) -> None:
    """Write the list of a run's outputs."""
    write_atomic(path, chain(_listed(entries), (b"\n",)))


def write_inputs(path: Path, entries: Mapping[str, Iterable[Entry]]) -> None:
    """Write the list of a run's inputs, under the key that each came from."""
    write_atomic(path, _keyed(_EMPTY, entries))


def add_inputs(path: Path, entries: Mapping[str, Iterable[Entry]]) -> None:
    """Add keys to a list of inputs."""
    write_atomic(path, _keyed(path.read_bytes().removesuffix(b"\n}\n"), entries))


def _keyed(before: bytes, entries: Mapping[str, Iterable[Entry]]) -> Iterator[bytes]:
    yield before
    separator = b"\n" if before == _EMPTY else b",\n"
    for key, items in entries.items():
        yield separator + json.dumps(key).encode() + b": "
        yield from _listed(items)
        separator = b",\n"
    yield b"\n}\n"


def _listed(entries: Iterable[Entry]) -> Iterator[bytes]:
    separator = b"[\n"
    for entry in entries:
        plain = {name: value for name, value in entry._asdict().items() if value is not None}
        # ASCII, with escapes: names that are not UTF-8 come back from `json.load` as the `str` that Python knows.
        yield separator + json.dumps(plain).encode()
        separator = b",\n"
    yield b"[]" if separator == b"[\n" else b"\n]"
