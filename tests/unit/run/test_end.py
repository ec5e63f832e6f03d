"""What the final lock says of how a run ended."""

import re
from pathlib import Path
from typing import Any

import pytest

from naga import load_run, runlock, seed_everything


@pytest.mark.parametrize("seed", [0, 5, None])
def test_the_seed_that_was_set(project: Path, seed: int | None) -> None:
    """By the function, and no other: of one run nothing is left for the next."""

    @runlock
    def main(cfg: Any = {"save_dir": "results/run"}) -> None:  # noqa: B006
        if seed is not None:
            seed_everything(seed)

    main()
    environment = load_run("results/run").record.environment
    assert environment is not None
    assert environment.seed == seed


def test_hashing_that_is_interrupted(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The function has returned: the run is finished, and the reason stands where its outputs would."""

    @runlock
    def main(cfg: Any = {"save_dir": "results/run"}) -> None:  # noqa: B006
        Path("results/run/model").write_text("1")

    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("naga.run.end.capture_outputs", interrupted)
        with pytest.raises(KeyboardInterrupt):
            main()
    record = load_run("results/run").record
    assert record.status == "finished"
    assert re.fullmatch(r"\d{8}T\d{6}-[0-9a-f]{8}", record.run_id)
    assert record.outputs is not None
    assert record.outputs.reason == "not hashed: that was interrupted, or failed"
    assert record.outputs.hash is None
