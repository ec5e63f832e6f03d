"""An experiment and its evaluation as users write them; mypy and pyright judge them in their strict modes."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, assert_type

import naga
from naga import Run, Runs, clicfg, find_runs, load_run, load_stage, runlock, snapshot, track_data
from naga.errors import NagaError
from naga.mlflow_log import Diag, mlflow_log_run
from naga.task import Task

if TYPE_CHECKING:
    from naga.compare.diff import Diff


@dataclass
class Config:
    """What is typed."""

    save_dir: str = "results/${now:%H%M%S}"
    data: str = "data/raw.csv"
    stage: str = "results/stage"
    lr: float = 0.1


@runlock
@snapshot
@track_data("data")
@load_stage("stage")
@clicfg
def main(cfg: Config) -> Config:
    """Compute."""
    Path(cfg.save_dir, "loss.txt").write_text(str(cfg.lr))
    return cfg


@runlock(existing="reuse", outputs=["loss.txt"], hash_outputs="10 GB")
@snapshot(branch="runs", strict=True)
@clicfg(was="old.main", before={"lr": 0.5})
def with_options(cfg: Config) -> float:
    """Compute, and give a number."""
    if cfg.lr > 1:
        naga.fail("diverged")
    return cfg.lr


@mlflow_log_run
def diag(cfg: Config) -> None:
    """Publish."""
    assert_type(naga.diag_dir(), Path)


@mlflow_log_run(run_lock_path=lambda cfg: Path(cfg.save_dir) / "run.lock", allow_unfinished=True)
def with_paths(cfg: Config, scale: float = 1.0) -> float:
    """Publish, and give a number."""
    return scale * cfg.lr


def evaluate() -> None:
    """Use what is public, and hold its types."""
    assert_type(main(), Config)
    assert_type(main(lr=0.2), Config)
    assert_type(with_options(Config()), float)
    assert_type(main.fn(Config()), Config)
    assert_type(main.cli(["lr=0.2"]), Config | None)
    assert_type(diag(main()), None)
    assert_type(with_paths("results/a", scale=2.0), float)
    assert_type(main.sweep({"lr": [0.1, 0.2]}, jobs=2), Runs)

    runs = find_runs("results", archived=True).where("status=finished")
    assert_type(runs, Runs)
    assert_type(runs[0], Run)
    assert_type(runs[:2], Runs)
    assert_type(runs.best("metrics.loss", lowest=True), Run)
    run = load_run("results/a")
    assert_type(run.save_dir, Path)
    assert_type(run.status, str)
    assert_type(run.metrics, dict[str, float])
    assert_type(run.tags, tuple[str, ...])
    different: Diff = naga.diff(run, "results/b", only=["config"])
    assert_type((bool(different), naga.seed_everything(1)), tuple[bool, int])


def mistakes() -> None:
    """Be warned of what does not fit: a checker that said nothing would complain of the comments."""
    find_runs(3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    runlock(existing="keep")  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]
    try:
        load_run("results/nothing")
    except NagaError as error:
        error.hint.upper()
        error.code = 3  # type: ignore[attr-defined]  # pyright: ignore


def kinds() -> tuple[Task[..., Config], Diag[[Config], None]]:
    """Name the kinds of what the decorators make."""
    return main, diag
