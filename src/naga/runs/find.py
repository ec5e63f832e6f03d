"""Loading one run by its folder, lock or run_id, and finding all runs below a folder."""

import os
import re
import shlex
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from naga.errors import LockError, RunNotFoundError
from naga.layout import LOCK_NAME
from naga.paths import near
from naga.record.lockfile import lock_hash, read_hashed_lock
from naga.record.schema import Record
from naga.runs.walk import run_folders
from naga.save_dir.heartbeat import is_living
from naga.wording import ended, first_of

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from naga.runs.summary import Summary


_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_SHOWN = 25  # lines of a run in a notebook


class Run:
    """A run on disk: the folder, and the content of its run.lock.

    Parameters
    ----------
    save_dir : Path
        Absolute: where the folder is now, which may not be where it was computed.
    record : naga.record.schema.Record, optional
        The run.lock. Default: it is read when it is asked for.
    summary : Summary, optional
        The run's summary, where an index has it.
    """

    diag: str | None = None  # fresh, stale, failed or never, where that was asked

    def __init__(self, save_dir: str | Path, record: Record | None = None, *, summary: "Summary | None" = None) -> None:
        self.folder = os.fspath(save_dir)
        if record is not None:
            self.record = record
        if summary is not None:
            self.summary = summary

    @cached_property
    def save_dir(self) -> Path:
        """The folder; ``folder`` is its name as text, for tables of thousands."""
        return Path(self.folder)

    @cached_property
    def record(self) -> Record:
        """The run.lock."""
        record, self.lock_hash = read_hashed_lock(self.lock_path)
        return record

    @cached_property
    def summary(self) -> "Summary":
        """What tables show of the run, and filters ask for."""
        from naga.runs.summary import summary_of

        record = self.record
        return summary_of(self.save_dir, record, self.__dict__.get("lock_hash", ""))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Run) and (self.save_dir, self.record) == (other.save_dir, other.record)

    def __hash__(self) -> int:
        return hash((self.save_dir, self.run_id))

    @property
    def run_id(self) -> str:
        """The run's own, unchanging name."""
        return self.summary.run_id

    @property
    def lock_path(self) -> Path:
        """The run.lock."""
        return self.save_dir / LOCK_NAME

    @cached_property
    def lock_hash(self) -> str:
        """The hash of the run.lock, ``blake3:<64 hex>``."""
        return self.summary.lock_hash or lock_hash(self.lock_path)

    @cached_property
    def status(self) -> str:
        """``running``, ``finished``, ``failed``, ``killed``; ``lost`` where it says running but its process is dead."""
        said = self.summary.status
        lost = said == "running" and not is_living(self.save_dir, self.run_id, self.record.process)
        return "lost" if lost else said

    @property
    def config(self) -> "DictConfig":
        """The configuration that the run had, resolved, with save_dir where the folder is now."""
        from naga.config.recorded import rebuild

        config: DictConfig = rebuild(None, self.record.config, self.save_dir)
        return config

    @property
    def metrics(self) -> dict[str, float]:
        """The metrics of the last publication; empty where there was none."""
        return dict(self.summary.publication.get("metrics", {}))

    @property
    def tags(self) -> tuple[str, ...]:
        """The tags that ``naga tag`` gave the run, sorted."""
        return tuple(self.summary.tags)

    @property
    def note(self) -> str:
        """The text that ``naga note`` gave the run."""
        return self.summary.note

    def __repr__(self) -> str:
        return f"<naga run {self.run_id} in {str(self.save_dir)!r}: {self.status}>"

    def _repr_html_(self) -> str:
        """Be shown by a notebook as a small table."""
        from html import escape

        record = self.record
        about = {"run": record.run_id, "status": self.status, "task": record.task, "save_dir": self.save_dir}
        about |= {"started": record.started, **{f"config.{key}": value for key, value in record.config.items()}}
        cells = (
            f"<th>{escape(key)}</th><td>{escape(ended(str(value)))}</td>" for key, value in list(about.items())[:_SHOWN]
        )
        return f"<table>{''.join(f'<tr>{cell}</tr>' for cell in cells)}</table>"


