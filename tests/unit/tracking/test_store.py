"""Where publications go."""

import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import mlflow
import pytest
from integration.diagnose.publications import Store, copy_store

from naga.errors import MlflowMissingError, TrackerError
from naga.project import project_root
from naga.tracking.store import (
    _holder,
    _sqlite_file,
    _sqlite_uri,
    absolute_uri,
    check_file,
    check_store,
    create_if_missing,
    known_store,
    ready_store,
    shown_uri,
    store_of,
    tracking_store,
    use_store,
)


@pytest.mark.parametrize("marker", [".git", "pyproject.toml"])
def test_project_root(tmp_path: Path, marker: str) -> None:
    """The project begins at the nearest folder with a mark; a folder in no project stands for itself."""
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    (tmp_path / "a" / marker).touch()
    assert project_root(below) == tmp_path / "a"
    assert project_root(Path("/nowhere/at/all")) == Path("/nowhere/at/all")


@pytest.mark.parametrize("name", ["plain", "with space", "ü☃", "per%20cent", "ha#sh", "quest?ion", "quo'te", "a&b=c"])
def test_any_folder_has_a_uri(name: str) -> None:
    """The URI of a store names the file that SQLAlchemy then opens."""
    file = Path("/projects") / name / "mlflow.db"
    assert _sqlite_file(_sqlite_uri(file)) == file


@pytest.mark.parametrize(
    "uri", ["http://localhost:5000", "sqlite://", "sqlite:///file:x?mode=memory&uri=true", "mlruns"]
)
def test_what_is_not_ours_to_create(uri: str) -> None:
    """Only a plain SQLite file is created beforehand."""
    assert _sqlite_file(uri) is None


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("http://me:secret@host:5000", "http://host:5000"),
        ("postgresql+psycopg2://me:p@ss@db/mlflow", "postgresql+psycopg2://db/mlflow"),
        ("sqlite:////home/a@b/mlflow.db", "sqlite:////home/a@b/mlflow.db"),
        ("databricks", "databricks"),
    ],
)
def test_shown_without_credentials(uri: str, shown: str) -> None:
    """Neither name nor password is ever shown."""
    assert shown_uri(uri) == shown


HOLD = """
import sqlite3, sys, time
store = sqlite3.connect(sys.argv[1], isolation_level=None)
store.execute("CREATE TABLE IF NOT EXISTS t (a)")
for n in range(int(sys.argv[2])):
    store.execute("BEGIN IMMEDIATE")
    store.execute("INSERT INTO t VALUES (1)")
    if n == 0:
        print("locked", flush=True)
    time.sleep(float(sys.argv[3]))
    store.execute("COMMIT")
"""


@contextmanager
def held(store: Path, times: int, seconds: float) -> Iterator[int]:
    """Another process holds the store's lock so often, and writes each time; its number."""
    words = [sys.executable, "-c", HOLD, str(store), str(times), str(seconds)]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.readline() == b"locked\n"
        yield process.pid
        process.kill()


def test_a_store_that_is_locked_is_said_within_seconds_with_who_holds_it(tmp_path: Path) -> None:
    """MLflow would wait for half a minute, and not say for whom."""
    store, begun = tmp_path / "mlflow.db", time.monotonic()
    with held(store, 1, 60) as pid, pytest.raises(TrackerError) as caught:
        check_store(f"sqlite:///{store}")
    assert f"'{store}' is locked by process {pid} (" in caught.value.message
    assert time.monotonic() - begun < 10
    check_store(f"sqlite:///{store}")


