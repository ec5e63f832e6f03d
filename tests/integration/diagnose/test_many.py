"""`naga diag` and `naga rebuild` on many runs: real processes, a real store."""

import io
import json
import os
import runpy
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import redirect_stdout
from pathlib import Path

import pytest
from integration.diagnose.publications import MakeRun, Store, copy_store
from workbench import git

from naga.cli import main
from naga.record.schema import Code
from naga.tracking.published_runs import newest_published

HEAD = """
import sys
from pathlib import Path
import mlflow, naga
from omegaconf import OmegaConf
from naga import clicfg, runlock
from naga.mlflow_log import mlflow_log_run
"""
TASK = """
{helper}

@runlock
@clicfg
def main(cfg=OmegaConf.create({{"save_dir": "results/x"}})):
    return cfg

@mlflow_log_run
def diag(cfg):
    score = {score}
    assert cfg.epochs != 1313, "an unlucky number"
    mlflow.log_metrics({{"score": score, "epochs": cfg.epochs}})
    mlflow.log_text("text", f"note-{{score}}.txt")
    print("scored", score, Path(sys.argv[0]).name)

if __name__ == "__main__":
    diag(main())
"""
FIRST = HEAD + TASK.format(helper="import helper", score="helper.score(cfg.epochs)")
SECOND = HEAD + TASK.format(helper="", score="cfg.epochs")


@pytest.fixture
def own_store(project: Path, migrated: Path) -> Store:
    """The project's own store, and two scripts, one of which has a helper."""
    Path("first.py").write_text(FIRST)
    Path("second.py").write_text(SECOND)
    Path("helper.py").write_text("import further\ndef score(x):\n    return further.FACTOR * x\n")
    Path("further.py").write_text("FACTOR = 2.0\n")
    return Store(copy_store(migrated, project))


def leave(make_run: MakeRun, count: int, first: int = 0) -> None:
    """Leave runs of two tasks by turns."""
    for number in range(first, first + count):
        task, name = ("first", "second")[number % 2], f"results/{number:03}"
        config = {"save_dir": name, "epochs": number}
        run_id = f"20260101T000000-{number:08x}"
        make_run(name, run_id=run_id, task=f"{task}.main", config=config, code=(), data={})


def diags() -> Counter[tuple[str, str]]:
    """Count the runs by script and by what `naga ls` says of their publications."""
    with redirect_stdout(io.StringIO()) as printed:
        main(["ls", "--format", "json"])
    return Counter((row["task"].removesuffix(".main"), row["diag"]) for row in json.loads(printed.getvalue()))


def edit_one_helper(make_run: MakeRun, store: Store, count: int, capsys: pytest.CaptureFixture[str]) -> None:
    """Publish runs of two tasks, and edit what one of them imports by way of another module."""
    leave(make_run, count)
    half = count // 2
    assert diags() == {("first", "never"): half, ("second", "never"): half}
    assert main(["diag", "first.py", "results/**", "--jobs", "2"]) == 0
    said = capsys.readouterr().out
    assert f"{half} published, {half} skipped (it is of the task second.main)" in said
    assert "results/000: scored 0.0 first.py" in said
    os.utime("second.py", (0, 0))  # else it might have been edited since this process began
    diag = runpy.run_path("second.py", run_name="second")["diag"]
    for number in range(1, count, 2):
        diag(f"results/{number:03}")
    assert diags() == {("first", "fresh"): half, ("second", "fresh"): half}

    Path("further.py").write_text("FACTOR = 3.0\n")
    assert diags() == {("first", "stale"): half, ("second", "fresh"): half}
    before = {run.info.run_id for run in store.runs()}
    capsys.readouterr()
    assert main(["diag", "--stale", "second.py", "results/**"]) == 0
    said = capsys.readouterr().out
    assert f"{half} unchanged, {half} skipped" in said
    assert "nothing to do" in said
    assert {run.info.run_id for run in store.runs()} == before
    assert main(["diag", "--stale", "first.py", "results/**"]) == 0
    assert f"{half} published" in capsys.readouterr().out
    again = [run for run in store.runs() if run.info.run_id not in before]
    assert Counter(run.data.params["epochs"] for run in again) == Counter(str(n) for n in range(0, count, 2))
    assert {run.data.metrics["score"] / max(run.data.metrics["epochs"], 1) for run in again} <= {0.0, 3.0}
    assert len(store.active()) == count

    before = {run.info.run_id for run in store.runs()}
    assert main(["diag", "--stale", "first.py", "results/*0*", "--filter", "task=first.main"]) == 0
    assert "nothing to do: every MLflow run is fresh" in capsys.readouterr().out
    assert {run.info.run_id for run in store.runs()} == before


