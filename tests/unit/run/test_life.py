"""The life of a run: what the lock says at every moment, and how it ends."""

import json
import os
import re
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml
from omegaconf import OmegaConf
from workbench import Script, git

from naga import clicfg, fail, load_run, load_stage, runlock, track_data
from naga.declarations import Call
from naga.errors import ClaimError, NagaError
from naga.process.ranks import Meeting, Rank
from naga.run.life import run, share

PREAMBLE = "import os, sys, signal, shutil, time\nfrom pathlib import Path\nimport naga\n"


@pytest.fixture
def ending(project: Path, script: Script) -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """Run a task with the given body in a process of its own."""

    def run(body: str, **options: Any) -> "subprocess.CompletedProcess[str]":
        indented = textwrap.indent(textwrap.dedent(body).strip(), "    ")
        task = f"@naga.runlock\n@naga.clicfg\ndef main(cfg={{'save_dir': 'results/run', 'lr': 0.1}}):\n{indented}\n"
        Path("ending.py").write_text(f"{PREAMBLE}{task}if __name__ == '__main__':\n    main()\n")
        return script("ending.py", check=False, **options)

    return run


@pytest.mark.parametrize(
    ("body", "status", "code", "cause"),
    [
        ("return 1", "finished", 0, None),
        ("sys.exit(0)", "finished", 0, None),
        ("sys.exit()", "finished", 0, None),
        ("sys.exit(3)", "failed", 3, "SystemExit"),
        ("sys.exit('no data')", "failed", 1, "SystemExit"),
        ("raise ValueError('too large')", "failed", 1, "ValueError"),
        ("raise KeyboardInterrupt", "killed", 130, "KeyboardInterrupt"),
    ],
)
def test_how_a_run_ends(ending: Any, body: str, status: str, code: int, cause: str | None) -> None:
    """The status, the recorded cause, and an exit code that Naga does not change."""
    done = ending(body)
    record = load_run("results/run").record
    assert (record.status, record.error.type if record.error else None) == (status, cause)
    assert done.returncode in (code, code - 130 - 2)  # a shell's number for Ctrl-C, and the signal's own
    assert record.ended is not None
    assert record.duration_s is not None


def test_an_exception_is_recorded_and_raised_unchanged(project: Path) -> None:
    """The very object, with its traceback in the lock."""
    error = ValueError("too large: ünïcode\nand a second line")

    @runlock
    def task(cfg: Any = {"save_dir": "results/run"}) -> None:  # noqa: B006
        raise error

    with pytest.raises(ValueError, match="too large") as caught:
        task()
    assert caught.value is error
    failure = load_run("results/run").record.error
    assert failure is not None
    assert (failure.type, failure.message) == ("ValueError", str(error))
    assert failure.traceback is not None
    assert "raise error" in failure.traceback


def test_the_lock_says_running_while_it_runs(ending: Any) -> None:
    """Written before any capture, complete before the function starts."""
    ending("shutil.copy(Path(cfg['save_dir'], 'run.lock'), 'seen.lock')")
    seen = yaml.safe_load(Path("seen.lock").read_text())
    assert seen["status"] == "running"
    assert "environment" in seen
    assert "ended" not in seen


def test_a_killed_process_leaves_a_lost_run_which_is_tried_again(ending: Any, project: Path) -> None:
    """Its files stay; the next attempt knows that it is one."""
    ending("Path(cfg['save_dir'], 'checkpoint').touch(); os.kill(os.getpid(), signal.SIGKILL)")
    run = load_run("results/run")
    assert (run.record.status, run.status) == ("running", "lost")
    ending("assert Path(cfg['save_dir'], 'checkpoint').exists()")
    again = load_run("results/run")
    assert (again.status, again.record.attempt) == ("finished", 2)
    assert [path.name for path in (again.save_dir / ".naga" / "attempts").iterdir()] == [f"0001-{run.run_id}.lock"]


STRUCK = """
import os, signal, sys
import naga, naga.run.{module}
real = naga.run.{module}.{step}

def struck(*words, **more):
    if {before}:
        os.kill(os.getpid(), signal.{name})
    result = real(*words, **more)
    os.kill(os.getpid(), signal.{name})
    return result

naga.run.{module}.{step} = struck

@naga.runlock
def main(cfg={{"save_dir": "results/run"}}):
    print("computes")
    if {interrupted}:
        raise KeyboardInterrupt

main()
"""


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
@pytest.mark.parametrize("before", [True, False])
def test_a_signal_beside_the_claim_leaves_no_running_lock(project: Path, name: str, before: bool) -> None:
    """It comes in the milliseconds between the claim and the first line that could end the run."""
    text = STRUCK.format(module="life", step="take_folder", name=name, before=before, interrupted=False)
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=False)
    assert done.returncode == -getattr(signal, name), done.stderr
    record = load_run("results/run").record
    assert (record.status, record.error.signal if record.error else None) == ("killed", name)
    assert "computes" not in done.stdout


