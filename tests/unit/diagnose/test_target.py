"""Which log of a run is published."""

import os
from pathlib import Path

import pytest
from workbench import some_record

from naga.diagnose.target import target_of
from naga.record.lockfile import write_lock


def log_of(folder: Path, name: Path | None = None) -> Path | None:
    """What a diag of the run in a folder publishes as its log."""
    target = target_of(
        lambda cfg: cfg,
        folder,
        run_lock_path=None,
        log_file_path=name and (lambda cfg: name),
        allow_unfinished=False,
        upgrade=None,
    )
    return target.log


def test_a_log_without_end_is_said_and_not_copied(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Unless its author names it."""
    write_lock(tmp_path, some_record(save_dir=str(tmp_path), config={"save_dir": str(tmp_path)}))
    log = tmp_path / "console.log"
    log.touch()
    assert log_of(tmp_path) == log
    os.truncate(log, 1 << 30)
    assert log_of(tmp_path) == log
    assert capsys.readouterr().err == ""
    os.truncate(log, (1 << 30) + 1)
    assert log_of(tmp_path) is None
    assert f"'{log}' is larger than 1 GiB" in capsys.readouterr().err
    assert log_of(tmp_path, log) == log
