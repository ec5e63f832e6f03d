"""Comparing what is on the disk with lists of hashes."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

from naga.capture.data.manifest import compare, listed
from naga.capture.data.outputs import hash_outputs
from naga.errors import DataError, LockError
from naga.hashing.hash_tree import hash_path
from naga.layout import OWN_FOLDER
from naga.record.opener import MAX_LIST_BYTES, read_inside

_LINE = re.compile(r"(blake3:[0-9a-f]{64})  (.+)")


def check(manifest: Path) -> tuple[str, ...]:
    """Compare what is on the disk with a list, reading all of it."""
    try:
        text = _read(manifest).decode()
    except (OSError, ValueError, LockError) as error:
        raise DataError(f"cannot read '{manifest}': {getattr(error, 'strerror', None) or error}") from None
    if text.startswith("["):
        return tuple(_check_outputs(manifest, text))
    if text.startswith("{"):
        raise DataError(f"'{manifest}' lists the inputs of a run", hint="naga verify RUN looks at them")
    return tuple(_check_lines(manifest, text))


def _read(manifest: Path) -> bytes:
    """Read a list that the user names, following links; one of a run only from within its folder."""
    file = manifest.absolute()
    if file.parent.name == OWN_FOLDER:
        return read_inside(file.parent.parent, file, MAX_LIST_BYTES)
    real = file.resolve()
    return read_inside(real.parent, real, MAX_LIST_BYTES)


def _check_lines(manifest: Path, text: str) -> Iterator[str]:
    for number, line in enumerate(text.splitlines(), 1):
        if not (match := _LINE.fullmatch(line)):
            raise DataError(f"'{manifest}', line {number} is not a hash and a path: {line[:80]!r}")
        expected, path = match.groups()
        try:
            if hash_path(Path(path), fresh=True).hash != expected:
                yield f"changed: {path}"
        except DataError as error:
            yield f"missing: {path} ({error.message})"


def _check_outputs(manifest: Path, text: str) -> Iterator[str]:
    save_dir = manifest.absolute().parent.parent
    try:
        expected = listed(json.loads(text))
    except (ValueError, KeyError, TypeError, RecursionError):
        raise DataError(f"'{manifest}' is not a list of outputs") from None
    return compare(expected, hash_outputs(save_dir))
