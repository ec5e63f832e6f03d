"""How a pass over many runs goes on, and when it ends."""

from collections import Counter
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import pytest

from naga.diagnose.batch import batch as many
from naga.diagnose.batch.outcome import BatchOptions, Outcome
from naga.errors import DiagError, UsageError
from naga.process.identity import this_process
from naga.record.schema import Code, Record
from naga.runs.find import Run

ENDS = list[Outcome | BaseException]


def run_named(name: str) -> Run:
    """A run that has no folder."""
    return Run(Path(name), Record(run_id=name, status="finished", task="exp.main", save_dir=name,
                                  started="2026-01-01T00:00:00Z", process=this_process()))  # fmt: skip


def kinds(monkeypatch: pytest.MonkeyPatch, ends: ENDS, jobs: int = 1, code: Code | None = None) -> Counter[str]:
    """Count what becomes of six runs whose workers end like this."""
    left = iter(ends)

    def begin(worker: many.Worker, work: many.Work) -> "Future[Outcome]":
        future: Future[Outcome] = Future()
        end = next(left)
        if isinstance(end, BaseException):
            future.set_exception(end)
        else:
            future.set_result(end)
        return future

    monkeypatch.setattr(many.Worker, "begin", begin)
    work = [many.Work(run_named(str(number)), code) for number in range(6)]
    order = BatchOptions(script=Path("exp.py"))
    return Counter(outcome.kind for outcome in many._shared(order, work, jobs, Path(), lambda _: None))


DONE = Outcome(save_dir=Path("a"), kind="published")
LOST = Outcome(save_dir=Path("a"), kind="failed", lost=True)


@pytest.mark.parametrize("jobs", [1, 3, 9])
def test_every_run_has_one_outcome(monkeypatch: pytest.MonkeyPatch, jobs: int) -> None:
    """However many share the work."""
    assert kinds(monkeypatch, [DONE] * 6, jobs) == {"published": 6}


def test_a_store_that_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """After three runs in a row the others are left; one that was lost between others is no reason."""
    assert kinds(monkeypatch, [LOST] * 3) == {"failed": 3, "left": 3}
    assert kinds(monkeypatch, [LOST, LOST, DONE] * 2) == {"failed": 4, "published": 2}


def test_a_process_that_dies(monkeypatch: pytest.MonkeyPatch) -> None:
    """It fails its own run alone."""
    assert kinds(monkeypatch, [DONE, BrokenProcessPool(), *[DONE] * 4]) == {"published": 5, "failed": 1}


def test_a_script_that_cannot_be_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends the pass, unless it was tried with one run's own code; a wrong name always does."""
    with pytest.raises(DiagError):
        kinds(monkeypatch, [DiagError("no")])
    code = Code(name="project", path="/project", commit="c", tree="t")
    assert kinds(monkeypatch, [DiagError("no"), *[DONE] * 5], code=code) == {"published": 5, "failed": 1}
    with pytest.raises(UsageError):
        kinds(monkeypatch, [UsageError("which?")], code=code)


def test_of_copies_one_is_published() -> None:
    """The one that is where it was computed; that another was left out is said, with its name."""
    record = run_named("results/a").record
    runs = [Run(Path(folder), record) for folder in ("/p/backup", "/p/results/a", "/p/results/b")]
    assert many._originals(runs) == {record.run_id: Path("/p/results/a")}
    assert many._originals(runs[::2]) == {record.run_id: Path("/p/backup")}
    found = list(many._sorted_out(BatchOptions(script=Path(__file__)), runs, any_task=True))
    assert [(str(one.save_dir), one.reason) for one in found if isinstance(one, Outcome)] == [
        ("/p/backup", "it is a copy of /p/results/a"),
        ("/p/results/b", "it is a copy of /p/results/a"),
    ]
    assert len(found) == 3
