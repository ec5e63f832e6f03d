"""What one publication to MLflow says, complete before anything is written."""

import hashlib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from naga.frozen import dataclass


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

    ``key`` is what its predecessors are searched by. ``run_id`` and ``place`` tell whether one that is found is of the
    same run or folder, and ``former`` are the runs that lay in this folder before. ``archived`` says that a newer run
    has taken its path.
    """

    name: str
    key: str
    run_id: str
    place: str
    former: frozenset[str]
    archived: bool
    tags: Mapping[str, str]
    params: tuple[dict[str, str], ...]
    artifacts: tuple[Path, ...]
    datasets: tuple[Dataset, ...]


def logical_run_id(save_dir: str) -> str:
    """Write a save_dir in its one shortest form.

    Examples
    --------
    >>> {logical_run_id(name) for name in ("results/a", "./results/a", "results//a/")}
    {'results/a'}
    """
    return str(PurePosixPath(save_dir))


def logical_run_key(logical_id: str) -> str:
    """Hash a logical id: what MLflow is searched by, since its filters cannot express every path."""
    return hashlib.sha256(logical_id.encode(errors="surrogateescape")).hexdigest()
