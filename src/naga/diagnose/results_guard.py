"""Whether a diag has left the results of its run unchanged."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from naga.capture.data.manifest import listed_outputs
from naga.capture.data.outputs import list_outputs
from naga.errors import DataError, DiagError
from naga.hashing.hash_tree import hash_path
from naga.hashing.listing import join, name_of, state_of
from naga.terminal import say
from naga.wording import first_of

T = TypeVar("T")

_SHOWN = 5
_HINT = "naga.diag_dir() gives a diag a folder of its own"


def require_untouched(save_dir: Path, body: Callable[[], T], *, strict: bool = False) -> T:
    """Run a diag's body, and warn if it has changed the results of its run.

    What counts are the files that the run's manifest lists; they are read only where size, time or inode have changed.
    """
    before = _states(save_dir)
    result = body()
    changes = list(_changes(save_dir, before, _states(save_dir)))
    if changes:
        problem = f"the diag changed the results in '{save_dir}': {first_of(changes, _SHOWN)}"
        if strict:
            raise DiagError(problem, hint=_HINT)
        say(f"warning: {problem} ({_HINT})")
    return result


def _states(save_dir: Path) -> dict[bytes, bytes]:
    """Return the state of each file and link, without reading any."""
    states: dict[bytes, bytes] = {}
    try:
        for folder in list_outputs(save_dir).folders:
            states.update((join(folder.path, name_of(row)), state_of(row)) for row in folder.rows)
            states.update((join(folder.path, name), target) for name, target in folder.links)
    except DataError:  # what cannot be listed cannot be compared
        return {}
    return states


def _changes(save_dir: Path, before: dict[bytes, bytes], after: dict[bytes, bytes]) -> Iterator[str]:
    if before == after or not before:
        return
    manifest = listed_outputs(save_dir)
    for path in sorted(before.keys() | after.keys()):
        name = os.fsdecode(path)
        if path not in after:
            yield f"{name} is gone"
        elif path not in before:
            yield f"{name} is new"
        elif before[path] != after[path] and not _is_as_listed(save_dir / name, manifest.get(name)):
            yield f"{name} has changed"


def _is_as_listed(file: Path, expected: str | None) -> bool:
    """Return whether a file that was touched still has its content."""
    try:
        return expected is not None and hash_path(file, fresh=True).hash == expected
    except DataError:
        return False