def test_a_store_that_others_write_to_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Longer than for one that stands still."""
    monkeypatch.setattr("naga.tracking.store._PATIENCE_S", 1)
    store, begun = tmp_path / "mlflow.db", time.monotonic()
    with held(store, 12, 0.2):
        check_store(f"sqlite:///{store}")
        assert time.monotonic() - begun < 12


def test_a_store_that_is_none_is_left_to_mlflow(tmp_path: Path) -> None:
    """A server, a store that is yet to be made, and one that cannot be written to."""
    check_store("http://localhost:1")
    check_store(f"sqlite:///{tmp_path}/none.db")
    store = tmp_path / "read.db"
    sqlite3.connect(store).execute("CREATE TABLE t (a)").connection.close()
    store.chmod(0o444)
    check_store(f"sqlite:///{store}")
    assert not (tmp_path / "none.db").exists()


@pytest.mark.parametrize(
    ("uri", "absolute"),
    [
        ("mlruns", "/root/mlruns"),
        ("databricks", "databricks"),
        ("databricks://profile", "databricks://profile"),
        ("sqlite:///a.db", "sqlite:////root/a.db"),
        ("sqlite:////a.db", "sqlite:////a.db"),
        ("sqlite:///:memory:", "sqlite:///:memory:"),
        ("sqlite:///", "sqlite:///"),
        ("sqlite:///a.db?mode=ro", "sqlite:///a.db?mode=ro"),
        ("http://host:5000", "http://host:5000"),
        ("file:///somewhere", "file:///somewhere"),
    ],
)
def test_a_store_is_the_same_wherever_it_is_asked_for(uri: str, absolute: str) -> None:
    """A path is the project's; what is absolute, or no path, stays as it is."""
    assert absolute_uri(uri, Path("/root")) == absolute


@pytest.mark.parametrize("port", ["localhost:5000", "127.0.0.1:5000/x", "my-host:1"])
def test_a_server_without_its_scheme(port: str) -> None:
    """MLflow would make a folder of that name."""
    with pytest.raises(TrackerError, match="for a folder") as caught:
        absolute_uri(port, Path("/root"))
    assert caught.value.hint == f"MLFLOW_TRACKING_URI=http://{port}"


def locations(file: Path) -> tuple[set[str], set[str]]:
    """Where the experiments and the runs of a store have their artifacts."""
    with closing(sqlite3.connect(file)) as connection:
        experiments = connection.execute("SELECT artifact_location FROM experiments").fetchall()
        runs = connection.execute("SELECT artifact_uri FROM runs").fetchall()
    return {place for (place,) in experiments}, {place for (place,) in runs}


def projects(places: set[str]) -> set[str]:
    """What lies above the folders of artifacts."""
    return {place.partition("/mlruns/")[0] for place in places if "/mlruns/" in place}


def test_created_whole_beside_its_artifacts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The store is said, and its first experiment has its artifacts beside it; nothing else is left."""
    (tmp_path / "pyproject.toml").touch()
    uri = ready_store(tmp_path)
    assert uri == f"sqlite:///{tmp_path}/mlflow.db"
    assert capsys.readouterr().err == f"naga: no MLflow tracking URI is set: creating {uri}\n"
    assert locations(tmp_path / "mlflow.db") == ({f"{tmp_path.as_uri()}/mlruns/0"}, set())
    assert sorted(os.listdir(tmp_path)) == ["mlflow.db", "pyproject.toml"]
    before = (tmp_path / "mlflow.db").read_bytes()
    assert ready_store(tmp_path) == uri
    assert capsys.readouterr().err == ""
    assert (tmp_path / "mlflow.db").read_bytes() == before


def test_a_configured_store_is_created_as_such(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is the one that the user has named; in a folder that is not there none is made."""
    monkeypatch.setattr("naga.tracking.store._new_store", lambda artifacts: str(artifacts).encode())
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri := f"sqlite:///{tmp_path}/own.db")
    assert ready_store(tmp_path) == uri
    assert capsys.readouterr().err == f"naga: creating the MLflow store {uri}\n"
    assert (tmp_path / "own.db").read_text() == f"{tmp_path}/mlruns"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/none/own.db")
    with pytest.raises(TrackerError) as caught:
        ready_store(tmp_path)
    assert f"/none/own.db' cannot be created: there is no folder '{tmp_path}/none'" in caught.value.message
    assert capsys.readouterr().err == ""


