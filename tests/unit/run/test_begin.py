"""The beginning of a run: what its folder held is said, and where nothing can be written it is given back."""

import errno
import re
from pathlib import Path
from typing import Any

import pytest

from naga import clicfg, load_run, runlock
from naga.errors import SaveDirError


@runlock
@clicfg
def task(cfg: Any = {"save_dir": "results/run", "lr": 0.1}) -> None:  # noqa: B006
    """Fail where that is asked for."""
    if cfg["lr"] == 0:
        raise ZeroDivisionError


@pytest.mark.parametrize("status", ["failed", "lost"])
def test_another_configuration_after_a_broken_run_is_said(project: Path, status: str) -> None:
    """With what became of that run, and what has changed."""
    with pytest.raises(ZeroDivisionError):
        task(lr=0)
    lock = Path("results/run/run.lock")
    if status == "lost":
        text = re.sub("started_ticks: .*", "started_ticks: 1", lock.read_text())
        lock.write_text(text.replace("status: failed", "status: running"))
    former = load_run("results/run").run_id
    task(lr=1)
    (warning,) = load_run("results/run").record.warnings
    assert warning == (
        f"this run continues in the folder of run {former} ({status}), which had another configuration: lr"
    )


def test_a_folder_that_cannot_be_written_is_given_back(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line, and the next run finds no owner."""

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("naga.run.begin.write_lock", full)
        with pytest.raises(SaveDirError, match="cannot be written: No space left"):
            task()
    assert not list(Path("results/run/.naga/claims").iterdir())
    task()
    assert load_run("results/run").record.attempt == 1


def test_a_run_that_is_reused_is_of_the_same_task(project: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Of another one it is used, with a warning."""
    task()
    task.cli(["--reuse", "results/run"])
    assert "warning" not in capfd.readouterr().err
    runlock(clicfg(other)).cli(["--reuse", "results/run"])
    assert re.search(r"warning: run \S+ is of the task \S*task, not \S*other", capfd.readouterr().err)


def other(cfg: Any = {"save_dir": "results/run", "lr": 0.1}) -> None:  # noqa: B006
    """Another task."""


def test_further_arguments_come_along_to_a_folder_of_another_name(project: Path) -> None:
    """Two runs of one year: the second is in the folder ``-1``."""

    @runlock
    @clicfg
    def yearly(cfg: Any = {"save_dir": "results/${now:%Y}"}, first: int = 0, second: int = 0) -> tuple[Any, ...]:  # noqa: B006
        return cfg["save_dir"], first, second

    save_dir, *_ = yearly({}, 1, 2)
    assert yearly({}, 3, 4) == (f"{save_dir}-1", 3, 4)
