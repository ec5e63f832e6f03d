"""What was left in pieces is found, put right, and told."""

import shutil
from pathlib import Path
from typing import Any

import mlflow
import pytest
from integration.diagnose.publications import MakeRun, Store, leave_run
from integration.diagnose.server import free_port
from mlflow.entities import RunTag

from naga.cli import main
from naga.mlflow_log import mlflow_log_run
from naga.tracking.repair import repair_history
from naga.tracking.tags import Tag, unpacked


@mlflow_log_run
def diag(cfg: Any) -> None:
    """Log nothing."""


def edit(store: Store, run_id: str, **tags: str) -> None:
    """Write tags as somebody would in MLflow: ``run_status="active"``."""
    store.client.log_batch(run_id, tags=[RunTag(f"naga.{name}", value) for name, value in tags.items()])


@pytest.fixture
def three(store: Store, make_run: MakeRun) -> list[str]:
    """Publish a run three times."""
    folder = make_run()
    for _ in range(3):
        diag(folder)
    return [run.info.run_id for run in store.runs()]


def test_nothing_to_do(store: Store, project: Path, three: list[str]) -> None:
    """Where all is well nothing is said, and nothing is changed."""
    before = [run.data.tags for run in store.runs()]
    assert repair_history(project) == []
    assert [run.data.tags for run in store.runs()] == before


def test_two_active(store: Store, project: Path, three: list[str]) -> None:
    """Of two active MLflow runs the newest stays."""
    edit(store, three[0], run_status="active")
    assert repair_history(project) == [
        f"a #1 ({three[0][:8]}): it was active beside a #3 ({three[2][:8]}); it is deprecated"
    ]
    assert store.statuses() == ["deprecated", "deprecated", "active"]
    assert store.runs()[0].data.tags[Tag.SUPERSEDED_BY] == three[2]


def test_none_active(store: Store, project: Path, three: list[str]) -> None:
    """Where the active MLflow run was deleted the newest that is left is active again, and the others lead to it."""
    store.client.delete_run(three[2])
    lines = repair_history(project)
    assert lines == [f"a #2 ({three[1][:8]}): no MLflow run of it was active; it is now, as the newest"]
    assert store.statuses() == ["deprecated", "active"]
    assert [run.info.run_name for run in store.runs()] == ["a #1 (superseded)", "a #2"]
    tags = store.runs()[1].data.tags
    assert Tag.SUPERSEDED_BY not in tags
    assert "Superseded by" not in tags[Tag.NOTE]
    assert repair_history(project) == []


def test_broken_chain(store: Store, project: Path, three: list[str]) -> None:
    """What leads nowhere leads to the active MLflow run."""
    edit(store, three[0], superseded_by_run_id="nowhere")
    assert repair_history(project) == [
        f"a #1 ({three[0][:8]}): it led to no active MLflow run; it leads to a #3 ({three[2][:8]})"
    ]
    assert store.runs()[0].data.tags[Tag.SUPERSEDED_BY] == three[2]


def test_dead_owner(store: Store, project: Path, three: list[str]) -> None:
    """What a dead process has left pending is abandoned; what is pending in a living one, or elsewhere, is not."""
    edit(store, three[0], run_status="pending", owner='{"host": "elsewhere", "pid": 1}')
    assert repair_history(project) == []
    host = unpacked(store.runs()[1].data.tags)[Tag.PLACE].partition(":")[0]
    edit(store, three[0], owner=f'{{"host": "{host}", "pid": 1, "boot_id": "another boot"}}')
    assert repair_history(project) == [
        f"a #1 ({three[0][:8]}): its process died while it was published; it is abandoned"
    ]
    assert store.statuses() == ["abandoned", "deprecated", "active"]


def test_mlflow_runs_of_others_are_left_alone(store: Store, project: Path, three: list[str]) -> None:
    """What a person, or a diag in a nested run, has logged beside the publications is no publication."""
    with mlflow.start_run(run_name="by hand"):
        mlflow.log_metric("loss", 1)
    assert repair_history(project) == []
    edit(store, three[0], run_status="active")
    assert len(repair_history(project)) == 1


def test_clones_are_left_alone(
    store: Store, project: Path, three: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two clones' MLflow runs are both active, and that is right."""
    (tmp_path / "clone").mkdir()
    monkeypatch.chdir(tmp_path / "clone")
    diag(leave_run(run_id="20260102T000000-bbbbbbbb"))
    assert len(store.active()) == 2
    assert repair_history(project) == []


def test_copies_are_left_alone(store: Store, project: Path, make_run: MakeRun) -> None:
    """A copy took over the MLflow run; a new run in the first folder has its own: both are rightly active."""
    folder = make_run()
    diag(folder)
    shutil.copytree(folder, project / "copy")
    diag(project / "copy")
    diag(make_run(run_id="20260102T000000-bbbbbbbb"))
    assert store.statuses() == ["deprecated", "active", "active"]
    assert repair_history(project) == []


def test_command(
    store: Store, project: Path, three: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`naga doctor` prints a line for each thing that it repaired, then that all is well; both are good."""
    capsys.readouterr()
    edit(store, three[0], run_status="active")
    assert main(["doctor"]) == 0
    assert capsys.readouterr().out == (
        f"a #1 ({three[0][:8]}): it was active beside a #3 ({three[2][:8]}); it is deprecated\n"
    )
    assert main(["doctor"]) == 0
    assert capsys.readouterr().out == "all is well\n"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://me:secret@127.0.0.1:{free_port()}")
    assert main(["doctor"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("naga: the publications in MLflow at 'http://127.0.0.1:")
    assert "secret" not in err


def test_command_creates_no_store(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where nothing has been published all is well, and neither command leaves a store."""
    assert main(["doctor"]) == 0
    assert capsys.readouterr().out == "all is well\n"
    assert main(["mlflow-view"]) == 2
    assert capsys.readouterr().err.startswith("naga: nothing has been published from '")
    assert [path.name for path in project.iterdir()] == ["pyproject.toml"]
