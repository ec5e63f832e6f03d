"""What one publication will say, complete and checked before anything is written."""

import hashlib
import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from naga.diagnose.recipe import Recipe
from naga.diagnose.tags import Status, Tag
from naga.diagnose.values import TAG_LIMIT, batches, parameters, shortened
from naga.errors import DiagError
from naga.record.process import this_process
from naga.record.schema import Data, Record, to_plain
from naga.runs.find import Run

__all__ = ["Dataset", "Draft", "draft", "is_archived", "logical_run_id", "logical_run_key"]

ARCHIVE = ".archive"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """A tracked input, as MLflow's Dataset column shows it."""

    name: str
    digest: str
    source: str
    profile: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
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


def draft(
    run: Run, *, published_by: str, recipe: Recipe, diag_commit: str | None = None, log: Path | None = None
) -> Draft:
    """Say everything that is known of a run before its diag begins.

    Parameters
    ----------
    run : Run
        The run.
    published_by : str
        The name of the diag.
    recipe : Recipe
        What its page is made of.
    diag_commit : str, optional
        The commit that holds its code.
    log : Path, optional
        A log of the run, which is published beside its run.lock.

    Returns
    -------
    Draft

    Raises
    ------
    DiagError
        The run has no save_dir to be known by.
    """
    record = run.record
    if not record.save_dir:
        raise DiagError(f"run {record.run_id} has no save_dir to be known by in MLflow")
    logical_id = logical_run_id(record.save_dir)
    home, archived = _home(run)
    place = shortened(f"{socket.gethostname()}:{home}", TAG_LIMIT)
    tags = {
        Tag.LOGICAL_ID: shortened(logical_id, TAG_LIMIT),
        Tag.LOGICAL_KEY: logical_run_key(logical_id),
        Tag.STATUS: Status.PENDING,
        Tag.RUN_ID: record.run_id,
        Tag.LOCK_HASH: run.lock_hash,
        Tag.DIAG_KEY: recipe.key(run.lock_hash),
        Tag.PLACE: place,
        Tag.OWNER: _owner(),
        Tag.NOTE: shortened(_note(record, published_by), TAG_LIMIT),
        **({Tag.DIAG_COMMIT: diag_commit} if diag_commit else {}),
        **recipe.tags(),
        **_code(record),
    }
    return Draft(
        name=shortened(PurePosixPath(logical_id).name or logical_id, 200),
        key=tags[Tag.LOGICAL_KEY],
        run_id=record.run_id,
        place=place,
        former=_former(home),
        archived=archived,
        tags=tags,
        params=batches(parameters(record.config)),
        artifacts=(run.lock_path, *((log,) if log else ())),
        datasets=tuple(_dataset(key, data) for key, data in record.data.items() if data.hash),
    )


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


def _home(run: Run) -> tuple[Path, bool]:
    """Tell which folder a run was computed in: one that a newer run has replaced lies in the archive beside it."""
    name, mark, copy = run.save_dir.name.rpartition(f"~{run.run_id}")
    if run.save_dir.parent.name == ARCHIVE and mark and (not copy or copy.startswith("~")):
        return run.save_dir.parent.parent / name, True
    return run.save_dir, False


def is_archived(run: Run) -> bool:
    """Tell whether a newer run has taken the path of this one."""
    return _home(run)[1]


def _former(home: Path) -> frozenset[str]:
    """Name the runs that a folder held before: wherever it has been moved since, its history came along."""
    archive, mine = home.parent / ARCHIVE, f"{home.name}~"
    if not archive.is_dir():
        return frozenset()
    names = (entry.name.removeprefix(mine) for entry in archive.iterdir() if entry.name.startswith(mine))
    return frozenset(name.partition("~")[0] for name in names)


def _owner() -> str:
    process = this_process()
    return json.dumps({name: getattr(process, name) for name in ("host", "pid", "boot_id", "started_ticks")})


def _note(record: Record, published_by: str) -> str:
    # The table of runs shows the first line, unformatted.
    return (
        f"{record.task}: computed {record.started[:16].replace('T', ' ')}, {record.status}; published by {published_by}"
    )


def _code(record: Record) -> dict[str, str]:
    """Fill MLflow's Source and Version columns, which otherwise would describe the diag's process."""
    tags = {"mlflow.source.name": shortened(record.task, TAG_LIMIT)}
    code = next((entry for entry in record.code if entry.commit), None)
    if code and code.commit:
        tags["mlflow.source.git.commit"] = code.commit
    if code and code.log_branch:
        tags["mlflow.source.git.branch"] = shortened(code.log_branch, TAG_LIMIT)
    if code and code.remote:
        tags["mlflow.source.git.repoURL"] = shortened(code.remote, TAG_LIMIT)
    return tags


def _dataset(key: str, data: Data) -> Dataset:
    whole = to_plain(data)
    return Dataset(
        name=shortened(key, 500),
        # MLflow takes 36 characters; the whole hash stands in the profile, and in run.lock.
        digest=str(data.hash).removeprefix("blake3:")[:36],
        source=json.dumps({"uri": shortened(data.path, 4000)}),
        profile=json.dumps(whole, default=str),
    )