def load_run(name: str | os.PathLike[str], root: str | os.PathLike[str] = ".") -> Run:
    """Load one run.

    Parameters
    ----------
    name : str or path
        A save_dir, its run.lock, a run_id, or the beginning of one that only one run below ``root`` has.
    root : path
        Where run ids are looked for, archived runs included, and only if none is there, wherever runs have been
        looked for before. Default: the current folder.

    Returns
    -------
    Run

    Raises
    ------
    RunNotFoundError
        Nothing, or more than one run, has that name.
    LockError
        The run.lock cannot be read.
    """
    path = Path(os.path.abspath(name))  # noqa: PTH100  # `resolve` would follow the user's own links
    # os.path: a name that is too long, or below a file, is none.
    if os.fspath(name) and (path.name == LOCK_NAME or os.path.lexists(path / LOCK_NAME)):
        folder = path.parent if path.name == LOCK_NAME else path
        run = Run(folder)
        _ = run.record  # which says what is wrong with it
        return run
    if os.path.isdir(path) or not _RUN_ID.fullmatch(os.fspath(name)):  # noqa: PTH112
        raise RunNotFoundError(
            f"no run at '{name}': it has no {LOCK_NAME}", hint=f"naga ls {shlex.quote(nearest_folder(path))}"
        )
    return _by_run_id(os.fspath(name), Path(root))


def nearest_folder(path: Path) -> str:
    """Name the nearest folder above a path that is there."""
    return near(next((str(above) for above in path.parents if os.path.isdir(above)), "/"))  # noqa: PTH112


def _by_run_id(prefix: str, root: Path) -> Run:
    found = [run for run in each_run(root, archived=True) if run.run_id.startswith(prefix)]
    found = found or [run for run in each_known_run() if run.run_id.startswith(prefix)]
    if len(found) == 1:
        return found[0]
    if not found:
        raise RunNotFoundError(
            f"no run '{prefix}' below '{root.absolute()}', nor in folders that were searched before",
            hint="naga ls shows those that are there",
        )
    names = sorted({run.run_id for run in found})
    if len(names) == 1:
        shown = first_of(sorted(near(run.save_dir) for run in found), 5)
        problem = f"run {names[0]} is in {len(found)} folders, of which all but one are copies: {shown}"
        raise RunNotFoundError(problem, hint=f"naga show {shlex.quote(near(found[0].save_dir))}")
    problem = f"'{prefix}' is the beginning of {len(names)} runs: {first_of(names, 5)}"
    raise RunNotFoundError(problem, hint="type more of it")


def each_run(root: str | os.PathLike[str] = ".", *, archived: bool = False) -> Iterator[Run]:
    """Yield the runs below a folder, in the order of their folders; what is no run of Naga is skipped."""
    return (found for found in look_for_runs(root, archived=archived) if isinstance(found, Run))


def look_for_runs(root: str | os.PathLike[str], *, archived: bool = False) -> Iterator[Run | LockError]:
    """Find the runs below a folder, and the reasons why a run.lock there cannot be read."""
    from naga.runs.index import Index
    from naga.runs.reader import read_all

    place = os.path.abspath(root)  # noqa: PTH100  # as in load_run
    with Index.of(place) as index:
        known = {folder: index.summary(folder) for folder in run_folders(place, index, archived=archived)}
        read: dict[str, Run | LockError] = {}
        try:
            read_all([folder for folder, summary in known.items() if summary is None], read)
        finally:  # who interrupts it after a minute need not wait for that minute again
            for folder, found in read.items():
                if isinstance(found, Run):
                    index.note(folder, found.summary)
        index.forget_others(archived=archived)
        for folder, summary in known.items():
            yield Run(folder, summary=summary) if summary is not None else read[folder]


def each_known_run() -> Iterator[Run]:
    """Yield the runs of all folders that have been searched before, including archived runs, each folder once."""
    from naga.runs.index import known_roots

    seen = set()
    for root in known_roots():
        for run in each_run(root, archived=True) if str(root) not in seen else ():
            if run.folder not in seen:
                seen.add(run.folder)
                yield run
