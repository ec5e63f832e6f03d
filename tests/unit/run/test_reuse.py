"""Which run is used in place of a new one."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from workbench import some_record

from naga.record.lockfile import write_lock
from naga.run.reuse import finished_run


@pytest.mark.parametrize("status", ["finished", "failed", "killed", "running"])
def test_a_finished_run_alone(tmp_path: Path, status: Any) -> None:
    """None that failed, was killed, or still runs; none where there is none, or no save_dir."""
    config: Any = SimpleNamespace(save_dir=tmp_path / "run")
    assert finished_run(config) is None
    (tmp_path / "run").mkdir()
    assert finished_run(config) is None
    write_lock(tmp_path / "run", replace(some_record(), status=status))
    found = finished_run(config)
    assert (found is not None) == (status == "finished")
    assert finished_run(SimpleNamespace(save_dir=None)) is None  # type: ignore[arg-type]
