"""Snapshots that are killed, that race each other, and that race a garbage collection."""

import multiprocessing
import os
import random
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from workbench import git

from naga.capture.code.snapshot import CodeCapture, SnapshotLabel, capture_code
from naga.declarations import Snapshot
from naga.record.schema import Code

FORK = multiprocessing.get_context("fork")  # a child that is there at once


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with edited, staged and untracked files, and a folder of its own for temporary files."""
    top = tmp_path / "project"
    for folder in "abc":
        (top / folder).mkdir(parents=True)
        for number in range(20):
            (top / folder / f"{number}.py").write_text(f"{number}\n")
    git("init", "-q", cwd=top)
    git("add", "--all", cwd=top)
    git("commit", "-qm", "Begin", cwd=top)
    (top / "a/1.py").write_text("edited\n")
    (top / "b/1.py").write_text("staged\n")
    git("add", "b/1.py", cwd=top)
    (top / "new.py").write_text("new\n")
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    return top


def _snapshot(top: Path, run_id: str) -> CodeCapture:
    return capture_code(top / "new.py", Snapshot(), SnapshotLabel(run_id=run_id, task="train", save_dir="results/a"))


def _snapshots(top: Path, name: str, count: int) -> None:
    os.setpgrp()  # so that it is killed together with the git that it runs
    for number in range(count):
        assert _snapshot(top, f"{name}-{number}").entries[0].ref


def _portrait(top: Path) -> tuple[bytes, ...]:
    status = subprocess.run(
        ["git", "--no-optional-locks", "status", "--porcelain=v2", "--branch"], cwd=top, capture_output=True, check=True
    ).stdout
    kept = [path for path in sorted(top.rglob("*")) if path.is_file() and ".git" not in path.parts]
    return (status, *((top / ".git" / name).read_bytes() for name in ("index", "HEAD")), *map(Path.read_bytes, kept))


def _is_sound(top: Path) -> bool:
    return subprocess.run(["git", "fsck", "--full"], check=False, cwd=top, capture_output=True).returncode == 0


def _is_whole(top: Path, code: Code) -> bool:
    words = ["git", "rev-list", "--objects", "--quiet", str(code.ref)]
    return subprocess.run(words, check=False, cwd=top, capture_output=True).returncode == 0


@pytest.mark.parametrize("kills", [40, pytest.param(500, marks=[pytest.mark.stress, pytest.mark.timeout(900)])])
def test_a_killed_snapshot_leaves_no_trace(repository: Path, kills: int) -> None:
    """After kill -9 at any moment the user's state is the same, and the next snapshot works and tidies up."""
    before = _portrait(repository)
    _snapshot(repository, "first")  # also imports what the children shall not have to
    for number in range(kills):
        child = FORK.Process(target=_snapshots, args=(repository, f"killed-{number}", 100))
        child.start()
        time.sleep(random.uniform(0.005, 0.12))
        with suppress(ProcessLookupError):
            os.killpg(child.pid or 0, signal.SIGKILL)
        child.kill()
        child.join()
        if number % 10 == 0:
            assert _portrait(repository) == before
    assert _portrait(repository) == before
    for lock in (repository / ".git").rglob("*.lock"):
        assert "refs/naga/runs" in str(lock) or lock.name == "run_logs.lock"
        os.utime(lock, (0, 0))  # as if it had been left there yesterday
    code = _snapshot(repository, "last").entries[0]
    assert code.ref
    assert code.log_branch == "run_logs"
    assert not list((repository.parent / "tmp").iterdir())
    assert not list((repository / ".git").rglob("*.lock"))
    assert _is_sound(repository)


def test_a_fresh_lock_blocks_the_branch_only(repository: Path) -> None:
    """A snapshot whose log branch is locked is kept by its own ref, and says so."""
    lock = repository / ".git/refs/heads/run_logs.lock"
    lock.touch()
    capture = _snapshot(repository, "r1")
    assert capture.entries[0].ref == "refs/naga/runs/r1"
    assert capture.entries[0].log_branch is None
    assert "run_logs.lock" in capture.warnings[0]
    assert lock.exists()


def test_no_lock_blocks_the_branch_for_ever(repository: Path) -> None:
    """What was left an hour ago is removed, Naga's own refs' too."""
    (repository / ".git/refs/naga/runs").mkdir(parents=True)
    locks = [repository / ".git" / name for name in ("refs/heads/run_logs.lock", "refs/naga/runs/r0.lock")]
    for lock in locks:
        lock.touch()
        os.utime(lock, (time.time() - 4000,) * 2)
    capture = _snapshot(repository, "r1")
    assert (capture.entries[0].log_branch, capture.warnings) == ("run_logs", ())
    assert not any(lock.exists() for lock in locks)


def test_what_a_killed_snapshot_left_is_swept_and_what_a_living_one_has_is_not(repository: Path) -> None:
    """A temporary folder goes when its owner is dead, not before."""
    from naga.capture.code.scratch import scratch

    folder = repository.parent / "tmp"
    (folder / "naga-snapshot-dead").mkdir()
    (folder / "naga-snapshot-dead/index").touch()
    with scratch() as mine:
        _snapshot(repository, "r1")
        assert [*folder.iterdir()] == [mine]
    assert not list(folder.iterdir())


@contextmanager
def _beside(work: Callable[[], object]) -> Iterator[None]:
    """Do something again and again in another thread."""
    ended = threading.Event()

    def repeat() -> None:
        while not ended.is_set():
            work()

    thread = threading.Thread(target=repeat)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@pytest.mark.parametrize("count", [12, pytest.param(300, marks=[pytest.mark.stress, pytest.mark.timeout(900)])])
def test_garbage_collection_loses_nothing(repository: Path, count: int) -> None:
    """Every object of every snapshot is there after `git gc --prune=now` in a loop beside them."""
    taken = []
    gc = ["git", "gc", "--quiet", "--prune=now"]
    with _beside(lambda: subprocess.run(gc, cwd=repository, capture_output=True, check=False)):
        for number in range(count):
            (repository / "new.py").write_text(f"number = {number}\n" * 50)
            taken.append(_snapshot(repository, f"r{number}").entries[0])
    assert [code.reason for code in taken if code.reason] == []
    assert all(_is_whole(repository, code) for code in taken)
    assert _is_sound(repository)
    for number, code in enumerate(taken):
        assert git("show", f"{code.ref}:new.py", cwd=repository) == f"number = {number}\n" * 50


@pytest.mark.parametrize("count", [5, pytest.param(50, marks=[pytest.mark.stress, pytest.mark.timeout(900)])])
def test_of_eight_at_once_none_is_lost(repository: Path, count: int) -> None:
    """Eight processes leave a ref for each run, and one straight log of all of them."""
    _snapshot(repository, "first")
    children = [FORK.Process(target=_snapshots, args=(repository, f"p{one}", count)) for one in range(8)]
    for child in children:
        child.start()
    for child in children:
        child.join()
    assert [child.exitcode for child in children] == [0] * 8
    refs = git("for-each-ref", "--format=%(objectname)", "refs/naga/runs", cwd=repository).split()
    log = git("rev-list", "--first-parent", "run_logs", "^main", cwd=repository).split()
    assert len(refs) == 8 * count + 1
    assert sorted(refs) == sorted(log)
    assert _is_sound(repository)
