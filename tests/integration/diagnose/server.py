"""Real MLflow servers on loopback, and servers that are none."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from integration.diagnose.forks import start


def free_port() -> int:
    """Find a port that no one listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def mlflow_server(folder: Path, backend: str) -> Iterator[str]:
    """Run ``mlflow server`` and yield its address.

    It imports MLflow twice, and nine times where it runs jobs, which Naga has none of.
    """
    port = free_port()
    command = [
        sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1",
        "--backend-store-uri", backend, "--artifacts-destination", str(folder / "artifacts"),
    ]  # fmt: skip
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
    environment["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] = "false"
    log = folder / "server.log"
    with log.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file, env=environment, start_new_session=True)
        try:
            yield _await(port, lambda: process.poll() is None, log)
        finally:
            os.killpg(process.pid, 9)  # there is nothing in it that must be saved
            process.wait(30)


@contextmanager
def mlflow_app(folder: Path, backend: str) -> Iterator[str]:
    """Serve what ``mlflow server`` serves from a process that has MLflow imported, and yield its address."""
    port, log = free_port(), folder / "server.log"
    environment = {
        "_MLFLOW_SERVER_FILE_STORE": backend,
        "_MLFLOW_SERVER_REGISTRY_STORE": backend,
        "_MLFLOW_SERVER_ARTIFACT_ROOT": "mlflow-artifacts:/",
        "_MLFLOW_SERVER_ARTIFACT_DESTINATION": str(folder / "artifacts"),
        "_MLFLOW_SERVER_SERVE_ARTIFACTS": "true",
    }
    process = start(_serve, port, environment=environment, output=log)
    try:
        yield _await(port, process.is_alive, log)
    finally:
        process.kill()
        process.join(30)


def _serve(port: int) -> None:
    import uvicorn

    uvicorn.run("mlflow.server.fastapi_app:app", host="127.0.0.1", port=port)


def _await(port: int, is_alive: Callable[[], bool], log: Path) -> str:
    address = f"http://127.0.0.1:{port}"
    until = time.monotonic() + 120
    while time.monotonic() < until and is_alive():
        try:
            with urllib.request.urlopen(f"{address}/health", timeout=5):
                return address
        except OSError:
            time.sleep(0.1)
    raise AssertionError(log.read_text())


@contextmanager
def silent_server() -> Iterator[str]:
    """Listen, accept, and never answer."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(16)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def postgres_programs() -> Path | None:
    """Find Debian's PostgreSQL."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent if found else None


def require_postgres() -> None:
    """Skip where PostgreSQL is not installed."""
    pytest.importorskip("psycopg2", reason="psycopg2 is not installed")
    if postgres_programs() is None:
        pytest.skip("PostgreSQL is not installed")


@contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """Start a PostgreSQL of our own, which refuses to run as root, and yield the URI of an empty database."""
    programs, port, data = postgres_programs(), free_port(), folder / "postgres"
    assert programs is not None
    user = "postgres" if os.geteuid() == 0 else None
    data.mkdir(parents=True)
    if user:
        shutil.chown(data, user)
        for parent in data.parents:  # pytest's folders are closed to others
            if parent.owner() == "root" and parent != Path("/"):
                parent.chmod(parent.stat().st_mode | 0o011)
    initdb = [str(programs / "initdb"), "-D", str(data), "-U", "naga", "--auth=trust", "--no-sync"]
    subprocess.run(initdb, check=True, capture_output=True, user=user, cwd=data)
    command = [str(programs / "postgres"), "-D", str(data), "-h", "127.0.0.1", "-p", str(port), "-k", str(data)]
    with (folder / "postgres.log").open("wb") as log:
        process = subprocess.Popen([*command, "-F"], stdout=log, stderr=log, user=user, cwd=data)
        try:
            _await_postgres(programs, port, folder / "postgres.log")
            yield f"postgresql+psycopg2://naga@127.0.0.1:{port}/postgres"
        finally:
            process.send_signal(signal.SIGQUIT)
            process.wait(30)


def _await_postgres(programs: Path, port: int, log: Path) -> None:
    for _ in range(150):
        if (
            subprocess.run(
                [str(programs / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port)], check=False
            ).returncode
            == 0
        ):
            return
        time.sleep(0.2)
    raise AssertionError(log.read_text())