@pytest.mark.parametrize(("module", "step"), [("end", "write_final_lock"), ("life", "how_it_ended")])
def test_a_second_ctrl_c_costs_no_lock(project: Path, module: str, step: str) -> None:
    """From somebody who does not want to wait, while the first one is recorded."""
    text = STRUCK.format(module=module, step=step, name="SIGINT", before=True, interrupted=True)
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGINT, done.stderr
    assert load_run("results/run").record.status == "killed"


def test_ctrl_c_while_the_final_lock_is_written_costs_nothing_of_it(project: Path) -> None:
    """The function had returned, and its outputs are hashed: the process gives in when the lock is there."""
    text = STRUCK.format(module="end", step="write_final_lock", name="SIGINT", before=True, interrupted=False)
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGINT, done.stderr
    record = load_run("results/run").record
    assert record.status == "finished"
    assert record.outputs
    assert record.outputs.hash


def test_a_forked_child_that_leaves_the_function_ends_no_run(ending: Any) -> None:
    """It is its parent that computes, and whose lock says running until that returns."""
    done = ending("""
        child = os.fork()
        if not child:
            sys.exit(7)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        assert "status: running" in Path("results/run/run.lock").read_text()
    """)
    assert (done.returncode, load_run("results/run").status) == (0, "finished"), done.stderr


def test_what_a_function_raised_comes_before_what_it_did_not_leave(project: Path) -> None:
    """The exception says why the declared output is missing."""

    @runlock(outputs=["model.pkl"])
    def task(cfg: Any = {"save_dir": "results/run"}) -> None:  # noqa: B006
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        task()
    record = load_run("results/run").record
    assert record.error
    assert record.error.type == "ZeroDivisionError"


@pytest.mark.parametrize(("save_dir", "said"), [("results/run", False), ("results/password=swordfish", True)])
def test_a_folder_whose_name_holds_a_secret_is_warned_of(
    project: Path, capfd: pytest.CaptureFixture[str], save_dir: str, said: bool
) -> None:
    """And no other is."""
    runlock(lambda cfg={"save_dir": save_dir}: None)()
    assert ("save_dir holds a secret" in capfd.readouterr().err) is said


def test_a_run_takes_what_its_function_takes(ending: Any) -> None:
    """In seconds, to the microsecond."""
    ending("time.sleep(1.1)")
    duration_s = load_run("results/run").record.duration_s
    assert duration_s is not None
    assert 1.1 <= duration_s < 10
    assert duration_s == round(duration_s, 6)


def test_a_folder_in_use_is_refused_and_left_alone(project: Path) -> None:
    """A task that starts itself again with the same save_dir."""

    @runlock
    def task(cfg: Any = {"save_dir": "results/run", "again": True}) -> None:  # noqa: B006
        if cfg["again"]:
            before = Path(cfg["save_dir"], "run.lock").read_bytes()
            with pytest.raises(ClaimError, match="is still running"):
                task(again=False)
            assert Path(cfg["save_dir"], "run.lock").read_bytes() == before

    task()
    assert load_run("results/run").status == "finished"


def test_a_change_of_directory_is_harmless(ending: Any, project: Path) -> None:
    """The save_dir is absolute for the function, and as written in the lock."""
    ending("os.chdir('/'); Path(cfg['save_dir'], 'out').touch(); assert os.path.isabs(cfg['save_dir'])")
    record = load_run("results/run").record
    assert (record.save_dir, record.config["save_dir"], record.status) == ("results/run", "results/run", "finished")
    assert record.outputs is not None
    assert record.outputs.files == 1


def test_a_function_that_empties_its_folder_still_gets_its_lock(ending: Any) -> None:
    """As scripts that begin with `shutil.rmtree(save_dir)` do."""
    ending("shutil.rmtree(cfg['save_dir']); Path(cfg['save_dir']).mkdir(); Path(cfg['save_dir'], 'out').touch()")
    assert load_run("results/run").status == "finished"


def test_a_changed_configuration_is_recorded_and_warned_of(ending: Any) -> None:
    """What it was at the start stays in `config`."""
    done = ending("cfg['lr'] = 0.5")
    record = load_run("results/run").record
    assert (record.config["lr"], record.config_end["lr"]) == (0.1, 0.5)
    assert "lr" in record.warnings[0]
    assert record.warnings[0] in done.stderr


