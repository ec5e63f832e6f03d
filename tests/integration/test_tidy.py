"""What was made from what, where a file is from, and making room: on real runs in a real repository."""

import json
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from workbench import git

from naga import find_runs, load_run

STAGES = """
import sys
from pathlib import Path
from naga import clicfg, load_stage, runlock, snapshot, track_data

@runlock
@snapshot
@clicfg
def prep(cfg={"save_dir": "results/prep", "n": 1}):
    Path(cfg["save_dir"], "p.txt").write_text(str(cfg["n"]))

@runlock
@snapshot
@load_stage("prep")
@clicfg
def train(cfg={"save_dir": "results/train", "prep": "results/prep", "fail": False}):
    if cfg["fail"]:
        raise ValueError("diverged")
    Path(cfg["save_dir"], "t.txt").write_text("t" + Path(cfg["prep"], "p.txt").read_text())

@runlock
@track_data("data")
@clicfg
def draw(cfg={"save_dir": "results/plot", "data": "data.csv"}):
    Path(cfg["save_dir"], "a.png").touch()
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run, two that were made from it, and one that failed; the current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NAGA_CACHE_DIR", str(tmp_path / ".cache"))
    Path("exp.py").write_text(STAGES)
    Path(".gitignore").write_text("results/\n.cache/\n__pycache__/\n")
    git("init", "-q", cwd=tmp_path)
    git("add", "-A", cwd=tmp_path)
    git("commit", "-qm", "Begin", cwd=tmp_path)
    python("exp.prep(); exp.train(); exp.train(save_dir='results/t2')")
    python("exp.train(save_dir='results/bad', fail=True)", code=1)
    return tmp_path


def python(text: str, code: int = 0) -> None:
    """Call the tasks."""
    done = subprocess.run([sys.executable, "-c", f"import exp; {text}"], capture_output=True, check=False)
    assert done.returncode == code, done.stderr


def naga(*words: str, code: int = 0) -> str:
    """Run a command of Naga's."""
    program = Path(sys.executable).with_name("naga")
    done = subprocess.run([program, *words], capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_graph(place: Path) -> None:
    """Each run stands below what it was made from; what is out of date or failed is marked, in every format."""
    assert naga("graph").splitlines() == [
        "results/prep  exp.prep",
        "  results/bad  exp.train  [failed]",
        "  results/t2  exp.train",
        "  results/train  exp.train",
    ]
    python("exp.prep(n=2)")
    assert "results/train  exp.train  [out of date]" in naga("graph")
    drawn = json.loads(naga("graph", "results/t2", "--format", "json"))
    assert [node["status"] for node in drawn["nodes"]] == ["finished", "out of date"]
    assert drawn["edges"] == [{"from": drawn["nodes"][0]["id"], "to": drawn["nodes"][1]["id"]}]
    picture = ET.fromstring(naga("graph", "--format", "svg"))
    assert len(picture.findall("{http://www.w3.org/2000/svg}path")) == 3
    assert naga("graph", "--format", "mermaid").startswith("flowchart LR\n")


def test_whence_of_a_figure_of_a_diag(place: Path) -> None:
    """Copied into a paper, it leads to the diag, its MLflow run, the run and its commit; also an earlier one."""
    Path("look.py").write_text(
        "from naga import diag_dir\nfrom naga.mlflow_log import mlflow_log_run\n\n"
        "@mlflow_log_run\ndef diag(cfg, text='1'):\n"
        "    (diag_dir() / 'figure.svg').write_text(text)\n"
    )
    for text in ("first", "second"):
        python(f"import look; look.diag('results/prep', text='{text}')")
    run = load_run("results/prep")
    noted = run.summary.publication
    shutil.copy("results/prep/diag/2/figure.svg", "in_the_paper.svg")
    said = naga("whence", "in_the_paper.svg", "results/prep/diag/1/figure.svg").splitlines()
    assert (
        f"  diag look.py:diag (MLflow run {noted['mlflow_run_id']}) of run {run.run_id} (exp.prep, commit " in said[0]
    )
    assert "an earlier diag (1) of run" in said[1]


def test_whence(place: Path) -> None:
    """A copy leads to the run by its content; what was changed, to the folder that it is in; others to none."""
    shutil.copy("results/prep/p.txt", "figure.txt")
    assert f"run {load_run('results/prep').run_id} (exp.prep, commit" in naga("whence", "figure.txt")
    Path("results/prep/p.txt").write_text("changed")
    assert "its content is not what was recorded" in naga("whence", "results/prep/p.txt")
    assert "of no run that is known here" in naga("whence", "exp.py", code=1)
    assert "no file 'nowhere'" in naga("whence", "nowhere", code=2)


def test_rm_and_gc(place: Path) -> None:
    """Nothing goes without --yes, and then neither what others rest on, nor what is tagged, nor what is live."""
    python("exp.prep(n=2)")
    naga("rm", "results/t2")
    naga("tag", "results/bad", "+look")
    refs = git("for-each-ref", "refs/naga/runs", cwd=place).splitlines()
    listed = naga("gc", "results")
    assert "'" in listed.split("stays: ")[1]
    assert "(stays: tagged look)" in listed
    assert "1 run, " in listed
    assert len(find_runs("results", archived=True)) == 5
    gone = next(run for run in find_runs("results", archived=True) if "t2~" in run.save_dir.name)
    done = naga("gc", "results", "--yes")
    assert f"removed refs/naga/runs/{gone.run_id}" in done
    assert {run.run_id for run in find_runs("results", archived=True)} & {gone.run_id} == set()
    assert len(git("for-each-ref", "refs/naga/runs", cwd=place).splitlines()) == len(refs) - 1
    assert len(find_runs("results", archived=True)) == 4
    naga("tag", "results/bad", "-look")
    assert "nothing to remove" in naga("gc", "results", "--older", "1d")
    naga("gc", "results", "--failed", "--yes")
    assert not Path("results/bad").exists()


def test_gc_keeps_a_ref_that_a_copy_needs(place: Path) -> None:
    """A copy of the run in another folder where runs have been looked for."""
    run_id = load_run("results/bad").run_id
    shutil.copytree("results/bad", "elsewhere/bad")
    naga("ls", "elsewhere")
    naga("gc", "results", "--yes")
    assert f"refs/naga/runs/{run_id}" in git("for-each-ref", cwd=place)


def test_rm_follows_no_link_and_leaves_the_live(place: Path) -> None:
    """A linked folder is moved as the link that it is; a running run is refused."""
    lock = Path("results/t2/run.lock")
    lock.write_text(lock.read_text().replace("status: finished", "status: running", 1))
    alive = subprocess.Popen(["sleep", "60"])
    try:
        text = lock.read_text()
        pid = load_run("results/t2").record.process.pid
        ticks = load_run("results/t2").record.process.started_ticks
        now = Path(f"/proc/{alive.pid}/stat").read_text().rpartition(")")[2].split()[19]
        lock.write_text(text.replace(f"pid: {pid}", f"pid: {alive.pid}").replace(f"ticks: {ticks}", f"ticks: {now}"))
        assert "still running" in naga("rm", "results/t2", code=2)
    finally:
        alive.kill()
        alive.wait()
    assert Path("results/t2").is_dir()


def test_graph_with_files(place: Path) -> None:
    """Inputs that no run has made come before the runs, figures of runs and of diags behind them."""
    Path("data.csv").write_text("1")
    python("exp.draw()")
    Path("results/plot/diag").mkdir()
    Path("results/plot/diag/later.svg").touch()
    lines = naga("graph", "results/plot", "--files").splitlines()
    assert lines == [
        "data.csv  input",
        "  results/plot  exp.draw",
        "    results/plot/a.png  figure",
        "    results/plot/diag/later.svg  figure",
    ]
    assert naga("graph", "results/plot").splitlines() == ["results/plot  exp.draw"]


def test_out_of_date_is_said_wherever_runs_are_shown(place: Path) -> None:
    """In the table, the page of a run, the graph, the status of a folder, and by a diag and a task that read one."""
    python("exp.prep(n=2)")
    rows = [line.split(maxsplit=1) for line in naga("ls", "--columns", "save_dir,status").splitlines()]
    assert ["results/train", "finished, out of date"] in rows
    assert ["results/prep", "finished"] in rows
    listed = {
        row["save_dir"].rpartition("/")[2]: row["out_of_date"] for row in json.loads(naga("ls", "--format", "json"))
    }
    assert listed == {"prep": False, "train": True, "t2": True, "bad": True}
    assert "out of date" in naga("show", "results/train")
    [said] = [line for line in naga("status", "results").splitlines() if line.startswith("out of date train")]
    assert "  made from run" in said
    assert said.endswith("now, with other results (p.txt)")
    Path("look.py").write_text(
        "from naga.mlflow_log import mlflow_log_run\n@mlflow_log_run\ndef diag(cfg): ...\n"
        "if __name__ == '__main__':\n    diag()\n"
    )
    said = naga("diag", "look.py", "results/train", "--dry-run")
    assert "naga: out of date: results/train (naga verify 'results/train' says why)" in said
    done = subprocess.run([sys.executable, "-c", "import exp; exp.draw(data='results/train/t.txt')"],
                          capture_output=True, text=True, check=True)  # fmt: skip
    assert "this run is out of date from the start: made from 'results/train'" in done.stderr


def test_a_run_id_is_known_everywhere(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where runs have been looked for, and only if none is here."""
    run = load_run("results/prep")
    naga("ls", "results")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert str(run.save_dir) in naga("show", run.run_id)
    assert "nor in folders that were searched before" in naga("show", "nothing-like-it", code=2)
