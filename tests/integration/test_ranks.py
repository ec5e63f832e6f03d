"""One run per job: rank 0 owns it, the others share it and write nothing."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from naga import find_runs
from naga.process.ranks import this_rank

JOB = """
import json, os, sys, time
import naga

@naga.runlock
@naga.snapshot
@naga.clicfg
def main(cfg={"save_dir": "results/${now:%H%M%S%f}", "lr": 0.1, "layers": {1: [2, None]}, "token": None}):
    if cfg["lr"] == 5:
        naga.fail("diverged")
    return cfg

if __name__ == "__main__":
    time.sleep(float(os.environ.get("LATE", 0)))
    both = [main(), main(lr=7)]
    print(json.dumps([{**cfg, "kind": type(cfg).__name__} for cfg in both]))
"""
TORCHRUN = {"WORLD_SIZE": "3", "MASTER_ADDR": "node1", "MASTER_PORT": "29500", "TORCHELASTIC_RUN_ID": "none"}
MPIRUN = {"OMPI_COMM_WORLD_SIZE": "3", "OMPI_MCA_ess_base_jobid": "123"}


def start(
    rank: int, names: dict[str, str], *words: str, variable: str = "RANK", **more: str
) -> "subprocess.Popen[str]":
    """Start one rank as a launcher does."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SLURM")}
    return subprocess.Popen(
        [sys.executable, "job.py", *words],
        env={**kept, **names, variable: str(rank), **more},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def ends(*ranks: "subprocess.Popen[str]") -> Iterator[tuple[int, str, str]]:
    """Wait for all ranks."""
    for one in ranks:
        out, err = one.communicate()
        yield one.returncode, out, err


@pytest.fixture
def job(project: Path) -> Path:
    """A project with a job in it."""
    (project / "job.py").write_text(JOB)
    return project


@pytest.mark.parametrize(
    ("names", "variable"),
    [(TORCHRUN, "RANK"), (MPIRUN, "OMPI_COMM_WORLD_RANK"), ({}, "NAGA_RANK")],
    ids=["torchrun", "mpirun", "named by hand"],
)
def test_ranks_share_one_run(job: Path, names: dict[str, str], variable: str) -> None:
    """Each call is one run, whose folder and values all ranks have, whichever comes first."""
    ranks = [
        start(rank, names, "lr=3", variable=variable, LATE=str(late)) for rank, late in ((2, 0), (0, 0.2), (1, 0.6))
    ]
    done = list(ends(*ranks))
    assert [code for code, _, _ in done] == [0, 0, 0], done
    said = [json.loads(out) for _, out, _ in done]
    assert said[0] == said[1] == said[2]
    assert [cfg["lr"] for cfg in said[0]] == [3, 7]
    runs = list(find_runs("."))
    assert sorted(str(run.save_dir) for run in runs) == sorted(cfg["save_dir"] for cfg in said[0])
    assert [(run.status, run.record.process.ranks) for run in runs] == [("finished", 3 if names else None)] * 2
    refs = subprocess.run(["git", "for-each-ref", "refs/naga/runs"], capture_output=True, text=True, check=True).stdout
    assert len(refs.splitlines()) == 2


@pytest.mark.skipif(not shutil.which("mpirun"), reason="mpirun is not installed")
def test_a_real_mpirun(job: Path) -> None:
    """Three processes that Open MPI starts are one run for each call."""
    allowed = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    words = ["mpirun", "--oversubscribe", "-n", "3", sys.executable, "job.py"]
    done = subprocess.run(words, env={**os.environ, **allowed}, capture_output=True, text=True, check=True)
    said = {line for line in done.stdout.splitlines() if line.startswith("[")}
    assert len(said) == 1, done.stdout
    assert len(list(find_runs("."))) == 2


def test_secrets_are_given_to_each_rank_and_not_written(job: Path) -> None:
    """All ranks have the value that they were started with; the meeting place has it not."""
    done = list(ends(*(start(rank, TORCHRUN, "token=canary-7f3a") for rank in (0, 1, 2))))
    assert [json.loads(out)[1]["token"] for _, out, _ in done] == [None] * 3
    assert [json.loads(out)[0]["token"] for _, out, _ in done] == ["canary-7f3a"] * 3
    for file in Path(os.environ["NAGA_CACHE_DIR"]).rglob("*"):
        assert not file.is_file() or b"canary-7f3a" not in file.read_bytes()


def test_a_run_that_is_reused_is_computed_by_no_rank(job: Path) -> None:
    """All get its configuration."""
    text = JOB.replace('if cfg["lr"] == 5:', 'print("computing")\n    if cfg["lr"] == 5:')
    (job / "job.py").write_text(text.replace("[main(), main(lr=7)]", "[main()]"))
    done = subprocess.run(
        [sys.executable, "job.py", "save_dir=results/a", "lr=3"], capture_output=True, text=True, check=True
    )
    assert "computing" in done.stdout
    words = ("--reuse", "results/a")
    for code, out, err in ends(start(0, TORCHRUN, *words), start(1, TORCHRUN, *words), start(2, TORCHRUN, *words)):
        assert (code, "computing" in out) == (0, False), err
        assert json.loads(out)[0]["lr"] == 3


def test_a_killed_job_leaves_nothing_that_the_next_takes(job: Path) -> None:
    """The announcement of a job whose rank 0 is dead and whose ranks have read it is not taken again."""
    first = list(ends(start(0, TORCHRUN), start(1, TORCHRUN), start(2, TORCHRUN)))
    assert [code for code, _, _ in first] == [0, 0, 0], first
    second = list(ends(start(1, TORCHRUN), start(0, TORCHRUN, LATE="0.5"), start(2, TORCHRUN)))
    places = [{cfg["save_dir"] for cfg in json.loads(out)} for _, out, _ in [*first, *second]]
    assert places[0] == places[1] == places[2] != places[3] == places[4] == places[5]


def test_a_refusal_of_rank_0_reaches_all(job: Path) -> None:
    """No process waits for a run that will not be; one line, exit code 2."""
    (job / "results").write_text("a file where the folder should be")
    for code, _, err in ends(*(start(rank, TORCHRUN) for rank in range(3))):
        assert code == 2
        assert "cannot be used" in err
        assert "Traceback" not in err


def test_nobody_waits_for_ever(job: Path) -> None:
    """A rank whose rank 0 never comes says so."""
    ((code, _, err),) = ends(start(1, TORCHRUN, NAGA_RANK_TIMEOUT_S="0.3"))
    assert code == 2
    assert "rank 0 has not said within 0.3 s" in err
    assert not (job / "results").exists()


def test_a_rank_can_say_that_the_run_failed(job: Path) -> None:
    """Rank 0's word is recorded; the others' is only shown."""
    done = list(ends(*(start(rank, TORCHRUN, "lr=5") for rank in range(3))))
    assert [code for code, _, _ in done] == [0, 0, 0]
    assert "rank 0 does not know: diverged" in done[1][2]
    assert sorted(run.status for run in find_runs(".")) == ["failed", "finished"]


@pytest.mark.parametrize(
    ("names", "number"),
    [
        ({"RANK": "1", "WORLD_SIZE": "2"}, 1),
        ({"RANK": "1", "WORLD_SIZE": "2", "NAGA_RANK": "0"}, 0),
        ({"RANK": "0", "WORLD_SIZE": "2", "SLURM_PROCID": "1", "OMPI_COMM_WORLD_RANK": "1"}, 0),
        ({"PMI_RANK": "3"}, 3),
        ({"RANK": "0", "WORLD_SIZE": "1"}, None),
        ({"SLURM_PROCID": "1", "SLURM_NTASKS": "2"}, None),
        ({"RANK": "first"}, None),
    ],
)
def test_which_rank_this_is(names: dict[str, str], number: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Naga's own variable, then torchrun's, then MPI's; Slurm's never."""
    for name, value in names.items():
        monkeypatch.setenv(name, value)
    rank = this_rank()
    assert (rank.number if rank else None) == number


SPAWN = """
import multiprocessing, sys
import naga

def work(number):
    return number + 1

def again(number):
    return main()

@naga.runlock
@naga.clicfg
def main(cfg={"save_dir": "results/${now:%H%M%S%f}"}):
    with multiprocessing.get_context(sys.argv[1].removeprefix("save_dir=results/")).Pool(1) as pool:
        assert pool.map(work, [1, 2]) == [2, 3]
        try:
            pool.map(again, [1])
        except naga.errors.UsageError as error:
            print(error)

if __name__ == "__main__" or "unguarded" in sys.argv:
    main()
"""


def test_workers_start_no_runs(project: Path) -> None:
    """A pool works in main; a call without a configuration in a forked worker is refused."""
    (project / "pool.py").write_text(SPAWN)
    words = [sys.executable, "pool.py", "save_dir=results/fork"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert "called by a forked child of the running run" in done.stdout
    assert [run.save_dir.name for run in find_runs(".")] == ["fork"]


def test_a_child_that_imports_an_unguarded_script_starts_no_run(project: Path) -> None:
    """`spawn` imports the script again: its call of main is refused, and says how to mend it."""
    code = "import multiprocessing as m, naga\n@naga.runlock\ndef main(cfg={'save_dir': 'results/${now:%f}'}):\n"
    body = "    child = m.get_context('spawn').Process(target=print); child.start(); child.join()\nmain()\n"
    (project / "unguarded.py").write_text(code + body)
    done = subprocess.run([sys.executable, "unguarded.py"], capture_output=True, text=True, check=True)
    assert "only imports the script" in done.stderr
    assert len(list(find_runs("."))) == 1


@pytest.mark.parametrize(
    ("zero", "one", "said"),
    [
        (["lr=3"], ["lr=9"], "this rank was given lr=9, and rank 0 lr=3"),
        (["lr=3"], [], "this rank was given lr=0.1, and rank 0 lr=3"),
        ([], ["lr=9"], "this rank was given lr=9, and rank 0 lr=0.1"),
        (["--config", "a.yaml"], [], "this rank was given lr=0.1, and rank 0 lr=4"),
        (["--config", "a.yaml"], ["--config", "a.yaml"], None),
        (["lr=3", "token=canary-7f3a"], ["token=canary-7f3a", "lr=3"], None),
    ],
)
def test_a_rank_with_words_of_its_own_is_refused(job: Path, zero: list[str], one: list[str], said: str | None) -> None:
    """Under `srun` independent runs have a rank, too: what was typed for one of them, or only for the other, counts."""
    (job / "a.yaml").write_text("lr: 4\n")
    step = {"SLURM_JOB_ID": "77", "SLURM_STEP_ID": "0", "SLURM_STEP_NUM_TASKS": "2"}
    done = list(ends(start(0, step, *zero, variable="PMI_RANK"), start(1, step, *one, variable="PMI_RANK")))
    assert [code for code, _, _ in done] == [0, 2 if said else 0], done
    assert (said or "") in done[1][2]


def test_two_steps_of_one_allocation_are_two_runs(job: Path) -> None:
    """Slurm tells them apart by their steps."""
    first, second = ({"SLURM_JOB_ID": "77", "SLURM_STEP_ID": step} for step in "01")
    done = list(
        ends(
            start(0, first, "lr=3", "save_dir=results/a", variable="PMI_RANK"),
            start(0, second, "lr=9", "save_dir=results/b", variable="PMI_RANK"),
        )
    )
    assert [code for code, _, _ in done] == [0, 0], done
    assert {run.record.config["lr"] for run in find_runs(".")} >= {3, 9}