def test_what_cannot_be_recorded_is_a_warning(ending: Any) -> None:
    """A fifo among the results has no content to hash: the run is finished all the same."""
    ending("os.mkfifo(Path(cfg['save_dir'], 'pipe'))")
    record = load_run("results/run").record
    assert record.status == "finished"
    assert any("outputs" in warning or "pipe" in warning for warning in record.warnings) or record.outputs is not None


def test_an_input_that_changes_is_warned_of(project: Path) -> None:
    """Under its key."""

    @runlock
    @track_data("input_data")
    def task(cfg: Any = {"save_dir": "results/run", "input_data": "data/raw.csv"}) -> None:  # noqa: B006
        Path("data/raw.csv").write_text("changed\n")

    task()
    (warning,) = load_run("results/run").record.warnings
    assert "input_data" in warning
    assert "changed" in warning


def test_declared_outputs_must_be_there(project: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A run that lacks one has failed, whatever its function makes of its own errors."""

    @runlock(outputs=["model.pkl", "scores/a.csv"])
    def task(cfg: Any = {"save_dir": "results/run", "fail": True}) -> str:  # noqa: B006
        Path(cfg["save_dir"], "model.pkl").touch()
        try:
            if cfg["fail"]:
                raise ValueError
            Path(cfg["save_dir"], "scores").mkdir()
            Path(cfg["save_dir"], "scores/a.csv").touch()
        finally:
            return "swallowed"  # noqa: B012

    assert task() == "swallowed"
    record = load_run("results/run").record
    assert record.status == "failed"
    assert record.error is not None
    assert record.error.message == "declared outputs are missing: scores/a.csv"
    assert record.error.message in capfd.readouterr().err
    task(fail=False)
    assert load_run("results/run").status == "finished"


def test_inputs_can_be_hashed_beside_the_function(project: Path) -> None:
    """The lock says that the hash is to come, then what it is; other keys are hashed before."""
    Path("data/more.csv").write_text("2\n")
    seen = {}

    @runlock
    @track_data("more", background=True)
    @track_data("input_data")
    def task(cfg: Any = {"save_dir": "results/run", "input_data": "data/raw.csv", "more": "data/more.csv"}) -> None:  # noqa: B006
        seen.update(load_run(cfg["save_dir"]).record.data)

    task()
    data = load_run("results/run").record.data
    assert seen["input_data"] == data["input_data"]
    assert (seen["more"].hash, data["more"].reason) == (None, None)
    assert data["more"].hash is not None
    assert seen["more"].reason is not None


def test_upstream_runs_are_found_by_their_outputs(project: Path) -> None:
    """A tracked path in another run's folder, or a key that names the folder, names that run."""

    @runlock
    def prepare(cfg: Any = {"save_dir": "results/prep"}) -> None:  # noqa: B006
        Path(cfg["save_dir"], "clean.csv").write_text("1\n")

    prepare()
    prep = load_run("results/prep")
    settings = {"save_dir": "results/train", "data": "results/prep/clean.csv", "stage": "results/prep"}
    runlock(track_data("data")(lambda cfg=settings: None))()
    tracked = load_run("results/train").record.upstream
    runlock(load_stage("stage")(lambda cfg=settings: None))()
    named = load_run("results/train").record.upstream
    assert tracked == named
    (upstream,) = tracked
    assert (upstream.save_dir, upstream.run_id, upstream.lock_hash) == ("results/prep", prep.run_id, prep.lock_hash)


def test_a_run_is_not_upstream_of_itself(project: Path) -> None:
    """A task that reads what its last attempt left."""
    Path("results/run").mkdir(parents=True)
    Path("results/run/state").write_text("0")
    settings = {"save_dir": "results/run", "state": "results/run/state"}
    task = runlock(track_data("state")(lambda cfg=settings: 1 / 0))
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            task()
    assert load_run("results/run").record.upstream == ()


def test_a_configuration_is_resolved_once(project: Path) -> None:
    """The folder that is claimed, recorded and used are one, however fine the clock."""
    settings = {"save_dir": "results/${stamp}", "stamp": "${now:%H%M%S%f}", "other": "${stamp}"}

    @runlock
    @clicfg
    def task(cfg: Any = OmegaConf.create(settings)) -> Any:
        return cfg

    cfg = task()
    record = load_run(cfg.save_dir).record
    assert record.config == {"save_dir": f"results/{cfg.stamp}", "stamp": cfg.stamp, "other": cfg.stamp}


def test_the_branch_and_the_message_name_the_run(project: Path, script: Script) -> None:
    """A commit of the log can be traced back to its run."""
    Path("new.py").touch()
    script("exp.py")
    record = load_run("results/run").record
    message = git("log", "-1", "--format=%B", "run_logs", cwd=project)
    for word in (record.run_id, record.task, record.save_dir):
        assert word in message


def test_manifests_lie_beside_the_lock(project: Path, script: Script) -> None:
    """The lists of files are JSON, never in the lock itself."""
    script("exp.py")
    outputs = json.loads(Path("results/run/.naga/outputs.json").read_text())
    assert "model.txt" in json.dumps(outputs)
    assert "model.txt" not in Path("results/run/run.lock").read_text()


def test_recorded_times_are_utc(project: Path) -> None:
    """Whatever the time zone of the machine."""
    from datetime import UTC, datetime

    os.environ["TZ"] = "Asia/Kolkata"
    try:
        runlock(lambda cfg={"save_dir": "results/run"}: None)()
    finally:
        del os.environ["TZ"]
    started = datetime.fromisoformat(load_run("results/run").record.started)
    assert abs((datetime.now(UTC) - started).total_seconds()) < 60


def test_a_script_from_a_pipe_is_no_file(project: Path) -> None:
    """Its name, `<stdin>`, is not told as that of a file that is missing from the snapshot."""
    program = "import naga\n@naga.runlock\n@naga.snapshot\ndef main(cfg={'save_dir': 'results/run'}): pass\nmain()\n"
    done = subprocess.run([sys.executable, "-"], input=program, capture_output=True, text=True, check=True)
    assert "<stdin>" not in done.stderr
    assert load_run("results/run").status == "finished"


@clicfg
def sharing(cfg: Any = {"save_dir": "results/run", "lr": 0.1}) -> Any:  # noqa: B006
    """Say that the run failed, and what the configuration is."""
    fail("diverged")
    return cfg["lr"], cfg["save_dir"]


def met_by_rank_1(tmp_path: Path, **decided: Any) -> Meeting:
    """Rank 1, for which rank 0 has decided."""
    Meeting(Rank(0, 2), tmp_path / "ranks" / "a").announce(config={"save_dir": "x", "lr": 5}, save_dir="/x", **decided)
    return Meeting(Rank(1, 2), tmp_path / "ranks" / "a")


def test_a_rank_computes_with_what_rank_0_decided(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """What it says of the run reaches no lock, and that is said."""
    assert share(sharing.fn, Call(), met_by_rank_1(tmp_path, computes=True)) == (5, "/x")
    assert "this rank says that the run failed, rank 0 does not know: diverged" in capfd.readouterr().err


def test_a_rank_gets_the_configuration_of_a_run_that_is_reused(tmp_path: Path) -> None:
    """Nothing is computed."""
    cfg = share(sharing.fn, Call(), met_by_rank_1(tmp_path, computes=False))
    assert (cfg["lr"], cfg["save_dir"]) == (5, "/x")


@pytest.mark.parametrize(("number", "locks"), [("0", 1), ("1", 0)])
def test_rank_0_alone_has_a_run(project: Path, monkeypatch: pytest.MonkeyPatch, number: str, locks: int) -> None:
    """The others wait for what it decides."""
    for name, value in {"NAGA_RANK": number, "NAGA_WORLD_SIZE": "2", "NAGA_RANK_TIMEOUT_S": "0.2"}.items():
        monkeypatch.setenv(name, value)
    try:
        runlock(lambda cfg={"save_dir": "results/run"}: None)()
    except NagaError as error:
        assert "rank 0 has not said" in error.message
    assert len(list(Path().rglob("run.lock"))) == locks


@pytest.mark.parametrize(
    "case",
    [
        (1, {}, r"naga: finished results/a in \d+ ms \(run \S+\)\n"),
        (0, {}, r"naga: failed results/a after \d+ ms \(run \S+\)\n"),
        (1, {"sweep": {"id": "s"}}, ""),
        (1, {"reproduces": {"run_id": "r"}}, ""),
    ],
    ids=["finished", "failed", "a point", "a reproduction"],
)
def test_one_line_says_how_a_run_has_ended(
    project: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    case: tuple[int, dict[str, Any], str],
) -> None:
    """Of one that somebody started for itself; others say what became of them."""
    monkeypatch.delenv("NAGA_QUIET")
    rate, call, said = case

    @runlock(console=False)
    def main(cfg: Any) -> float:
        return 1 / rate

    with suppress(ZeroDivisionError):
        run(main.fn, main.declares, Call(args=({"save_dir": "results/a"},), **call))
    assert re.fullmatch(said, capsys.readouterr().err)
