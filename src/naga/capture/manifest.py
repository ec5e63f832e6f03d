"""The per-file lists beside a run.lock: one JSON object per file, link and empty folder."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path

from naga.capture.tree_hash import Entry
from naga.record.atomic import write_atomic

__all__ = ["write_inputs", "write_outputs"]


def write_outputs(path: Path, entries: Iterable[Entry]) -> None:
    """Write the list of a run's outputs, one line each."""
    write_atomic(path, _listed(entries))


def write_inputs(path: Path, entries: Mapping[str, Iterable[Entry]]) -> None:
    """Write the list of a run's inputs under the key that each came from."""
    keys = [json.dumps(key).encode() + b": " + _listed(items).rstrip() for key, items in entries.items()]
    write_atomic(path, b"{\n" + b",\n".join(keys) + b"\n}\n")


def _listed(entries: Iterable[Entry]) -> bytes:
    # ASCII, with escapes: names that are not UTF-8 come back from `json.load` as the `str` that Python knows them by.
    return ("[\n" + ",\n".join(json.dumps(asdict(entry)) for entry in entries) + "\n]\n").encode()
