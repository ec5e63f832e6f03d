"""`naga diag` and `naga rebuild`: from words to a pass over runs, and what is shown of it."""

import argparse
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from math import isnan
from pathlib import Path
from urllib.parse import urlsplit

from naga.cli.tables import failures_table
from naga.compare.lineage import Lineage
from naga.diagnose.batch.batch import diagnose_all
from naga.diagnose.batch.outcome import KINDS, BatchOptions, Difference, Outcome
from naga.diagnose.batch.script import split_name
from naga.diagnose.reading import reading_lines
from naga.errors import TrackerError, UsageError
from naga.paths import near
from naga.runs.filter import parse_filter
from naga.runs.find import Run
from naga.runs.select import is_pattern, select_runs
from naga.terminal import printable, say
from naga.tracking.store import absolute_uri
from naga.wording import first_of, plural


def diag(words: argparse.Namespace) -> int:
    """Publish runs again with today's diag."""
    if not (words.run or words.filter or words.stale or words.check):
        if Path(words.script).is_dir():
            raise UsageError(f"'{words.script}' is a folder, not a script", hint=f"naga diag exp.py {words.script}")
        raise UsageError("name the runs", hint=f"naga diag {words.script} 'results/**'")
    script, function = split_name(words.script)
    order = BatchOptions(
        script=script,
        function=function,
        only_stale=words.stale,
        strict=words.strict,
        recorded=words.code == "recorded",
        check=words.check,
    )
    return _pass(order, words)


def rebuild_store(words: argparse.Namespace) -> int:
    """Make an MLflow store from runs alone."""
    if not urlsplit(words.to).scheme:
        raise UsageError(f"--to {words.to!r} is not a tracking URI", hint=f"--to sqlite:///{words.to or 'mlflow.db'}")
    try:
        uri = absolute_uri(words.to, Path.cwd())
    except TrackerError as error:
        raise UsageError(error.message, hint=error.hint.replace("MLFLOW_TRACKING_URI=", "--to ")) from error
    script, function = split_name(words.script)
    return _pass(BatchOptions(script=script, function=function, only_stale=True, uri=uri), words)


def _pass(order: BatchOptions, words: argparse.Namespace) -> int:
    if words.jobs < 1:
        raise UsageError(f"--jobs {words.jobs}: at least one", hint="--jobs 2")
    wanted = parse_filter(words.filter)
    runs = select_runs(words.run, wanted)
    # Who names a run, or its task, means it.
    any_task = "task" in wanted.keys or bool(words.run and not any(map(is_pattern, words.run)))
    preview = getattr(words, "dry_run", False)
    where = {"launcher": words.launcher, "options": tuple(words.options)}
    if words.options and words.launcher == "local":
        raise UsageError(f"-l {words.options[0]}: the local launcher has no options", hint="--jobs 4")
    _say_out_of_date(runs)
    outcomes = []
    with _progress(len(runs)) as (begins, show):
        pass_over = partial(diagnose_all, order, runs, jobs=words.jobs, begins=begins)
        for outcome in pass_over(preview=preview, any_task=any_task, **where):
            outcomes.append(outcome)
            show(outcome)
    return _report(outcomes, check=order.check)


def _say_out_of_date(runs: Sequence[Run]) -> None:
    """Say in one line which runs are made from outdated results, as is then what they publish."""
    lineage = Lineage()
    old = [near(run.folder) for run in runs if lineage.is_out_of_date(run)]
    if old:
        say(f"out of date: {first_of(old, 3)} (naga verify '{old[0]}' says why)")