def test_made_by_another_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first one that is whole is everybody's; one that is none is refused."""
    file = tmp_path / "mlflow.db"

    def slowly(artifacts: Path) -> bytes:
        file.write_text("the first")
        return b"the second"

    monkeypatch.setattr("naga.tracking.store._new_store", slowly)
    create_if_missing(f"sqlite:///{file}")
    assert file.read_text() == "the first"
    assert os.listdir(tmp_path) == ["mlflow.db"]
    with pytest.raises(TrackerError, match="is no SQLite database") as caught:
        create_if_missing(f"sqlite:///{file}")
    assert caught.value.hint.startswith(f"mv '{file}' '{file}.old', or ")


def test_without_what_a_local_store_needs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """MLflow alone can talk to a server: the command that installs the rest is told."""
    monkeypatch.setitem(sys.modules, "sqlalchemy.engine", None)
    with pytest.raises(MlflowMissingError) as caught:
        create_if_missing(f"sqlite:///{tmp_path}/mlflow.db")
    assert caught.value.hint == 'pip install "naga-runs[mlflow]"'
    create_if_missing("http://localhost:1")


def test_use_store(store: Store, project: Path, migrated: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """MLflow uses it whatever was said, new experiments are beside it, and its folder is made where it is below."""
    monkeypatch.setattr("naga.tracking.store._new_store", lambda _: migrated.read_bytes())
    monkeypatch.setenv("_MLFLOW_SERVER_ARTIFACT_ROOT", "")  # put back at the end
    uri = f"sqlite:///{project}/deep/er/own.db"
    use_store(uri)
    assert mlflow.get_tracking_uri() == uri
    number = mlflow.create_experiment("beside")
    assert mlflow.get_experiment(number).artifact_location == f"{project.as_uri()}/deep/er/mlruns/{number}"
    with pytest.raises(TrackerError, match="there is no folder"):
        use_store(f"sqlite:///{project.parent}/other/own.db")
    use_store("http://localhost:1")
    assert mlflow.get_tracking_uri() == "http://localhost:1"


def test_while_it_lasts(store: Store, project: Path, migrated: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """MLflow uses the project's store, then again what it used; a relative one that the script set is the project's."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert store_of(project) == f"sqlite:///{project}/mlflow.db"
    with known_store(project) as uri:
        assert uri is None
    own = copy_store(migrated, project)
    with tracking_store(project) as uri:
        assert uri == own == mlflow.get_tracking_uri()
        assert os.environ["_MLFLOW_SERVER_ARTIFACT_ROOT"] == f"{project.as_uri()}/mlruns"
    assert not mlflow.is_tracking_uri_set()  # type: ignore[no-untyped-call]
    assert "_MLFLOW_SERVER_ARTIFACT_ROOT" not in os.environ
    (project / "below").mkdir()
    mlflow.set_tracking_uri("sqlite:///mlflow.db")
    monkeypatch.chdir(project / "below")
    with known_store(project) as uri:
        assert uri == own == mlflow.get_tracking_uri()


def test_a_run_that_is_active_decides_the_store(store: Store, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A nested one belongs beside it."""
    with mlflow.start_run(experiment_id=store.experiment_id):
        assert store_of(project) == store.uri
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert store_of(project) == f"sqlite:///{project}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "  ")
    assert store_of(project) == f"sqlite:///{project}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", " sqlite:///own.db ")
    assert store_of(project) == f"sqlite:///{project}/own.db"


CHOSEN = {"file:///chosen/1", "file:///picked/2"}


@pytest.fixture
def was_elsewhere(project: Path, migrated: Path) -> Path:
    """A project's store with a run, made where the project was before."""
    former = project.parent / "before"
    former.mkdir()
    store = Store(copy_store(migrated, former))
    store.client.create_run("0")
    for place in CHOSEN:
        store.client.create_run(store.client.create_experiment(place, place))
    store.client.create_run(store.client.create_experiment("plain", f"{former}/mlruns/3"))
    (former / "mlruns").mkdir()
    return former


def test_a_moved_project_brings_its_artifacts_along(
    was_elsewhere: Path, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was below its former folder is below its own, for experiments and runs; what was chosen stays."""
    shutil.rmtree(project)
    was_elsewhere.rename(project)
    (project / "pyproject.toml").touch()
    ready_store(project)
    said = f"naga: this project was in '{was_elsewhere}': what is published now is stored in '{project}/mlruns'\n"
    assert capsys.readouterr().err == said
    own = f"{project.as_uri()}/mlruns"
    experiments, runs = locations(project / "mlflow.db")
    assert experiments == {f"{own}/0", f"{own}/3", *CHOSEN}
    assert projects(runs) == {project.as_uri()}
    ready_store(project)
    assert capsys.readouterr().err == ""


def test_a_copied_store_leaves_the_original_alone(
    was_elsewhere: Path, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """New experiments' files are beside the copy; old runs' files stay where they are, if only the store was copied."""
    shutil.copy(was_elsewhere / "mlflow.db", project)
    ready_store(project)
    assert f"this project was in '{was_elsewhere}'" in capsys.readouterr().err
    experiments, runs = locations(project / "mlflow.db")
    assert f"{project.as_uri()}/mlruns/0" in experiments
    assert projects(runs) == {was_elsewhere.as_uri(), str(was_elsewhere)}
    assert locations(was_elsewhere / "mlflow.db")[0] == {
        f"{was_elsewhere.as_uri()}/mlruns/0", f"{was_elsewhere}/mlruns/3", *CHOSEN
    }  # fmt: skip


def test_a_place_that_somebody_has_chosen_stays(
    was_elsewhere: Path, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder that is there and holds no such store was not this project's."""
    (was_elsewhere / "mlflow.db").rename(project / "mlflow.db")
    before = locations(project / "mlflow.db")
    ready_store(project)
    assert locations(project / "mlflow.db") == before
    assert capsys.readouterr().err == ""


def test_what_is_no_store_is_not_waited_for(tmp_path: Path) -> None:
    """A pipe, a folder, another file and one that cannot be read are told at once, with what helps."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "text").write_text("SQLite format 4")
    for name, said in (("pipe", "is not a file"), ("folder", "is not a file"), ("text", "is no SQLite database")):
        with pytest.raises(TrackerError, match=said) as caught:
            check_store(f"sqlite:///{tmp_path / name}")
        assert caught.value.hint.startswith(f"mv '{tmp_path / name}' ")
    (tmp_path / "empty").touch()
    check_store(f"sqlite:///{tmp_path}/empty")
    with pytest.raises(TrackerError, match="cannot be read: No such file"):
        check_file(tmp_path / "none")


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("1: POSIX  ADVISORY  WRITE PID 00:1f:INODE 128 128", True),
        ("1: POSIX  ADVISORY  WRITE 1 00:1f:INODE 128 128", True),
        ("1: -> POSIX  ADVISORY  WRITE PID 00:1f:INODE 128 128", False),  # it waits
        ("1: POSIX  ADVISORY  READ PID 00:1f:INODE 128 128", False),
        ("1: POSIX  ADVISORY  WRITE PID 00:1f:1INODE 128 128", False),
        ("1: POSIX  ADVISORY  WRITE 0 00:1f:INODE 128 128", False),  # of another container
        ("1: OFDLCK ADVISORY  WRITE -1 00:1f:INODE 128 128", False),
        ("", False),
    ],
)
def test_who_holds_a_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, named: bool) -> None:
    """Who writes, where the kernel knows it on this host."""
    file = tmp_path / "mlflow.db"
    file.touch()
    text = f"0: FLOCK  ADVISORY  WRITE 1 00:1f:5 0 EOF\n{line}\n"
    text = text.replace("PID", str(os.getpid())).replace("INODE", str(file.stat().st_ino))
    pid = 1 if "WRITE 1 " in line else os.getpid()
    name = Path(f"/proc/{pid}/comm").read_text().strip()
    read = Path.read_text
    monkeypatch.setattr(Path, "read_text", lambda self: text if self == Path("/proc/locks") else read(self))
    assert _holder(file) == (f"process {pid} ({name})" if named else "another process")
