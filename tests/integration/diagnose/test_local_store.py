"""Where no tracking URI is configured: the project's own store, whatever the current folder is."""

import os
import subprocess
import sys
from pathlib import Path

import mlflow
import pytest
from integration.diagnose.forks import start_script
from integration.diagnose.publications import MakeRun, Store, copy_store

from naga.errors import MlflowMissingError
from naga.mlflow_log import mlflow_log_run

DIAG = """\
import mlflow, sys
from naga.mlflow_log import mlflow_log_run

@mlflow_log_run
def diag(cfg):
    mlflow.log_metric("accuracy", 0.95)

if __name__ == "__main__":
    diag(sys.argv[1])
    assert not mlflow.is_tracking_uri_set()
"""


def test_project_store(project: Path, make_run: MakeRun, migrated: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The store is the one at the top of the project of the diag's file; nothing is said where it is there."""
    folder = make_run()
    uri = copy_store(migrated, project)
    (project / "code").mkdir()
    script = project / "code" / "diag.py"
    script.write_text(DIAG)
    elsewhere = project.parent / "elsewhere"
    elsewhere.mkdir()
    done = subprocess.run([sys.executable, script, folder], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")
    monkeypatch.chdir(elsewhere)
    start_script(script, str(folder), output=project.parent / "out").join(120)
    assert (project.parent / "out").read_text() == ""
    store = Store(uri)
    assert store.statuses() == ["deprecated", "active"]
    assert (
        store.active()[0].info.artifact_uri
        == (project / "mlruns/0").as_uri() + f"/{store.active()[0].info.run_id}/artifacts"
    )
    assert list(elsewhere.iterdir()) == []


@pytest.mark.parametrize("processes", [2, pytest.param(8, marks=pytest.mark.stress)])
def test_first_use_by_many(project: Path, make_run: MakeRun, tmp_path: Path, processes: int) -> None:
    """The first use of a missing store works in many processes at once, and leaves nothing else behind."""
    folder = make_run()
    script = project / "diag.py"
    script.write_text(DIAG)
    outputs = [tmp_path / f"{number}.out" for number in range(processes)]
    started = [start_script(script, str(folder), output=output) for output in outputs]
    for process in started:
        process.join(300)
    said = [output.read_text() for output in outputs]
    assert [process.exitcode for process in started] == [0] * processes, said
    assert [text.count("\n") for text in said] == [1] * processes, said
    store = Store(f"sqlite:///{project / 'mlflow.db'}")
    assert len(store.runs()) == processes
    assert len(store.active()) == 1
    assert sorted(entry.name for entry in project.iterdir()) == [
        "diag.py", "mlflow.db", "mlruns", "pyproject.toml", "results"
    ]  # fmt: skip


def test_inside_an_active_run_of_the_default_store(project: Path, make_run: MakeRun, migrated: Path) -> None:
    """A run that is active already decides the store: a nested run belongs beside it."""
    store = Store(copy_store(migrated, project))

    @mlflow_log_run
    def diag(cfg: object) -> None:
        mlflow.log_metric("accuracy", 0.95)

    folder = make_run()
    with mlflow.start_run() as outer:
        diag(folder)
    _, run = store.runs()
    assert run.data.tags["mlflow.parentRunId"] == outer.info.run_id


@pytest.mark.parametrize("package", ["mlflow", "sqlalchemy"])
def test_mlflow_missing(project: Path, make_run: MakeRun, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without MLflow, or without what its local store needs, the command that installs it is named."""

    @mlflow_log_run
    def diag(cfg: object) -> None: ...

    folder = make_run()
    monkeypatch.setitem(sys.modules, package, None)
    for name in [name for name in sys.modules if name.startswith(f"{package}.")]:
        monkeypatch.delitem(sys.modules, name)
    if package == "sqlalchemy":
        monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///mlflow.db")
    with pytest.raises(MlflowMissingError) as caught:
        diag(folder)
    assert caught.value.hint == 'pip install "naga-runs[mlflow]"'
    assert sorted(os.listdir(project)) == ["pyproject.toml", "results"]


def test_importing_is_light() -> None:
    """Importing the decorator imports neither MLflow nor what it stands on."""
    code = "import sys, naga.mlflow_log; print([m for m in ('mlflow', 'sqlalchemy', 'pandas') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