def _report(outcomes: Sequence[Outcome], *, check: bool) -> int:
    counts = Counter(outcome.kind for outcome in outcomes)
    failures_table(_failures([outcome for outcome in outcomes if outcome.kind == "failed"]))
    for line in reading_lines([outcome.reading for outcome in outcomes if outcome.reading], renamed=check):
        print(printable(line))
    print(_summary(counts, [outcome.reason for outcome in outcomes if outcome.kind == "skipped"]))
    if counts["left"]:
        print(f"stopped: {plural(counts['left'], 'run')} left; --stale goes on where this ended")
        return 1 if counts["failed"] else 130
    if counts["unchanged"] and not counts.keys() - {"unchanged", "skipped"}:
        print("nothing to do: every MLflow run is fresh")
    return 1 if counts["failed"] else 0


def _failures(failed: Sequence[Outcome]) -> list[tuple[str, str]]:
    """Return a row for each run that failed, and one for all whose configurations do not fit for the same reason."""
    rows, alike = [], defaultdict(list)
    for outcome in failed:
        if outcome.misfit:
            alike[outcome.misfit].append(outcome)
        else:
            rows.append((near(outcome.save_dir), outcome.reason))
    for first, *others in alike.values():
        more = f" and {plural(len(others), 'other run')}" if others else ""
        rows.append((near(first.save_dir) + more, first.reason))
    return rows


def _summary(counts: Counter[str], skipped: Sequence[str]) -> str:
    """Say what became of all runs.

    Examples
    --------
    >>> _summary(Counter(published=2, skipped=1), ["it has not finished: it is failed"])
    '2 published, 1 skipped (it has not finished: it is failed)'
    """
    said = [f"{counts[kind]} {kind}" for kind in KINDS if counts[kind]]
    reasons = Counter(skipped)
    why = "; ".join(f"{count}: {reason}" if len(reasons) > 1 else reason for reason, count in reasons.most_common())
    return ", ".join(f"{text} ({why})" if text.endswith("skipped") else text for text in said) or "no runs"


@contextmanager
def _progress(total: int) -> Iterator[tuple[Callable[[Path], None], Callable[[Outcome], None]]]:
    """Show a progress bar on a terminal; elsewhere nothing but what the diags print."""
    said: set[str] = set()
    if not sys.stderr.isatty():
        yield lambda _: None, lambda outcome: _tell(outcome, total, said)
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    counts: Counter[str] = Counter()
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=total)

        def begins(save_dir: Path) -> None:
            done = f"{_summary(counts, []).replace(' ()', '')}; " if counts else ""
            bar.update(task, description=escape(f"{done}{printable(near(save_dir), lines=False)}"), refresh=True)

        def show(outcome: Outcome) -> None:
            counts[outcome.kind] += 1
            _tell(outcome, total, said)
            bar.update(task, advance=outcome.kind != "left", description=_summary(counts, []).replace(" ()", ""))

        yield begins, show


def _tell(outcome: Outcome, total: int, said: set[str]) -> None:
    """Print what a diag printed, behind the name of its run where there are several; Naga's own lines once."""
    name = printable(near(outcome.save_dir), lines=False)
    for line in map(printable, outcome.printed.splitlines()):
        if not line.startswith("naga: "):
            print(f"{name}: {line}" if total > 1 else line)
        elif line not in said:
            said.add(line)
            print(line, file=sys.stderr)
    if outcome.difference is not None:
        print("\n".join(_differences(name, outcome.difference)))


def _differences(name: str, difference: Difference) -> Iterator[str]:
    yield f"{name}: against {difference.before or 'nothing, it was never published'}"
    width = max((len(key) for key, _, _ in difference.metrics), default=0)
    same = 0
    for key, before, now in difference.metrics:
        if before is not None and now is not None:
            is_same = before == now or (isnan(before) and isnan(now))
            same += is_same
            if not is_same:
                yield f"  {key:{width}}  {before:.6g} -> {now:.6g}  ({now - before:+.6g})"
        else:
            yield f"  {key:{width}}  " + (f"new: {now:.6g}" if now is not None else f"gone, was {before:.6g}")
    if same:
        yield f"  {plural(same, 'metric')} as before"
    for what, files in (("new", difference.new), ("gone", difference.gone)):
        if files:
            yield f"  {what}: {', '.join(files)}"