def test_edit_one_helper(own_store: Store, make_run: MakeRun, capsys: pytest.CaptureFixture[str]) -> None:
    """Exactly the runs are published again whose diag imports it, and a second pass does nothing."""
    edit_one_helper(make_run, own_store, 6, capsys)


@pytest.mark.stress
def test_edit_one_helper_among_200(own_store: Store, make_run: MakeRun, capsys: pytest.CaptureFixture[str]) -> None:
    """The same among 200 runs."""
    edit_one_helper(make_run, own_store, 200, capsys)


def test_failures_preview_and_rebuild(
    own_store: Store, make_run: MakeRun, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What fails is reported and stops nothing; a preview writes nothing; a store that is lost is made again, once."""
    leave(make_run, 1, 2)
    config = {"save_dir": "results/bad", "epochs": 1313}
    make_run("results/bad", run_id="20260101T000000-bad", task="first.main", config=config)
    make_run("results/broken", run_id="20260101T000000-broken", task="first.main", status="failed")
    assert main(["diag", "first.py", "results/**"]) == 1
    said = capsys.readouterr().out
    assert "AssertionError: an unlucky number (first.py:19)" in said
    assert "1 published, 1 skipped (it has not finished: it is failed), 1 failed" in said

    Path("further.py").write_text("FACTOR = 3.0\n")
    before = {path: path.read_bytes() for path in project.rglob("*") if path.is_file() and ".pyc" not in path.name}
    assert main(["diag", "first.py", "--dry-run", "results/002"]) == 0
    said = capsys.readouterr().out
    assert "results/002: against 002 #1" in said
    assert "score   4 -> 6  (+2)" in said
    assert "1 metric as before" in said
    assert "new: note-6.0.txt" in said
    assert "gone: note-4.0.txt" in said
    after = {path: path.read_bytes() for path in project.rglob("*") if path.is_file() and ".pyc" not in path.name}
    assert after == before

    (project / "mlflow.db").unlink()
    uri = f"sqlite:///{project}/elsewhere/new.db"
    assert main(["rebuild", "first.py", "results/**", "--to", uri]) == 1  # the bad one is bad here too
    (published,) = newest_published(uri).values()
    assert published.tags["naga.run_id"] == "20260101T000000-00000002"
    assert Path(published.artifact_uri.removeprefix("file://")).is_relative_to(project / "elsewhere")
    assert main(["rebuild", "first.py", "results/002", "--to", uri]) == 0
    assert "nothing to do" in capsys.readouterr().out
    assert list(newest_published(uri).values()) == [published]
    assert not (project / "mlflow.db").exists()


OLD = "class Net:\n    size = 7\n"
PICKLED = (
    HEAD
    + """
import pickle
import models

@mlflow_log_run
def diag(cfg):
    net = pickle.loads((Path(cfg.save_dir) / "net.pkl").read_bytes())
    mlflow.log_metric("size", net.size)
"""
)


def test_with_the_code_of_the_run(
    own_store: Store, make_run: MakeRun, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A model opens whose class has another name today; the worktree stays as it is; the publication is fresh."""
    Path("exp.py").write_text(PICKLED.replace("size", "was"))
    Path("models.py").write_text(OLD)
    Path("link.py").symlink_to("models.py")
    Path(".gitignore").write_text("mlruns\nmlflow.db\nresults\n__pycache__\n")
    git("init", "-q", cwd=project)
    git("add", "exp.py", "models.py", "link.py", cwd=project)
    git("commit", "-qm", "Then", cwd=project)
    commit, tree = git("rev-parse", "HEAD", "HEAD^{tree}", cwd=project).split()
    code = (Code(name="project", path=str(project), commit=commit, tree=tree),)
    config = {"save_dir": "results/a"}
    folder = make_run("results/a", task="exp.main", code=code, config=config, data={})
    (folder / "net.pkl").write_bytes(b"cmodels\nNet\n)\x81.")
    Path("models.py").write_text("class Network:\n    size = 8\n")
    Path("exp.py").write_text(PICKLED)
    before = git("status", "--porcelain", cwd=project)
    assert main(["diag", "exp.py", "results/a"]) == 1
    assert main(["diag", "exp.py", "--code", "recorded", "results/a"]) == 0
    (active,) = own_store.active()
    assert active.data.metrics == {"size": 7.0}
    assert git("status", "--porcelain", cwd=project) == before
    assert diags() == {("exp", "fresh"): 1}
    Path("exp.py").write_text(PICKLED + "\n# edited\n")
    assert diags() == {("exp", "stale"): 1}
    Path("models.py").write_text("Network = NEW = 8\n")
    for used in ("from models import NEW", "import models; models.NEW"):
        Path("exp.py").write_text(f"{PICKLED}\n    {used}\n")
        capsys.readouterr()
        assert main(["diag", "exp.py", "--code", "recorded", "results/a"]) == 1
        assert "today's diag needs models.NEW, which the code of the run lacks" in capsys.readouterr().out


def test_interrupted(own_store: Store, make_run: MakeRun, project: Path) -> None:
    """Ctrl-C lets the run that has begun be finished, says how many are left, and --stale goes on there."""
    Path("second.py").write_text(
        SECOND.replace("    print(", "    Path('begun').touch()\n    __import__('time').sleep(1)\n    print(")
    )
    leave(make_run, 6)
    program = "import sys; from naga.cli import main\nif __name__ == '__main__': sys.exit(main())"
    words = [sys.executable, "-c", program, "diag", "second.py", "--stale"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        while not Path("begun").exists():
            assert process.poll() is None
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGINT)
        said = process.communicate(timeout=60)[0]
    assert process.returncode == 130, said
    assert "1 published, 3 skipped (it is of the task first.main), 2 left" in said
    assert len(own_store.active()) == 1
    assert own_store.statuses() == ["active"]


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["diag", "nowhere.py", "results/002"], "no script 'nowhere.py'"),
        (["diag", "second.py"], "name the runs"),
        (["diag", "results"], "'results' is a folder, not a script"),
        (["diag", "second.py", "results/nowhere"], "no run at"),
        (["diag", "second.py", "nowhere/**"], "no run fits"),
        (["diag", "second.py", "results/**", "--filter", "config.lr"], "compares nothing"),
        (["diag", "second.py", "results/**", "--filter", "stats=finished"], "'stats'"),
        (["diag", "second.py", "results/**", "--jobs", "0"], "--jobs 0"),
        (["diag", "broken.py", "results/**"], "broken.py"),
        (["rebuild", "second.py", "results/**", "--to", "new.db"], "not a tracking URI"),
        (["rebuild", "second.py", "results/**", "--to", "sqlite://new.db"], "names no file"),
        (["rebuild", "second.py", "results/**"], "--to"),
        (["ls", "--sort", "colour"], "'colour'"),
        (["ls", "--nonsense"], "--nonsense"),
        (["show", "results/002", "results/003"], "results/003"),
    ],
)
def test_wrong_use(
    own_store: Store, make_run: MakeRun, words: list[str], problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line and a hint, exit code 2, and nothing published."""
    leave(make_run, 2, 2)
    Path("broken.py").write_text("def (\n")
    assert main(words) == 2
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("naga: ")
    assert problem in first
    assert second.startswith("  hint: ")
    assert own_store.runs() == []
