"""Real MLflow servers on loopback, and servers that are none."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def free_port() -> int:
    """Find a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def mlflow_server(folder: Path, backend: str) -> Iterator[str]:
    """Start ``mlflow server`` and yield its address."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    command = [
        sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1",
        "--backend-store-uri", backend, "--artifacts-destination", str(folder / "artifacts"),
    ]  # fmt: skip
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment, start_new_session=True)
        try:
            _await(address, process, folder / "server.log")
            yield address
        finally:
            os.killpg(process.pid, 9)  # there is nothing in it that must be saved
            process.wait(30)


def _await(address: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    until = time.monotonic() + 90
    while time.monotonic() < until and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{address}/health", timeout=5):
                return
        except OSError:
            time.sleep(0.2)
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
