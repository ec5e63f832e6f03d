"""Several runs, as they were found: a sequence that a notebook shows as a table."""

from collections.abc import Iterable, Sequence
from os import PathLike
from typing import overload

from naga.runs.find import Run, each_run
from naga.wording import plural

_SHOWN = 100


class Runs(Sequence[Run]):
    """The runs that were found, to be counted, indexed, and gone through as often as one likes.

    Examples
    --------
    >>> from naga import find_runs
    >>> runs = find_runs("results")
    >>> len(runs), list(runs[:1]), runs
    (0, [], <0 naga runs>)
    """

    def __init__(self, runs: Iterable[Run] = ()) -> None:
        self._runs = tuple(runs)

    @overload
    def __getitem__(self, at: int) -> Run: ...
    @overload
    def __getitem__(self, at: slice) -> "Runs": ...
    def __getitem__(self, at: int | slice) -> "Run | Runs":
        return Runs(self._runs[at]) if isinstance(at, slice) else self._runs[at]

    def __len__(self) -> int:
        return len(self._runs)

    def __repr__(self) -> str:
        return f"<{plural(len(self), 'naga run')}>"

    def _repr_html_(self) -> str:
        """Be shown by a notebook as a table, one row a run."""
        from html import escape

        columns = ("run_id", "status", "task", "started", "save_dir")
        keys = list(dict.fromkeys(key for run in self._runs[:_SHOWN] for key in run.record.config if key != "save_dir"))
        head = "".join(f"<th>{escape(str(name))}</th>" for name in (*columns, *keys))
        rows = []
        for run in self._runs[:_SHOWN]:
            record = run.record
            cells = (run.run_id, run.status, record.task, record.started, run.save_dir)
            values = (*cells, *(record.config.get(key, "") for key in keys))
            rows.append("".join(f"<td>{escape(str(value)[:200])}</td>" for value in values))
        more = f"<p>and {len(self) - _SHOWN} more</p>" if len(self) > _SHOWN else ""
        return f"<table><tr>{head}</tr>{''.join(f'<tr>{row}</tr>' for row in rows)}</table>{more}"


def find_runs(root: str | PathLike[str] = ".", *, archived: bool = False) -> Runs:
    """Find the runs below a folder, in the order of their folders.

    What is no run of Naga's (another tool's run.lock, a torn file) is passed over; ``naga ls`` names the
    torn ones.

    Parameters
    ----------
    root : path
        Where to look. Default: the current folder.
    archived : bool
        Whether to look into the ``.archive`` folders of superseded runs too. Default: no.

    Returns
    -------
    Runs
        A sequence of `Run`.
    """
    return Runs(each_run(root, archived=archived))
