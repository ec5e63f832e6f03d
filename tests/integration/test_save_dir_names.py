"""Names that a time makes: each run has a folder of its own, however many start at one moment."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf
from workbench import Script

from naga import clicfg, find_runs, load_run, runlock
from naga.errors import ClaimError

TIMED = """
import os, sys, uuid
from dataclasses import dataclass
from omegaconf import OmegaConf
from naga import clicfg, runlock
OmegaConf.register_new_resolver("uuid", lambda: uuid.uuid4().hex)

@dataclass
class Config:
    save_dir: str = "results/${now:%Y}"  # the same for all of a year
    ckpt: str = "${save_dir}/ckpt"
    stamp: str = "${now:%f}"
    id: str = "${uuid:}-${uuid:}"
    fail: bool = False

@runlock
@clicfg
def main(cfg: Config = Config()):
    print(cfg.save_dir, cfg.ckpt, cfg.stamp, cfg.id, sep="|")
    if cfg.fail:
        raise ValueError

if __name__ == "__main__":
    main()
"""


@pytest.fixture
def timed(project: Path) -> Path:
    """A script whose runs all want one name."""
    (project / "timed.py").write_text(TIMED)
    return project


def run(*words: str) -> "subprocess.CompletedProcess[str]":
    """Run the script."""
    return subprocess.run([sys.executable, "timed.py", *words], capture_output=True, text=True, check=False)


def names() -> list[str]:
    """Name the folders of all runs, archived ones included."""
    return sorted(str(each.save_dir.relative_to(Path("results").absolute())) for each in find_runs(".", archived=True))


@pytest.mark.parametrize("count", [8, pytest.param(24, marks=pytest.mark.stress)])
def test_all_that_start_at_one_moment_get_a_folder_each(timed: Path, count: int) -> None:
    """As under `xargs -P8` or in an array of jobs: none is lost, none refused."""
    words = [sys.executable, "timed.py"]
    started = [subprocess.Popen(words, stdout=subprocess.PIPE, text=True) for _ in range(count)]
    lines = [process.communicate()[0] for process in started]
    assert [process.returncode for process in started] == [0] * count
    year = min(names(), key=len)
    assert names() == sorted([year, *(f"{year}-{number}" for number in range(1, count))])
    assert len({line.partition("|")[0] for line in lines}) == count


def test_what_derives_from_the_name_follows_it_and_the_rest_stays(timed: Path) -> None:
    """One evaluation of the time and of what is random; the function, the lock and the folder agree."""
    run()
    done = run()
    save_dir, ckpt, stamp, identity = done.stdout.strip().split("|")
    assert "is taken: this run is in" in done.stderr
    config = load_run(save_dir).record.config
    assert save_dir.endswith("-1")
    assert ckpt == f"{config['save_dir']}/ckpt"
    assert (config["stamp"], config["id"]) == (stamp, identity)
    first, second = identity.split("-")
    assert first != second


@pytest.mark.parametrize("before", [[], ["fail=true"]])
def test_any_run_takes_the_name(timed: Path, before: list[str]) -> None:
    """Finished or failed: no one meant to continue there."""
    run(*before)
    run()
    assert len(names()) == 2
    assert not (Path("results") / ".archive").exists()


def test_a_folder_without_a_run_is_used(timed: Path) -> None:
    """It may have been made beforehand, for a log."""
    run()
    (year,) = names()
    Path(f"results/{year}-1").mkdir()
    run()
    assert names() == [year, f"{year}-1"]


@pytest.mark.parametrize("words", [["save_dir=results/${now:%Y}"], ["--existing", "archive"]])
def test_a_name_that_was_meant_is_archived(timed: Path, words: list[str]) -> None:
    """Typed, or with the word that says what is to happen."""
    run(*words)
    run(*words)
    assert sorted(len(Path(name).parts) for name in names()) == [1, 2]
    run("--existing", "refuse")
    assert len(names()) == 2


def test_what_is_passed_or_declared_counts_too(project: Path) -> None:
    """A name that is passed is meant; the declared one with another value beside it is not."""
    declared = {"save_dir": "results/${now:%Y}", "lr": 0.1}
    task = runlock(clicfg(lambda cfg=OmegaConf.create(declared): cfg))
    for lr in (1, 2):
        changed = OmegaConf.create(declared)
        changed.lr = lr
        task(changed)
    task(lr=3)
    assert len(names()) == 3
    passed = runlock(lambda cfg=declared: cfg)
    passed({"save_dir": "results/p-${now:%Y}"})
    passed({"save_dir": "results/p-${now:%Y}"})
    asked = runlock(existing="archive")(lambda cfg={"save_dir": "results/a-${now:%Y}"}: cfg)
    asked()
    asked()
    assert sum(name.startswith(".archive") for name in names()) == 2


def test_a_time_that_another_key_holds_is_a_time(project: Path) -> None:
    """``save_dir: results/${stamp}``; a stamp that is typed is none."""
    settings = {"stamp": "${now:%Y}", "name": "${stamp}", "save_dir": "results/${name}"}
    task = runlock(clicfg(lambda cfg=settings: cfg))
    places = [task()["save_dir"] for _ in range(2)]
    assert places[1] == f"{places[0]}-1"
    assert task(stamp="fixed")["save_dir"] == task(stamp="fixed")["save_dir"]


@pytest.mark.parametrize("name", ["/", "/tmp/..", "//"])
def test_the_whole_disk_is_no_folder_of_a_run(name: str, project: Path, script: Script) -> None:
    """It is refused before anything is written there, however it is spelled."""
    done = script("exp.py", f"save_dir={name}", check=False)
    assert done.returncode == 2
    assert done.stderr == f"naga: save_dir is '{name}', the whole disk\n  hint: save_dir=results/my_run\n"
    assert not Path("/run.lock").exists()


def test_a_plain_name_in_use_is_refused_still(project: Path) -> None:
    """Only a time is nobody's choice."""

    @runlock
    def task(cfg: Any = {"save_dir": "results/run", "again": True}) -> None:  # noqa: B006
        if cfg["again"]:
            with pytest.raises(ClaimError):
                task(again=False)

    task()


def test_a_change_of_the_configuration_of_a_resumed_run_is_said(
    project: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """By its keys, at the start and in the lock; secrets, and what did not change, are not named."""

    @runlock
    def task(cfg: Any = {"save_dir": "results/run", "lr": 0.1, "n": 1, "password": "s3cret-a", "fail": True}) -> None:  # noqa: B006
        if cfg["fail"]:
            raise ValueError
        assert "another configuration: lr, fail" in capfd.readouterr().err

    for _ in range(2):
        with pytest.raises(ValueError):
            task()
    assert load_run("results/run").record.warnings == ()
    task(lr=0.9, fail=False, password="s3cret-b")
    (warning,) = load_run("results/run").record.warnings
    assert warning.endswith("(failed), which had another configuration: lr, fail")
    assert "another configuration" not in capfd.readouterr().err  # once


def test_a_run_of_another_task_is_not_archived_without_a_word(project: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Two cells of a notebook with one save_dir; of the same task it is no surprise."""

    def one(cfg: Any = {"save_dir": "results/run"}) -> None:  # noqa: B006
        pass

    def two(cfg: Any = {"save_dir": "results/run"}) -> None:  # noqa: B006
        pass

    runlock(one)()
    runlock(one)()
    assert load_run("results/run").record.warnings == ()
    runlock(two)()
    (warning,) = load_run("results/run").record.warnings
    assert "of another task, " in warning
    assert ".<locals>.one, in 'results/run' was moved" in warning
    assert warning in capfd.readouterr().err
    assert os.listdir("results/.archive")
