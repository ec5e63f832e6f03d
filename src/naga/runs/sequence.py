"""Several runs: a sequence that a notebook shows as a table."""

from collections.abc import Iterable, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any, overload

from naga.errors import NagaError, UsageError
from naga.runs.find import Run, each_run
from naga.wording import ended, plural

if TYPE_CHECKING:
    import pandas

_SHOWN = 100


class Runs(Sequence[Run]):
    """The runs that were found: count, index, slice and iterate as often as you like.

    Examples
    --------
    >>> from naga import find_runs
    >>> runs = find_runs("results/of another day")
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

    def where(self, expression: str) -> "Runs":
        """Return the runs that match an expression, as ``naga ls --filter`` reads it.

        Examples
        --------
        >>> Runs().where("config.lr>0.01 and (status=failed or tags~best)")
        <0 naga runs>
        """
        from naga.runs.filter import check_keys, parse_filter

        wanted = parse_filter(expression)
        check_keys(wanted.keys, self)
        return Runs(run for run in self if wanted.matches(run))

    def best(self, key: str, *, lowest: bool = False) -> Run:
        """Return the run with the largest number for a key, such as ``metrics.accuracy``; the first of equal ones.

        Raises
        ------
        UsageError
            No run has a number for it.
        """
        from naga.runs.filter import check_keys, checked_key, value_of

        check_keys([checked_key(key, "best")], self)
        numbers = [(value_of(run, key), run) for run in self]
        able = [(value, run) for value, run in numbers if isinstance(value, int | float) and value == value]  # noqa: PLR0124  # not a number is no number
        if not able:
            raise UsageError(f"no run has a number for {key!r}", hint="runs.best('metrics.accuracy')")
        return (min if lowest else max)(able, key=lambda pair: pair[0])[1]

    def to_dataframe(self) -> "pandas.DataFrame":
        """Return a pandas DataFrame, one row per run: configuration and metrics flattened, as ``config.lr``.

        pandas is not installed with Naga.
        """
        from naga.runs.filter import items_of

        try:
            import pandas
        except ImportError:
            raise NagaError("pandas is not installed", hint="pip install pandas") from None
        rows = []
        for run in self:
            summary = run.summary
            row: dict[str, Any] = {
                "run_id": run.run_id,
                "save_dir": str(run.save_dir),
                "status": run.status,
                "task": summary.task,
            }
            row |= {"started": summary.started, "duration_s": summary.duration_s, "tags": list(run.tags)}
            row |= dict(items_of(summary.config, "config."))
            rows.append(row | {f"metrics.{key}": value for key, value in run.metrics.items()})
        frame = pandas.DataFrame(rows)
        if rows:
            frame["started"] = pandas.to_datetime(frame["started"], utc=True, errors="coerce", format="ISO8601")
        return frame

    def __repr__(self) -> str:
        return f"<{plural(len(self), 'naga run')}>"

    def _repr_html_(self) -> str:
        """Be shown by a notebook as a table, one row a run."""
        from html import escape

        from naga.runs.filter import keys_of_all, value_of

        runs = self._runs[:_SHOWN]
        columns = ["run_id", "status", "task", "started", "save_dir"]
        columns += [key for key in keys_of_all(runs) if key != "config.save_dir"]
        head = "".join(f"<th>{escape(name)}</th>" for name in columns)
        values = ([value_of(run, key) for key in columns] for run in runs)
        rows = (
            "".join(f"<td>{escape('' if cell is None else ended(str(cell)))}</td>" for cell in row) for row in values
        )
        more = f"<p>and {len(self) - _SHOWN} more</p>" if len(self) > _SHOWN else ""
        return f"<table><tr>{head}</tr>{''.join(f'<tr>{row}</tr>' for row in rows)}</table>{more}"


def find_runs(root: str | PathLike[str] = ".", *, archived: bool = False) -> Runs:
    """Find the runs below a folder, in the order of their folders.

    What is not a run of Naga (another tool's run.lock, a torn file) is passed over; ``naga ls`` names the
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
