"""`@hydra.main` in the place of `@clicfg`."""

from pathlib import Path

import pytest
from workbench import Script, git

from naga import load_run

pytest.importorskip("hydra", reason="Hydra 1.3 needs OmegaConf below 2.4; `make test` runs this with both")
pytestmark = pytest.mark.compat

EXPERIMENT = """
from pathlib import Path

import hydra

from naga import runlock, snapshot, track_data

@runlock
@snapshot
@track_data("input_data")
@hydra.main(version_base="1.3", config_path="conf", config_name="config")
def main(cfg):
    Path(cfg.save_dir, "model.txt").write_text(str(cfg.model.depth))
    return cfg

if __name__ == "__main__":
    print(main().model.depth)
"""


@pytest.fixture
def hydra_project(project: Path) -> Path:
    """A project with a configuration of two files."""
    Path("hydra_exp.py").write_text(EXPERIMENT)
    Path("conf/model").mkdir(parents=True)
    Path("conf/config.yaml").write_text(
        "defaults: [{model: small}, _self_]\n"
        "save_dir: results/${model.name}-${now:%H%M%S%f}\ninput_data: data/raw.csv\nout: ${hydra:runtime.output_dir}\n"
    )
    for name, depth in (("small", 1), ("large", 9)):
        Path(f"conf/model/{name}.yaml").write_text(f"name: {name}\ndepth: {depth}\n")
    return project


def test_hydra_composes_and_naga_records(hydra_project: Path, script: Script) -> None:
    """The run has the configuration that Hydra composed, resolved once, and main returns what it returned."""
    assert script("hydra_exp.py", "model=large", "model.depth=7").stdout.strip() == "7"
    (folder,) = Path("results").iterdir()
    record = load_run(folder).record
    assert record.config["model"] == {"name": "large", "depth": 7}
    assert record.save_dir == f"results/{folder.name}"
    assert record.config["out"].startswith(str(hydra_project / "outputs"))
    assert (record.status, list(record.data), len(record.code)) == ("finished", ["input_data"], 1)


def test_a_sweep_of_hydra_is_several_runs(hydra_project: Path, script: Script) -> None:
    """Each job claims a folder of its own."""
    script("hydra_exp.py", "--multirun", "model.depth=1,2,3")
    assert sorted(load_run(folder).record.config["model"]["depth"] for folder in Path("results").iterdir()) == [1, 2, 3]


@pytest.mark.parametrize("launcher", ["basic", "joblib", "submitit_local"])
def test_a_multirun_goes_on(hydra_project: Path, script: Script, launcher: str) -> None:
    """With ``existing="reuse"`` the same command computes what is not there, and each lock names its own job alone."""
    if launcher != "basic":
        pytest.importorskip(f"hydra_plugins.hydra_{launcher.removesuffix('_local')}_launcher")
    text = EXPERIMENT.replace("@runlock", '@runlock(existing="reuse")').replace(
        "    Path(cfg",
        """    with Path("count.txt").open("a") as file:
        file.write(f"{cfg.model.depth} ")
    if cfg.model.depth == 2 and not Path("good").exists():
        raise ValueError("diverged")
    Path(cfg""",
    )
    Path("hydra_exp.py").write_text(text)
    Path("conf/config.yaml").write_text(
        "defaults: [{model: small}, _self_]\nsave_dir: results/${model.depth}\ninput_data: data/raw.csv\n"
    )
    words = ("hydra_exp.py", "--multirun", f"hydra/launcher={launcher}", "input_data=data/raw.csv", "model.depth=1,2,3")
    assert script(*words, check=False).returncode != 0
    began = Path("count.txt").read_text().split()
    assert began[:2] == ["1", "2"] if launcher == "basic" else {"1", "2"} <= set(began)
    Path("good").touch()
    script(*words)
    assert sorted(Path("count.txt").read_text().split()) == ["1", "2", "2", "3"]
    assert {load_run(f"results/{depth}").status for depth in (1, 2, 3)} == {"finished"}
    record = load_run("results/3").record
    assert list(record.sweep["overrides"]) == ["input_data=data/raw.csv", "model.depth=3"]
    assert list(record.process.argv[1:]) == [str(hydra_project / "hydra_exp.py"), *record.sweep["overrides"]]


def test_what_a_user_can_mend_is_one_line(hydra_project: Path, script: Script) -> None:
    """Hydra's traceback would hide it."""
    done = script("hydra_exp.py", "input_data=nowhere.csv", check=False)
    assert done.returncode == 2
    assert "nowhere.csv" in done.stderr
    assert "Traceback" not in done.stderr
    assert not Path("results").exists()


def test_imported_it_reads_no_command_line(hydra_project: Path, script: Script) -> None:
    """A configuration is passed through, as Hydra does."""
    Path("driver.py").write_text(
        "import hydra_exp\n"
        "cfg = dict(save_dir='results/x', input_data='data/raw.csv', model=dict(depth=4))\n"
        "print(hydra_exp.main(cfg).model.depth)\n"
    )
    assert script("driver.py", "--nonsense").stdout.strip() == "4"


PARALLEL = "hydra/launcher=joblib"


@pytest.mark.parametrize("chdir", ["false", "true"])
def test_a_parallel_launcher_runs_the_same_task(hydra_project: Path, script: Script, chdir: str) -> None:
    """Workers know its name, its script's snapshot and its folder, or the one that Hydra gives each job."""
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    with Path(".gitignore").open("a") as ignored:
        ignored.write("sweep/\n")
    git("add", ".", cwd=hydra_project)
    git("commit", "-qm", "Compose", cwd=hydra_project)
    data = f"input_data={hydra_project}/data/raw.csv"
    words = (
        "model.depth=1,2",
        f"hydra.job.chdir={chdir}",
        "hydra.sweep.dir=sweep",
        *([data] if chdir == "true" else []),
    )
    done = script("hydra_exp.py", "--multirun", PARALLEL, "hydra.launcher.n_jobs=2", *words)
    assert done.stdout.splitlines()[-1] == "2"  # what the last of them has returned
    places = [hydra_project] if chdir == "false" else [hydra_project / "sweep/0", hydra_project / "sweep/1"]
    records = [load_run(folder).record for place in places for folder in (place / "results").iterdir()]
    assert sorted(record.config["model"]["depth"] for record in records) == [1, 2]
    tree = git("rev-parse", "HEAD^{tree}", cwd=hydra_project).strip()
    for record in records:
        assert (record.status, record.task, record.code[0].tree) == ("finished", "hydra_exp.main", tree)
        assert record.process.argv[1] == str(hydra_project / "hydra_exp.py")
        assert f"model.depth={record.config['model']['depth']}" in record.process.argv
        assert "model.depth=1,2" not in record.process.argv


def test_a_worker_of_hydra_says_what_is_wrong_in_one_line(hydra_project: Path, script: Script) -> None:
    """And the launcher ends with it."""
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    done = script("hydra_exp.py", "--multirun", PARALLEL, "input_data=nowhere.csv", check=False)
    assert done.returncode == 2
    assert "nowhere.csv" in done.stderr
    assert not Path("results").exists()
