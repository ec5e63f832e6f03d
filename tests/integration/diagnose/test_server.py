"""Publications to a real server: their cost, and what happens when it is away."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlflow
import pytest
import requests
from integration.diagnose.publications import MakeRun, Store
from integration.diagnose.server import free_port, silent_server

from naga import load_run
from naga.diagnose.freshness import Freshness
from naga.errors import TrackerError
from naga.mlflow_log import mlflow_log_run
from naga.tracking.mlflow_errors import FIRST_ANSWER_S
from naga.tracking.published_runs import artifacts_of, metrics_of, newest_published


@mlflow_log_run
def diag(cfg: Any) -> None:
    """Log nothing: what is counted is Naga's own."""


@pytest.fixture
def server(sqlite_server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """Give each test an experiment of its own, whose artifacts the server keeps."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", sqlite_server)
    store = Store(sqlite_server)
    store.experiment_id = store.client.create_experiment(f"test {time.monotonic_ns()}")
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", store.experiment_id)
    yield store
    store.client.delete_experiment(store.experiment_id)


def count_calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Note each HTTP request of this process."""
    calls: list[str] = []
    send = requests.Session.send

    def counting(self: requests.Session, request: requests.PreparedRequest, **how: Any) -> requests.Response:
        calls.append(f"{request.method} {request.path_url}")
        return send(self, request, **how)

    monkeypatch.setattr(requests.Session, "send", counting)
    return calls


def test_publications(server: Store, make_run: MakeRun) -> None:
    """On a server as on SQLite: one active MLflow run, the older ones linked to it, artifacts through the server."""
    folder = make_run()
    for _ in range(3):
        diag(folder)
    assert server.statuses() == ["deprecated", "deprecated", "active"]
    (run,) = server.active()
    assert run.info.artifact_uri.startswith("mlflow-artifacts:")
    assert sorted(file.path for file in server.client.list_artifacts(run.info.run_id)) == ["experiment.log", "run.lock"]


def test_calls(server: Store, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    """A publication of 50 parameters, two artifacts and a dataset that supersedes another takes 11 HTTP calls."""
    folder = make_run(config={f"key{n}": n for n in range(50)})
    mlflow.set_experiment(experiment_id=server.experiment_id)
    diag(folder)
    calls = count_calls(monkeypatch)
    diag(folder)
    assert len(calls) <= 11, calls
    assert server.statuses() == ["deprecated", "active"]


def test_pages_are_read(server: Store, make_run: MakeRun) -> None:
    """What a preview and a stale pass need to know, a server tells as a file does."""
    run = load_run(make_run())
    standing = Freshness(newest_published(server.uri), Path(__file__).parents[3])
    assert standing.of(run) == "never"

    @mlflow_log_run
    def logs(cfg: Any) -> None:
        mlflow.log_metric("accuracy", 0.5)
        mlflow.log_text("text", "notes/note.txt")

    logs(run)
    published = newest_published(server.uri)
    assert [one.run_id for one in published.values()] == [server.active()[0].info.run_id]
    assert published[run.run_id].name == "a #1"
    assert metrics_of(server.uri, published[run.run_id]) == {"accuracy": 0.5}
    assert artifacts_of(server.uri, published[run.run_id]) == {"run.lock", "experiment.log", "notes/note.txt"}
    assert Freshness(published, Path(__file__).parents[3]).of(run) == "fresh"
    assert Freshness(published, Path("/nowhere")).of(run) == "stale"


def test_refused(project: Path, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that is not there is reported at once, without the user's password, with the line to type later."""
    folder = make_run()
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    port = free_port()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://me:secret@127.0.0.1:{port}")
    began = time.monotonic()
    with pytest.raises(TrackerError) as caught:
        diag(folder)
    assert time.monotonic() - began < 30
    assert str(caught.value).startswith(f"nothing was published to MLflow at 'http://127.0.0.1:{port}': no answer")
    assert "secret" not in str(caught.value)
    assert caught.value.hint == f"later: python {Path(__file__)} --reuse results/a"
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("timeout_s", [1, pytest.param(None, marks=pytest.mark.stress, id="default")])
def test_silent(project: Path, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch, timeout_s: int | None) -> None:
    """So is one that accepts and never answers, within 10 seconds; or sooner, where the user has said so."""
    assert FIRST_ANSWER_S < 9
    if timeout_s:
        monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", str(timeout_s))
    folder = make_run()
    with silent_server() as address:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
        began = time.monotonic()
        with pytest.raises(TrackerError, match="no answer"):
            diag(folder)
        assert time.monotonic() - began < (5 if timeout_s else 10)


def test_refuses(server: Store, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that answers with an error is reported with its own words."""
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", "12345")
    with pytest.raises(TrackerError, match="12345"):
        diag(make_run())


def test_lost_half_way(server: Store, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that is lost while a diag runs leaves the former MLflow run active; the diag can be run again."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    folder = make_run()
    diag(folder)
    send = requests.Session.send
    lost = False

    def losing(self: requests.Session, request: requests.PreparedRequest, **how: Any) -> requests.Response:
        if lost:
            raise requests.ConnectionError("lost")
        return send(self, request, **how)

    monkeypatch.setattr(requests.Session, "send", losing)

    @mlflow_log_run
    def losing_diag(cfg: Any) -> None:
        nonlocal lost
        lost = True

    with pytest.raises(TrackerError, match="the diag ran, but"):
        losing_diag(folder)
    lost = False
    assert server.statuses() == ["active", "pending"]
    assert mlflow.active_run() is None
    diag(folder)
    assert server.statuses() == ["deprecated", "pending", "active"]
