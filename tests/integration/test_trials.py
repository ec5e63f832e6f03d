"""Runs that are no experiments: of a test, and in continuous integration; and the log that the shell writes of one."""

import importlib.metadata
import os
import subprocess
import sys
from pathlib import Path

import pytest
from workbench import Script, git

from naga.runs.find import load_run

TEST = """
import os
from exp import main

def test_it(naga):
    main(save_dir=naga.save_dir)
    assert os.environ["NAGA_CACHE_DIR"] == str(naga.cache_dir)
    assert os.environ["MLFLOW_TRACKING_URI"] == naga.tracking_uri
    print("run", naga.save_dir)
"""


def _refs(project: Path) -> str:
    return git("for-each-ref", "refs/naga", "refs/heads/run_logs", cwd=project)


def _pytest(script: Script, **environment: str) -> Path:
    """Test the project with the fixture, and give the folder of its run."""
    Path("test_exp.py").write_text(TEST)
    known = importlib.metadata.entry_points(group="pytest11", name="naga")
    plugin = () if known else ("-p", "naga.pytest_plugin")
    done = script("-m", "pytest", "-sq", "-p", "no:cacheprovider", *plugin, "test_exp.py", **environment)
    return Path(done.stdout.partition("run ")[2].splitlines()[0])


def test_a_task_under_pytest_leaves_nothing_in_the_repository(project: Path, script: Script) -> None:
    """Neither a ref nor a commit, and its run.lock says why."""
    save_dir = _pytest(script, NAGA_SNAPSHOT="")
    assert _refs(project) == ""
    (code,) = load_run(save_dir).record.code
    assert (code.path, code.commit) == (str(project), None)
    assert code.reason == "under pytest there are no snapshots (NAGA_SNAPSHOT=on makes them)"


def test_a_test_may_ask_for_snapshots(project: Path, script: Script) -> None:
    """One that tests the snapshot itself."""
    save_dir = _pytest(script, NAGA_SNAPSHOT="on")
    assert load_run(save_dir).record.code[0].commit
    assert "refs/heads/run_logs" in _refs(project)


def test_a_script_that_a_test_starts_is_a_run(project: Path, script: Script) -> None:
    """What a process inherits from pytest is not what it is."""
    script("exp.py", NAGA_SNAPSHOT="", PYTEST_CURRENT_TEST="test_exp.py::test_it (call)")
    assert "refs/naga/runs/" in _refs(project)


def test_snapshots_are_switched_off(project: Path, script: Script) -> None:
    """Also where they are strict; another word than on and off is refused before anything is written."""
    Path("exp.py").write_text(Path("exp.py").read_text().replace("@snapshot\n", "@snapshot(strict=True)\n"))
    script("exp.py", NAGA_SNAPSHOT="off")
    assert load_run("results/run").record.code[0].reason == "NAGA_SNAPSHOT=off"
    assert _refs(project) == ""
    for name in ("NAGA_SNAPSHOT", "NAGA_CELLS"):
        done = script("exp.py", "save_dir=results/b", check=False, **{name: "of"})
        assert (done.returncode, Path("results/b").exists()) == (2, False)
        assert f"{name}=of: neither on nor off" in done.stderr


@pytest.mark.parametrize("tracked", [False, True])
@pytest.mark.parametrize("words", ["> log.txt 2>&1", "2> log.txt", ">> log.txt"])
def test_the_log_of_the_shell_is_no_code(project: Path, words: str, *, tracked: bool) -> None:
    """It grows while the run looks on: that changes no code, and makes no tree dirty."""
    text = (
        Path("exp.py")
        .read_text()
        .replace("    Path(cfg", "    import sys; print('out'); print('err', file=sys.stderr)\n    Path(cfg")
    )
    Path("exp.py").write_text(text)
    if tracked:
        Path("log.txt").write_text("before\n")
        git("add", "log.txt", cwd=project)
    git("commit", "-qam", "Print", cwd=project)
    command = f"{sys.executable} exp.py {words}"
    subprocess.run(["bash", "-c", command], check=True, cwd=project, capture_output=True, env=os.environ, timeout=60)
    record = load_run("results/run").record
    assert (record.code[0].dirty, record.warnings) == (False, ())
    assert record.code[0].commit == git("rev-parse", "HEAD", cwd=project).strip()
    assert Path("log.txt").read_text()
