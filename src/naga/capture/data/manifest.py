"""The per-file lists beside a run.lock: one JSON object per file, link and empty folder."""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Any

from naga.errors import LockError
from naga.hashing.format import HashedFile, Tree
from naga.layout import OUTPUTS_LIST, naga_folder
from naga.record.atomic import write_atomic
from naga.record.opener import MAX_LIST_BYTES, read_inside, read_json

_EMPTY = b"{"


def write_outputs(path: Path, entries: Iterable[HashedFile]) -> None:
    """Write the list of a run's outputs."""
    write_atomic(path, chain(_listed(entries), (b"\n",)))


def write_inputs(path: Path, entries: Mapping[str, Iterable[HashedFile]]) -> None:
    """Write the list of a run's inputs, under the key that each came from."""
    write_atomic(path, _keyed(_EMPTY, entries))


def add_inputs(path: Path, entries: Mapping[str, Iterable[HashedFile]]) -> None:
    """Add keys to a list of inputs, whatever the task may have put in its place."""
    before = _EMPTY
    with suppress(OSError, LockError):
        before = read_inside(path.parent, path, MAX_LIST_BYTES).removesuffix(b"\n}\n")
    write_atomic(path, _keyed(before, entries))


def _keyed(before: bytes, entries: Mapping[str, Iterable[HashedFile]]) -> Iterator[bytes]:
    yield before
    separator = b"\n" if before == _EMPTY else b",\n"
    for key, items in entries.items():
        yield separator + json.dumps(key).encode() + b": "
        yield from _listed(items)
        separator = b",\n"
    yield b"\n}\n"


def _listed(entries: Iterable[HashedFile]) -> Iterator[bytes]:
    separator = b"[\n"
    for path, kind, size, digest, run_id in entries:
        # By hand: `json.dumps` of a mapping takes four times as long. Names that are not UTF-8 become escapes, which
        # `json.load` turns into the `str` by which Python knows them.
        known = f'"hash": "{digest}"' if digest else '"reason": "too large to be hashed"'
        line = f'{{"path": {json.dumps(path)}, "kind": "{kind}", "size_bytes": {size}, {known}'
        line += f', "run_id": {json.dumps(run_id)}}}' if run_id else "}"
        yield separator + line.encode()
        separator = b",\n"
    yield b"[]" if separator == b"[\n" else b"\n]"


def listed(entries: list[Any]) -> dict[str, str]:
    """Read the hash of each path out of a list that was read from JSON; '' where it was too large to be hashed."""
    found = {entry["path"]: entry.get("hash", "") for entry in entries}
    if not all(isinstance(text, str) for pair in found.items() for text in pair):
        raise TypeError("a path or a hash is not text")
    return found


def read_list(save_dir: Path, name: str) -> Any:
    """Read one of the lists of a run; None where it cannot be read."""
    try:
        return read_json(save_dir, naga_folder(save_dir) / name)
    except (OSError, LockError):
        return None


def hashes_in(entries: Any) -> dict[str, str]:
    """Read what `listed` reads; empty where the list is none."""
    try:
        return listed(entries) if isinstance(entries, list) else {}
    except (KeyError, TypeError):
        return {}


def listed_outputs(save_dir: Path) -> dict[str, str]:
    """Return the hash of each output of a run by its path, from its list; empty where that cannot be read."""
    return hashes_in(read_list(save_dir, OUTPUTS_LIST))


def compare(expected: Mapping[str, str], tree: Tree) -> Iterator[str]:
    """Name each path that differs from what was expected, sorted."""
    found = {entry.path: entry.hash for entry in tree.entries()}
    for path in sorted(expected.keys() | found.keys()):
        if path not in found:
            yield f"missing: {path}"
        elif path not in expected:
            yield f"new: {path}"
        elif expected[path] and found[path] != expected[path]:
            yield f"changed: {path}"
