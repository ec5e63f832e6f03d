"""Which store and which experiment a publication goes to, however its user has said so."""

import os
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import mlflow
import pytest
from integration.diagnose.publications import MakeRun, Store, copy_store

from naga.cli import main
from naga.errors import TrackerError
from naga.mlflow_log import mlflow_log_run

SCRIPT = """
import os, sys
import mlflow
from naga.mlflow_log import mlflow_log_run
{top}
@mlflow_log_run
def diag(cfg):
    mlflow.log_metric("accuracy", 0.95)

if __name__ == "__main__":
    diag(sys.argv[1])
"""


@mlflow_log_run
def diag(cfg: Any) -> None:
    """Log one number."""
    mlflow.log_metric("accuracy", 0.95)


def where(store: Store) -> list[tuple[str, str]]:
    """The name of the experiment and the status of each publication."""
    experiments = store.client.search_experiments()
    runs = [(found.name, run) for found in experiments for run in store.client.search_runs([found.experiment_id])]
    return sorted((name, run.data.tags["naga.run_status"]) for name, run in runs)


def run_script(file: str, *words: str, cwd: Path) -> None:
    """Start a script as a user does, in some folder."""
    done = subprocess.run([sys.executable, file, *words], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_set_at_the_top_of_a_script(project: Path, make_run: MakeRun, migrated: Path) -> None:
    """`mlflow.set_experiment` names an experiment of the project's store, wherever the script is started from."""
    store = Store(copy_store(migrated, project))
    store.client.create_experiment("somebody else's")  # has the number that 'vision' has where the script is started
    (project / "exp.py").write_text(SCRIPT.format(top='mlflow.set_experiment("vision")'))
    (project / "work").mkdir()
    folder = make_run()
    run_script("../exp.py", str(folder), cwd=project / "work")
    assert where(store) == [("vision", "active")]
    os.chdir(project / "work")
    assert main(["diag", "../exp.py", "../results/a"]) == 0
    assert where(store) == [("vision", "active"), ("vision", "deprecated")]


def test_relative_stores_are_the_projects(project: Path, make_run: MakeRun, migrated: Path) -> None:
    """A relative address means the same store after `os.chdir`."""
    store = Store(copy_store(migrated, project))
    top = 'os.environ["MLFLOW_TRACKING_URI"] = "sqlite:///mlflow.db"; os.chdir("work")'
    (project / "exp.py").write_text(SCRIPT.format(top=top))
    (project / "work").mkdir()
    run_script("exp.py", str(make_run()), cwd=project)
    assert where(store) == [("Default", "active")]
    assert list((project / "work").iterdir()) == []


def test_the_project_says_it_once(
    store: Store, project: Path, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the decorator says counts before the environment, and that before pyproject.toml."""
    monkeypatch.delenv("MLFLOW_EXPERIMENT_ID")
    (project / "exp.py").write_text(SCRIPT.format(top=""))
    (project / "pyproject.toml").write_text('[tool.naga]\nexperiment = "from the project"\n')
    folder = make_run()

    @mlflow_log_run(experiment="declared")
    def declared(cfg: Any) -> None: ...

    assert main(["diag", "exp.py", "results/a"]) == 0
    assert where(store) == [("from the project", "active")]
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "said")
    assert main(["diag", "exp.py", "results/a"]) == 0
    declared(folder)
    assert where(store) == [("declared", "active"), ("from the project", "deprecated"), ("said", "deprecated")]


def test_renamed(
    store: Store, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where somebody has renamed the experiment in MLflow it is used under its new name, and that is said."""
    monkeypatch.delenv("MLFLOW_EXPERIMENT_ID")
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "before")
    folder = make_run()
    diag(folder)
    found = store.client.get_experiment_by_name("before")
    assert found is not None
    store.client.rename_experiment(found.experiment_id, "after")
    diag(folder)
    assert where(store) == [("after", "active"), ("after", "deprecated")]
    assert "'before' is called 'after' now" in capsys.readouterr().err


def test_deleted(
    store: Store, project: Path, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A deleted experiment is reported with the command that restores it, by the doctor too."""
    monkeypatch.delenv("MLFLOW_EXPERIMENT_ID")
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "gone")
    number = store.client.create_experiment("gone")
    store.client.delete_experiment(number)
    with pytest.raises(TrackerError, match="'gone' is deleted") as caught:
        diag(make_run())
    assert f"mlflow experiments restore --experiment-id {number}" in caught.value.hint
    assert main(["doctor"]) == 1
    assert f"restore --experiment-id {number}" in capsys.readouterr().err


def test_one_active_in_two_experiments(store: Store, make_run: MakeRun) -> None:
    """A publication in another experiment supersedes, with a number above, and the doctor finds nothing to do."""
    folder = make_run()
    for _ in range(2):
        diag(folder)
    mlflow.set_experiment("elsewhere")
    diag(folder)
    assert store.statuses() == ["deprecated", "deprecated"]
    found = store.client.get_experiment_by_name("elsewhere")
    assert found is not None
    (run,) = store.client.search_runs([found.experiment_id])
    assert (run.info.run_name, run.data.tags["naga.run_status"]) == ("a #3", "active")
    assert store.runs()[-1].data.tags["naga.superseded_by_run_id"] == run.info.run_id


def test_moved_and_copied(project: Path, make_run: MakeRun, migrated: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A project that was renamed or copied stores its artifacts beside its own store."""
    copy_store(migrated, project)
    make_run()
    (project / "exp.py").write_text(SCRIPT.format(top=""))
    run_script("exp.py", "results/a", cwd=project)
    subprocess.run(["cp", "-r", str(project), str(project.parent / "copy")], check=True)
    copy = project.parent / "copy"
    moved = project.rename(project.parent / "moved")
    for folder in (copy, moved):
        run_script("exp.py", "results/a", cwd=folder)
        store = Store(f"sqlite:///{folder}/mlflow.db")
        assert len({run.info.artifact_uri for run in store.runs()}) == 2
        for run in store.runs():
            assert Path(run.info.artifact_uri.removeprefix("file://"), "run.lock").is_file()
            assert run.info.artifact_uri.startswith(folder.as_uri())
    assert not project.exists()


def test_threads_at_the_first_store(project: Path, make_run: MakeRun) -> None:
    """Three threads that find no store publish all the same."""
    folders = [make_run(f"results/{name}", run_id=f"20260101T000000-{name * 8}") for name in "abc"]
    failed: list[threading.ExceptHookArgs] = []
    former, threading.excepthook = threading.excepthook, failed.append
    threads = [threading.Thread(target=own_diag(project), args=(folder,)) for folder in folders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    threading.excepthook = former
    assert failed == []
    assert where(Store(f"sqlite:///{project}/mlflow.db")) == [("Default", "active")] * 3


def own_diag(project: Path) -> Any:
    """A diag whose file is in the project."""
    import runpy

    (project / "exp.py").write_text(SCRIPT.format(top=""))
    return runpy.run_path("exp.py")["diag"]


@pytest.mark.parametrize(
    "case",
    [
        ("sqlite://mlflow.db", "names no file", "MLFLOW_TRACKING_URI=sqlite:///mlflow.db"),
        ("sqlite:mlflow.db", "names no file", "MLFLOW_TRACKING_URI=sqlite:///mlflow.db"),
        ("http:/tracker:5000", "names no server", "MLFLOW_TRACKING_URI=http://"),
        ("htp://tracker:5000", "has no stores of that kind", "MLFLOW_TRACKING_URI=http://"),
        ("localhost:5000", "for a folder", "http://localhost:5000"),
        ("postgresql+nowhere://ana:hunter22@127.0.0.1:9/x", "nowhere", "MLFLOW_TRACKING_URI"),
        ("mysql+pymysql://ana:hunter22@127.0.0.1:9/x", "pymysql is not installed", "pip install pymysql"),
        ("./files", "MLFLOW_ALLOW_FILE_STORE=true", "MLFLOW_ALLOW_FILE_STORE=true"),
        ("sqlite:////nowhere/at/all/mlflow.db", "there is no folder '/nowhere/at/all'", "another store"),
        ("sqlite:///PROJECT/garbage.db", "is no SQLite database", "another store"),
        ("sqlite:///PROJECT/folder.db", "is not a file", "another store"),
        ("sqlite:///PROJECT/fifo.db", "is not a file", "another store"),
        ("sqlite:///PROJECT/old.db", "another version of MLflow", "mlflow db upgrade"),
    ],
)
def test_what_cannot_be_used(
    project: Path, make_run: MakeRun, migrated: Path, monkeypatch: pytest.MonkeyPatch, case: tuple[str, str, str]
) -> None:
    """The cause in one line, without the password, and a hint that works."""
    uri, said, hint = case
    Path("garbage.db").write_text("garbage " * 100)
    Path("folder.db").mkdir()
    os.mkfifo("fifo.db")
    copy_store(migrated, project)
    Path("mlflow.db").rename("old.db")
    with sqlite3.connect("old.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0123456789ab'")
    connection.close()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri.replace("PROJECT", str(project)))
    with pytest.raises(TrackerError) as caught:
        diag(make_run())
    assert said in caught.value.message
    assert hint in caught.value.hint
    assert "hunter22" not in str(caught.value)
    assert "\n" not in str(caught.value)
