import os
import time
from pathlib import Path

import pytest
from workbench import git

from naga.capture.code.git import Repository
from naga.capture.code.objects import is_collected
from naga.capture.code.snapshot import SnapshotLabel, capture_code
from naga.declarations import Snapshot


def _take(top: Path, run_id: str = "r1") -> str:
    (top / "new.py").write_text(run_id)
    code = capture_code(
        top / "train.py", Snapshot(), SnapshotLabel(run_id=run_id, task="train", save_dir=None)
    ).entries[0]
    assert code.ref
    return git("show", f"{code.ref}:new.py", cwd=top)


def _marks(top: Path) -> list[Path]:
    return sorted((top / ".git/objects/pack").glob("*.keep"))


def test_objects_come_loose_where_nothing_is_collected(top: Path) -> None:
    """As `git add` leaves them, so that no packs pile up."""
    assert _take(top) == "r1"
    assert not list((top / ".git/objects/pack").iterdir())
    assert not list((top / ".git/objects").rglob("*naga*"))


def test_beside_a_collection_they_come_as_a_pack_that_is_kept(top: Path) -> None:
    """It lasts for all of a collection, and is given free an hour later."""
    (top / ".git/gc.pid").write_text(f"{os.getpid()} {os.uname().nodename}")
    assert _take(top, "r1") == "r1"
    (first,) = _marks(top)
    git("repack", "-adq", cwd=top)
    git("prune", "--expire=now", cwd=top)
    assert git("show", "refs/naga/runs/r1:new.py", cwd=top) == "r1"
    os.utime(first, (time.time() - 7200,) * 2)
    assert _take(top, "r2") == "r2"
    assert first not in _marks(top)
    assert len(_marks(top)) == 1


def test_another_programs_mark_is_left_alone(top: Path) -> None:
    """Only Naga's own packs are given free."""
    theirs = top / ".git/objects/pack/pack-theirs.keep"
    theirs.write_text("fetching\n")
    os.utime(theirs, (0, 0))
    (top / ".git/gc.pid").write_text(f"{os.getpid()} {os.uname().nodename}")
    _take(top)
    assert theirs.exists()


@pytest.mark.parametrize(
    ("holder", "age_s", "running"),
    [
        ("{pid} {host}", 0, True),
        ("999999999 {host}", 0, False),
        ("17 elsewhere", 0, True),
        ("17 elsewhere", 13 * 3600, False),
        ("rubbish", 0, False),
        ("", 0, False),
    ],
)
def test_a_collection_that_died_is_not_believed(top: Path, holder: str, age_s: int, *, running: bool) -> None:
    """A lock is worth as much as its holder; one of another machine, half a day."""
    lock = top / ".git/gc.pid"
    lock.write_text(holder.format(pid=os.getpid(), host=os.uname().nodename))
    os.utime(lock, (time.time() - age_s,) * 2)
    assert is_collected(Repository.find(top)) is running


def test_folders_of_a_shared_repository_stay_open_to_the_group(top: Path) -> None:
    """Or the others could not commit any more."""
    objects = top / ".git/objects"
    objects.chmod(0o2775)
    before = {path.name for path in objects.iterdir()}
    _take(top)
    made = [path for path in objects.iterdir() if path.name not in before]
    assert made
    assert {path.stat().st_mode & 0o7777 for path in made} == {0o2775}
    assert {path.stat().st_mode & 0o777 for folder in made for path in folder.iterdir()} == {0o444}
