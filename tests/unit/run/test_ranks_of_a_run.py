"""What a rank other than 0 does with the run of rank 0: it computes, and records nothing."""

from pathlib import Path
from typing import Any

import pytest

from naga import clicfg, fail
from naga.declarations import Call
from naga.process.ranks import Meeting, Rank
from naga.run.life import share


@clicfg
def task(cfg: Any = {"save_dir": "results/run", "lr": 0.1}) -> Any:  # noqa: B006
    """Say that the run failed, and what the configuration is."""
    fail("diverged")
    return cfg["lr"], cfg["save_dir"]


def met(tmp_path: Path, **decided: Any) -> Meeting:
    """Rank 1, for which rank 0 has decided."""
    Meeting(Rank(0, 2), tmp_path / "ranks" / "a").announce(config={"save_dir": "x", "lr": 5}, save_dir="/x", **decided)
    return Meeting(Rank(1, 2), tmp_path / "ranks" / "a")


def test_a_rank_computes_with_what_rank_0_decided(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """What it says of the run reaches no lock, and that is said."""
    assert share(task.fn, Call(), met(tmp_path, computes=True)) == (5, "/x")
    assert "this rank says that the run failed, rank 0 does not know: diverged" in capfd.readouterr().err


def test_a_rank_gets_the_configuration_of_a_run_that_is_reused(tmp_path: Path) -> None:
    """Nothing is computed."""
    cfg = share(task.fn, Call(), met(tmp_path, computes=False))
    assert (cfg["lr"], cfg["save_dir"]) == (5, "/x")


@pytest.mark.parametrize(("number", "locks"), [("0", 1), ("1", 0)])
def test_rank_0_alone_has_a_run(project: Path, monkeypatch: pytest.MonkeyPatch, number: str, locks: int) -> None:
    """The others wait for what it decides."""
    from naga import runlock
    from naga.errors import NagaError

    for name, value in {"NAGA_RANK": number, "NAGA_WORLD_SIZE": "2", "NAGA_RANK_TIMEOUT_S": "0.2"}.items():
        monkeypatch.setenv(name, value)
    try:
        runlock(lambda cfg={"save_dir": "results/run"}: None)()
    except NagaError as error:
        assert "rank 0 has not said" in error.message
    assert len(list(Path().rglob("run.lock"))) == locks
