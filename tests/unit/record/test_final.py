"""A final lock that cannot be written is said, stored, and put back where it belongs."""

import dataclasses
import errno
import json
from pathlib import Path
from typing import Any

import pytest
from workbench import some_record

from naga.cache_dir import cache_folder
from naga.record.atomic import write_atomic
from naga.record.final import put_back_all, write_final_lock
from naga.record.lockfile import read_lock, write_lock

RECORD = some_record()
LATER = dataclasses.replace(RECORD, run_id="20260101T000000-bbbbbbbb", attempt=2)


@pytest.fixture
def spooled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    """The folder of a run whose final lock met a full disk, and was printed."""
    folder = tmp_path / "a"
    folder.mkdir()

    def full(path: Path, data: Any) -> None:
        if path.parent == folder:
            raise OSError(errno.ENOSPC, "No space left on device")
        write_atomic(path, data)

    with monkeypatch.context() as disk:
        disk.setattr("naga.record.final.write_atomic", full)
        write_final_lock(folder, RECORD)
    said = capsys.readouterr().err
    assert "No space left on device" in said
    assert f'run_id: "{RECORD.run_id}"' in said
    assert "naga doctor" in said
    return folder


def test_it_is_stored(spooled: Path) -> None:
    """With the folder that it is for."""
    (file,) = (cache_folder() / "spool").iterdir()
    assert file.name == f"{RECORD.run_id}.json"
    assert json.loads(file.read_text())["save_dir"] == str(spooled)
    assert not (spooled / "run.lock").exists()


def test_it_is_put_back_once(spooled: Path) -> None:
    """And says as what."""
    write_lock(spooled, dataclasses.replace(RECORD, status="running"))
    assert list(put_back_all()) == [f"run {RECORD.run_id}: '{spooled}/run.lock' was put back (finished)"]
    assert read_lock(spooled).status == "finished"
    assert list(put_back_all()) == []


def test_what_is_final_already_stays(spooled: Path) -> None:
    """A lock that says how this very run ended is not replaced."""
    write_lock(spooled, dataclasses.replace(RECORD, status="killed"))
    assert list(put_back_all()) == [f"run {RECORD.run_id}: '{spooled}/run.lock' is there already"]
    assert read_lock(spooled).status == "killed"


@pytest.mark.parametrize("further", [True, False])
def test_it_never_replaces_a_later_run(spooled: Path, further: bool) -> None:
    """It goes to the attempts, also where it is the first of them."""
    if further:
        (spooled / ".naga" / "attempts").mkdir(parents=True)
    write_lock(spooled, LATER)
    (done,) = put_back_all()
    kept = spooled / ".naga" / "attempts" / f"0001-{RECORD.run_id}.lock"
    assert str(kept) in done
    assert read_lock(kept).run_id == RECORD.run_id
    assert read_lock(spooled).run_id == LATER.run_id


@pytest.mark.parametrize("text", ["{", "[]", '{"save_dir": "x"}', '{"save_dir": "x", "lock": "a: 1"}'])
def test_what_is_no_lock_is_named(text: str) -> None:
    """And left for its owner; the others go on."""
    file = cache_folder() / "spool" / "odd.json"
    file.parent.mkdir(parents=True)
    file.write_text(text)
    (said,) = put_back_all()
    assert said.startswith(f"'{file}' holds no run.lock: ")
    assert file.exists()


def test_a_folder_that_is_gone_waits(spooled: Path) -> None:
    """The lock stays stored."""
    spooled.rmdir()
    (said,) = put_back_all()
    assert "is still stored as" in said
    spooled.mkdir()
    (said,) = put_back_all()
    assert "was put back" in said


def test_a_superseded_run_leaves_the_lock_of_the_later_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its own goes to its attempts, and it says so."""
    write_lock(tmp_path, LATER)
    write_final_lock(tmp_path, RECORD, superseded=True)
    assert read_lock(tmp_path).run_id == LATER.run_id
    kept = tmp_path / ".naga" / "attempts" / f"0001-{RECORD.run_id}.lock"
    assert read_lock(kept).run_id == RECORD.run_id
    assert f"'{kept}'" in capsys.readouterr().err
    write_final_lock(tmp_path, LATER)
    assert capsys.readouterr().err == ""


def test_without_a_home_nothing_was_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the cache cannot be found, there is nothing to put back."""

    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr("naga.record.final.cache_folder", homeless)
    assert list(put_back_all()) == []
