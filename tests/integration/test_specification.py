"""The specification's own example, unchanged, through every layer."""

import inspect
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf
from workbench import Script, git, specified_example

from naga import find_runs

# Before 2.4, `OmegaConf.register_resolver` is another function, and the example has to go without that line.
OLD_OMEGACONF = "replace" not in inspect.signature(getattr(OmegaConf, "register_resolver", len)).parameters


@pytest.fixture
def experiment(project: Path) -> Path:
    """The example in a repository with an uncommitted change, an untracked file and its data."""
    code = specified_example()
    if OLD_OMEGACONF:
        code = "\n".join(line for line in code.split("\n") if not line.startswith("OmegaConf.register_resolver"))
    Path("my_experiment.py").write_text(code)
    git("add", "my_experiment.py", cwd=project)
    git("commit", "-qm", "Add the experiment", cwd=project)
    Path("my_experiment.py").write_text(code + "\n# tried something\n")
    Path("notes.md").write_text("not committed\n")
    return project


def state(project: Path) -> tuple[bytes, str, str, str]:
    """What a snapshot must not touch."""
    return (
        (project / ".git" / "index").read_bytes(),
        (project / ".git" / "HEAD").read_text(),
        git("rev-parse", "HEAD", cwd=project),
        git("status", "--porcelain", cwd=project),
    )


def mlflow_runs(project: Path) -> list[Any]:
    """All runs of the project's store, the newest first."""
    import mlflow

    client = mlflow.MlflowClient(f"sqlite:///{project}/mlflow.db")
    return list(client.search_runs([e.experiment_id for e in client.search_experiments()]))


@pytest.mark.compat
def test_it_runs_twice_within_one_minute(experiment: Path, script: Script) -> None:
    """Files, lock, code, the user's repository, MLflow: all of the specification's promises."""
    before = state(experiment)
    first = script("my_experiment.py")
    assert first.stdout.startswith("Running experiment with learning rate: 0.01\nRunning diagnostics")
    warned, told = first.stderr.splitlines()
    assert "main() has `return` in `finally` (my_experiment.py:" in warned  # as the specification's example has
    assert "sqlite:///" in told
    script("my_experiment.py")
    assert state(experiment) == before

    runs = sorted(find_runs("results", archived=True), key=lambda run: run.record.started)
    assert [run.status for run in runs] == ["finished", "finished"]
    for run in runs:
        assert {path.name for path in run.save_dir.iterdir()} == {
            "model.pkl", "metrics.json", "experiment.log", "console.log", "run.lock", ".naga",
        }  # fmt: skip
        (code,) = run.record.code
        assert git("show", f"{code.commit}:notes.md", cwd=experiment) == "not committed\n"
        assert git("show", f"{code.ref}:my_experiment.py", cwd=experiment).endswith("# tried something\n")
    assert git("rev-parse", "run_logs", cwd=experiment).strip() == runs[1].record.code[0].commit
    published = mlflow_runs(experiment)
    assert len(published) == 2
    assert {run.data.params["learning_rate"] for run in published} == {"0.01"}


def test_a_second_diagnosis_supersedes_the_first(experiment: Path, script: Script) -> None:
    """One active run, the older ones deprecated and linked both ways, with the tags of the specification."""
    import mlflow

    Path("my_experiment.py").write_text(Path("my_experiment.py").read_text() + "    diag(cfg)\n    diag(cfg)\n")
    script("my_experiment.py")
    newest, middle, oldest = mlflow_runs(experiment)
    (run,) = find_runs("results")
    assert [r.data.tags["naga.run_status"] for r in (newest, middle, oldest)] == ["active", "deprecated", "deprecated"]
    assert {r.data.tags["naga.logical_run_id"] for r in (newest, middle, oldest)} == {run.record.save_dir}
    for older, newer in ((oldest, middle), (middle, newest)):
        assert newer.data.tags["naga.supersedes_run_id"] == older.info.run_id
        assert older.data.tags["naga.superseded_by_run_id"] == newer.info.run_id
    client = mlflow.MlflowClient(f"sqlite:///{experiment}/mlflow.db")
    assert {item.path for item in client.list_artifacts(newest.info.run_id)} >= {"run.lock", "experiment.log"}
    assert newest.data.params == {key: str(value) for key, value in run.record.config.items()}
    assert newest.info.status == "FINISHED"


def test_reuse_diagnoses_again_without_computing(experiment: Path, script: Script) -> None:
    """`python exp.py --reuse RUN`: main computes nothing, diag publishes again."""
    script("my_experiment.py", "learning_rate=0.5")
    (run,) = find_runs("results")
    model = (run.save_dir / "model.pkl").stat()
    again = script("my_experiment.py", "--reuse", str(run.save_dir))
    assert "Running experiment" not in again.stdout
    assert "Running diagnostics" in again.stdout
    assert (run.save_dir / "model.pkl").stat() == model
    assert [r.data.tags["naga.run_status"] for r in mlflow_runs(experiment)] == ["active", "deprecated"]
    assert {r.data.params["learning_rate"] for r in mlflow_runs(experiment)} == {"0.5"}


def test_help_leaves_nothing_behind(experiment: Path, script: Script) -> None:
    """Every field with type and default; no folder, no commit, no store."""
    shown = script("my_experiment.py", "--help").stdout
    for word in ("save_dir", "input_data", "learning_rate", "epochs", "float", "0.01", "--reuse", "--existing"):
        assert word in shown
    assert not Path("results").exists()
    assert not Path("mlflow.db").exists()
    assert git("for-each-ref", "refs/naga", "refs/heads/run_logs", cwd=experiment) == ""
