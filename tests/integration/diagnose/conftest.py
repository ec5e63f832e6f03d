"""A migrated store, copied for each test; runs as a task leaves them; and what MLflow holds afterwards."""

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import mlflow
import pytest
from integration.diagnose.publications import MakeRun, Store, copy_store, leave_run
from integration.diagnose.server import mlflow_app, postgres, require_postgres
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Create one store for all workers: it takes seconds."""
    from naga.tracking.store import _new_store

    if ready := os.environ.get("NAGA_MIGRATED_STORE"):  # mutation testing has made one for all of its runs
        return Path(ready)
    base = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    file = base / "migrated.db"
    with (base / "migrated.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not file.exists():
            file.write_bytes(_new_store(base / "mlruns"))
    return file


@pytest.fixture(autouse=True)
def clean_mlflow(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Begin and end each test with MLflow as it is when no one has configured it."""
    for name in [name for name in os.environ if name.startswith("MLFLOW_")]:
        monkeypatch.delenv(name)
    yield
    while mlflow.active_run() is not None:
        mlflow.end_run()
    mlflow.set_tracking_uri(None)  # type: ignore[arg-type]  # how MLflow itself takes it back
    mlflow.tracking.fluent._active_experiment_id = None
    for name in [name for name in os.environ if name.startswith("MLFLOW_")]:
        del os.environ[name]
    for engine in SqlAlchemyStore._engine_map.values():
        engine.dispose()  # a connection that no one closes is a ResourceWarning


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a project's folder."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "pyproject.toml").touch()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture(scope="session")
def shared_uri(migrated: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Copy the store once for each worker: opening one takes longer than most tests."""
    return copy_store(migrated, tmp_path_factory.mktemp("shared"))


@pytest.fixture(scope="session")
def sqlite_server(migrated: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve a store on SQLite."""
    folder = tmp_path_factory.mktemp("server")
    with mlflow_app(folder, copy_store(migrated, folder)) as address:
        yield address


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve a store on PostgreSQL."""
    require_postgres()
    folder = tmp_path_factory.mktemp("server")
    with postgres(folder) as uri, mlflow_app(folder, uri) as address:
        yield address


@pytest.fixture
def store(shared_uri: str, project: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """Configure a store, with an experiment that is the test's own: no other holds publications of its runs."""
    store = Store(shared_uri)
    store.experiment_id = store.client.create_experiment(str(project), (project / "mlruns").as_uri())
    monkeypatch.setenv("MLFLOW_TRACKING_URI", shared_uri)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", store.experiment_id)
    yield store
    for experiment in store.client.search_experiments():
        if experiment.experiment_id != "0":
            store.client.rename_experiment(experiment.experiment_id, f"was {experiment.experiment_id}")
            store.client.delete_experiment(experiment.experiment_id)


@pytest.fixture
def make_run(project: Path) -> MakeRun:
    """Leave runs as tasks leave them."""
    return leave_run
