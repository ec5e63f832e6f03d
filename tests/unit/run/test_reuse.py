"""Which run is used in place of a new one."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from workbench import some_record

from naga import runlock
from naga.errors import SaveDirError
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


def test_the_same_configuration_is_not_computed_again(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Another one is refused with what differs, also what is new since, or gone."""
    computed: list[Any] = []

    def task(config: dict[str, Any]) -> Any:
        @runlock(existing="reuse")
        def main(cfg: Any = config) -> Any:
            computed.append(cfg)
            return cfg

        return main

    first: dict[str, Any] = {"save_dir": "results/run", "lr": 1, "epochs": 2}
    task(first)()
    task(first)()
    assert len(computed) == 1
    assert "naga: not computing: " in capsys.readouterr().err
    without = {key: value for key, value in first.items() if key != "epochs"}
    for other, named in (({**first, "lr": 3}, "lr"), ({**first, "new": 4}, "new"), (without, "epochs")):
        with pytest.raises(SaveDirError, match=rf"had another configuration \({named}\)"):
            task(other)()
    assert len(computed) == 1
