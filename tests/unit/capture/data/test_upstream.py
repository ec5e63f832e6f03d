"""The runs whose results a run reads: found by their folders, and refused where they are none."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from workbench import some_record

from naga.capture.data.upstream import capture_upstream, stage_folders
from naga.errors import ConfigError, DataError
from naga.record.lockfile import lock_hash, write_lock


def leave(folder: Path, status: Any = "finished", run_id: str = "r1") -> Path:
    """Leave a run there."""
    folder.mkdir(parents=True)
    write_lock(folder, replace(some_record(), status=status, run_id=run_id))
    return folder


def test_stages_are_folders_of_finished_runs(tmp_path: Path) -> None:
    """Named by the folder or by its lock, from the folder that the run was started in."""
    stage = leave(tmp_path / "a")
    config = {"stages": ["a", "a/run.lock"], "whole": str(stage)}
    assert stage_folders(config, ["stages[0]", "stages.1", "whole"], tmp_path) == (stage, stage, stage)


@pytest.mark.parametrize("value", ["", None, 3, ["a"]])
def test_what_names_no_folder(tmp_path: Path, value: Any) -> None:
    """With the key and the value; a key that is not there likewise."""
    with pytest.raises(ConfigError, match=r"@load_stage\('prep'\): .* is not the folder of a run") as caught:
        stage_folders({"prep": value}, ["prep"], tmp_path)
    assert repr(value) in caught.value.message
    assert caught.value.hint == "prep=<a run's save_dir>"
    with pytest.raises(ConfigError, match="has no key 'prep'"):
        stage_folders({"other": value}, ["prep"], tmp_path)


@pytest.mark.parametrize("status", ["failed", "killed", "running"])
def test_a_stage_that_has_not_finished(tmp_path: Path, status: str) -> None:
    """It is refused with what it is; a folder without a run is none."""
    leave(tmp_path / "a", status)
    with pytest.raises(DataError, match=f"prep='a': that run is {status}, not finished") as caught:
        stage_folders({"prep": "a"}, ["prep"], tmp_path)
    assert caught.value.hint == "run that stage again first"
    (tmp_path / "b").mkdir()
    with pytest.raises(DataError, match="prep='b' is not a run: "):
        stage_folders({"prep": "b"}, ["prep"], tmp_path)


def test_paths_below_runs_name_them(tmp_path: Path) -> None:
    """Each once, in order, with the hash of its lock; the run itself is none of them, nor another tool's file."""
    first, second, mine = leave(tmp_path / "p/a"), leave(tmp_path / "p/b", run_id="r2"), leave(tmp_path / "p/c")
    (tmp_path / "p/d").mkdir()
    (tmp_path / "p/d/run.lock").write_text("another tool's")
    paths = [second / "model", first / "deep/er/x", first, mine / "x", tmp_path / "p/d/x", tmp_path / "x"]
    one, other = capture_upstream(paths, mine, tmp_path / "p")
    assert [(found.save_dir, found.run_id) for found in (one, other)] == [("a", "r1"), ("b", "r2")]
    assert one.lock_hash == lock_hash(first / "run.lock")
    (elsewhere,) = capture_upstream([first], None, tmp_path / "q")
    assert elsewhere.save_dir == str(first)
