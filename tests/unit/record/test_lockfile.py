"""Locks of later releases are read as far as they can be."""

from pathlib import Path

import pytest

from naga import load_run, runlock
from naga.errors import LockError
from naga.record.lockfile import read_lock

EXTRA = "later: {a: [1, 2]}\n"


def task(cfg: object = {"save_dir": "results/run"}) -> None:
    Path("results/run/model").write_text("1")


def test_keys_of_a_later_release_are_passed_over(project: Path) -> None:
    """At the top and inside of a part; the file stays as its writer left it, in the attempts too."""

    def failing(cfg: object = {"save_dir": "results/run"}) -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        runlock(failing)()
    lock = Path("results/run/run.lock")
    lock.write_text(lock.read_text().replace("process:\n", "process:\n  later: 1\n") + EXTRA)
    text = lock.read_text()
    former = load_run("results/run").record
    assert former.status == "failed"
    runlock(task)()
    assert load_run("results/run").record.attempt == 2
    assert [kept.read_text() for kept in Path("results/run/.naga/attempts").iterdir()] == [text]


def test_a_claim_of_a_later_release_is_passed_over(project: Path) -> None:
    """Its owner is known by the keys that were always there."""
    runlock(task)()
    claim = Path("results/run/.naga/claims/first")
    claim.write_text(claim.read_text().replace("{", '{"later": 1, ', 1))
    lock = Path("results/run/run.lock")
    lock.write_text(lock.read_text().replace("status: finished", "status: failed"))
    runlock(task)()
    assert load_run("results/run").record.attempt == 2


def test_a_later_schema_is_refused(project: Path) -> None:
    """In one line that says what to do."""
    runlock(task)()
    lock = Path("results/run/run.lock")
    lock.write_text(lock.read_text().replace("naga.run/1", "naga.run/2"))
    with pytest.raises(LockError, match="this Naga reads 'naga.run/1'") as refused:
        load_run("results/run")
    assert refused.value.hint == "pip install --upgrade naga-runs"


def test_why_a_lock_cannot_be_read(tmp_path: Path) -> None:
    """In the system's words, without its number and the path again."""
    (tmp_path / "file").touch()
    with pytest.raises(LockError, match=r"is not readable: Not a directory\W*$"):
        read_lock(tmp_path / "file" / "run.lock")
