"""The content of one publication to MLflow, complete before anything is written."""

import hashlib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from naga.frozen import dataclass

_ROOTS = frozenset({"results", "result", "outputs", "output", "out", "runs", "multirun", "experiments", "logs"})
_NAME_LIMIT = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """A tracked input, as MLflow's Dataset column shows it."""

    name: str
    digest: str
    source: str
    profile: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """One publication.

    ``key`` is what its predecessors are searched by. Its tags tell whether one that is found is of the same run or
    folder; ``former`` are the runs that were in this folder before. ``archived`` says that a newer run has its path.
    """

    name: str
    key: str
    run_id: str
    former: frozenset[str]
    archived: bool
    tags: Mapping[str, str]
    params: tuple[dict[str, str], ...]
    artifacts: tuple[Path, ...]
    datasets: tuple[Dataset, ...]


def logical_run_id(save_dir: str) -> str:
    """Write a save_dir in its shortest form.

    Examples
    --------
    >>> {logical_run_id(name) for name in ("results/a", "./results/a", "results//a/")}
    {'results/a'}
    """
    return str(PurePosixPath(save_dir))


def shown_name(logical_id: str, cwd: str) -> str:
    """Return the part of a logical id that identifies it for a reader: what is below the folder for all results.

    Examples
    --------
    >>> names = ("results/a", "multirun/2026-01-01/12-00/0", "prep/v2", "/home/ana/p/train/v2", "/disk/runs/b/v2")
    >>> [shown_name(name, "/home/ana/p") for name in names]
    ['a', '2026-01-01/12-00/0', 'prep/v2', 'train/v2', 'b/v2']
    """
    path = PurePosixPath(logical_id)
    if path.is_absolute():
        path = path.relative_to(cwd) if path.is_relative_to(cwd) else PurePosixPath(*path.parts[1:][-3:])
    parts = [part for part in path.parts if part != ".."]
    name = "/".join(parts[1:] if len(parts) > 1 and parts[0].lower() in _ROOTS else parts) or logical_id
    return name if len(name) <= _NAME_LIMIT else f"...{name[-_NAME_LIMIT:]}"


def logical_run_key(logical_id: str) -> str:
    """Hash a logical id: what MLflow is searched by, since its filters cannot express every path."""
    return hashlib.sha256(logical_id.encode(errors="surrogateescape")).hexdigest()
