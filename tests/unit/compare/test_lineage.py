"""Which runs a run rests on, and whether newer ones with other results have come in their place."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from naga import load_run
from naga.cli import main
from naga.compare.lineage import find_upstream, out_of_date
from naga.process.identity import this_process
from naga.record.lockfile import lock_hash, read_lock, write_lock
from naga.record.schema import Outputs, Record, Upstream


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make three finished runs, each of which read the one before."""
    monkeypatch.chdir(tmp_path)
    compute("prep", "p1", "a")
    compute("train", "t1", "b", reads="prep")
    compute("evaluate", "e1", "c", reads="train")
    return tmp_path


def compute(name: str, run_id: str, left: str | None, *, reads: str = "", status: str = "finished") -> None:
    """Leave a run in the folder of that name, and move the one that is there to the archive."""
    folder = Path(name)
    if folder.exists():
        Path(".archive").mkdir(exist_ok=True)
        folder.rename(f".archive/{name}~{read_lock(folder).run_id}")
    upstream: tuple[Upstream, ...] = ()
    if reads:
        record = read_lock(Path(reads))
        known = record.outputs.hash if record.outputs else None
        mark = lock_hash(Path(reads, "run.lock"))
        upstream = (Upstream(save_dir=reads, run_id=record.run_id, lock_hash=mark, outputs_hash=known),)
    folder.mkdir()
    record = Record(
        run_id=run_id,
        status=status,
        task="t",
        save_dir=name,
        started="2026-01-01T00:00:00Z",
        upstream=upstream,
        outputs=Outputs(hash=left, size_bytes=1, files=1) if left else None,
        process=this_process(),
    )
    write_lock(folder, record)


def reasons(name: str) -> list[str]:
    """Say why the run of that name is out of date."""
    return list(out_of_date(load_run(name)))


def test_nothing_has_changed(base: Path) -> None:
    """A chain in its first state is up to date."""
    assert [reasons(name) for name in ("prep", "train", "evaluate")] == [[], [], []]


def test_another_run_came_in_its_place(base: Path) -> None:
    """With other results: all that rest on it are out of date, and the reason leads there; it itself is not."""
    compute("prep", "p2", "other")
    reason = "made from run p1, but 'prep' holds run p2 now, with other results"
    assert reasons("prep") == []
    assert reasons("train") == [reason]
    assert reasons("evaluate") == [f"made from 'train', which was {reason}"]


def test_the_same_results(base: Path) -> None:
    """Computed again with the same results, nothing is out of date, by a lock of the first release too."""
    compute("prep", "p2", "a")
    assert reasons("evaluate") == []
    record = read_lock(Path("train"))
    write_lock(Path("train"), replace(record, upstream=(replace(record.upstream[0], outputs_hash=None),)))
    assert reasons("train") == []


def test_what_came_in_its_place_counts(base: Path) -> None:
    """A stage that was computed again from the new prep, with the same results, has nothing old above it."""
    compute("prep", "p2", "other")
    compute("train", "t2", "b", reads="prep")
    assert reasons("evaluate") == []


@pytest.mark.parametrize("status", ["running", "failed"])
def test_an_unfinished_run(base: Path, status: str) -> None:
    """What has not finished has no other results yet."""
    compute("prep", "p2", None, status=status)
    assert reasons("evaluate") == []


def test_unknown_results(base: Path) -> None:
    """A newer run whose outputs were not hashed may have left anything."""
    compute("prep", "p2", None)
    assert len(reasons("train")) == 1


def test_runs_that_name_each_other(base: Path) -> None:
    """A circle, which only an edited lock can hold, has an end."""
    record = read_lock(Path("prep"))
    write_lock(Path("prep"), replace(record, upstream=(Upstream(save_dir="train", run_id="t1", lock_hash="x"),)))
    assert reasons("evaluate") == []


@pytest.mark.timeout(5)
def test_odd_locks(base: Path) -> None:
    """A lock that cannot be read is not waited for, and is no run as it was."""
    [upstream] = read_lock(Path("train")).upstream
    assert find_upstream(upstream, base) == base / "prep"
    Path("prep/run.lock").unlink()
    os.mkfifo("prep/run.lock")
    assert find_upstream(upstream, base) is None
    assert reasons("train") == []


def test_verify_tells_two_things_apart(base: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is intact but rests on former results is out of date; what has changed differs. Both are 1."""
    for name in ("prep", "train"):  # their outputs were made up
        write_lock(Path(name), replace(read_lock(Path(name)), outputs=None))
    record = read_lock(Path("train"))
    mark = lock_hash(Path("prep/run.lock"))
    write_lock(Path("train"), replace(record, upstream=(replace(record.upstream[0], lock_hash=mark),)))
    assert main(["verify", "train"]) == 0
    compute("prep", "p2", "other")
    assert main(["verify", "train"]) == 1
    assert [line.split("  ")[0] for line in capsys.readouterr().out.splitlines() if line[0] != " "] == [
        "verified",
        "out of date",
    ]
    Path(".archive/prep~p1/run.lock").unlink()
    assert main(["verify", "train"]) == 1
    assert capsys.readouterr().out.startswith("differs")
