"""The store that publications go to: the one that the user configured, or the project's own SQLite file."""

import os
import re
import sqlite3
import stat
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from naga.errors import TrackerError
from naga.project import project_root
from naga.terminal import say
from naga.tracking.mlflow_errors import missing_mlflow
from naga.tracking.mlflow_settings import environment, quiet

_FILE = "mlflow.db"
_PATIENCE_S = 3
_PLAIN = re.compile(r"[\w./ -]+", re.ASCII)
_ANOTHER = "MLFLOW_TRACKING_URI names another store"
_MOVE_EXPERIMENTS, _MOVE_RUNS = (
    f"UPDATE {table} SET {column} = :after || substr({column}, length(:before) + 1) "  # noqa: S608  # names from below
    f"WHERE substr({column}, 1, length(:before)) = :before"
    for table, column in (("experiments", "artifact_location"), ("runs", "artifact_uri"))
)
_creating = threading.Lock()  # Alembic, which makes the tables, serves one thread at a time


def require_mlflow() -> None:
    """Refuse if MLflow is not installed, naming the command that installs it."""
    try:
        import mlflow  # noqa: F401
    except ImportError as error:
        raise missing_mlflow(error) from error


@contextmanager
def tracking_store(start: Path) -> Iterator[str]:
    """Make MLflow use the user's store while this lasts; the project's own ``mlflow.db`` if none is configured."""
    with _used(uri := ready_store(start)):
        yield uri


def ready_store(start: Path) -> str:
    """Create the store at its first use, which takes seconds; return its URI."""
    uri = store_of(start)
    file = _sqlite_file(uri)
    if file is not None and not file.exists() and file.parent.is_dir():
        say(f"creating the MLflow store {uri}" if _configured() else f"no MLflow tracking URI is set: creating {uri}")
    create_if_missing(uri)
    if file == project_root(start) / _FILE:
        _bring_along(file)
    return uri


@contextmanager
def known_store(start: Path) -> Iterator[str | None]:
    """Make MLflow use the store that `tracking_store` would, without creating it: None if there is none yet."""
    uri = store_of(start)
    file = local_file(uri)
    if file is not None and not file.exists():
        yield None
        return
    check_store(uri)
    require_mlflow()
    with _used(uri):
        yield uri


@contextmanager
def _used(uri: str) -> Iterator[None]:
    import mlflow

    file = local_file(uri)
    # MLflow would put the artifacts of new experiments below the current folder.
    artifacts = {"_MLFLOW_SERVER_ARTIFACT_ROOT": (file.parent / "mlruns").as_uri()} if file else {}
    with environment({"MLFLOW_TRACKING_URI": uri, **artifacts}):
        if mlflow.get_tracking_uri() != uri:  # the script has called `set_tracking_uri`, and what it said is relative
            mlflow.set_tracking_uri(uri)
        yield


def store_of(start: Path) -> str:
    """Return the tracking URI that a script in a folder publishes to, unless the script sets another."""
    root = project_root(start)
    said = (_configured() or "").strip()
    return absolute_uri(said, root) if said else _sqlite_uri(root / _FILE)


def _configured() -> str | None:
    """Return the URI that the user has set, without importing MLflow, which takes seconds."""
    if "mlflow" not in sys.modules:
        return os.environ.get("MLFLOW_TRACKING_URI") or None
    import mlflow

    # A run that is active already was started in MLflow's default store: a nested one belongs beside it.
    is_set = mlflow.is_tracking_uri_set() or mlflow.active_run() is not None  # type: ignore[no-untyped-call]
    return mlflow.get_tracking_uri() if is_set else None


def absolute_uri(uri: str, root: Path) -> str:
    """Return the URI of a store independent of the current folder, which a script may change."""
    if re.fullmatch(r"[\w.-]+:\d+(/.*)?", uri):
        raise TrackerError(f"MLflow takes '{uri}' for a folder", hint=f"MLFLOW_TRACKING_URI=http://{uri}")
    if found := re.match(r"sqlite:/{0,2}(?!/)(.+)", uri):
        problem = f"'{uri}' names no file: three slashes come before a path"
        raise TrackerError(problem, hint=f"MLFLOW_TRACKING_URI=sqlite:///{found[1]}")
    if re.match(r"https?:(?!//[^/])", uri):
        raise TrackerError(f"'{uri}' names no server", hint="MLFLOW_TRACKING_URI=http://localhost:5000")
    if uri.startswith("sqlite:///") and "?" not in uri:
        path = uri.removeprefix("sqlite:///")
        return uri if path.startswith(("/", ":memory:")) or not path else f"sqlite:///{root / path}"
    return str(root / uri) if ":" not in uri and not uri.startswith("databricks") else uri


def use_store(uri: str) -> None:
    """Make MLflow use a store, whatever the script has set; new experiments store their artifacts beside its file."""
    import mlflow

    file = local_file(uri)
    if file is not None:
        if file.is_relative_to(Path.cwd()):  # elsewhere, a folder that is not there may be a mistyped one
            file.parent.mkdir(parents=True, exist_ok=True)
        create_if_missing(uri)
        os.environ["_MLFLOW_SERVER_ARTIFACT_ROOT"] = (file.parent / "mlruns").as_uri()
    mlflow.set_tracking_uri(uri)


def local_file(uri: str) -> Path | None:
    """Return the file of a SQLite store, without MLflow or SQLAlchemy; None for any other store."""
    if not uri.startswith("sqlite:///") or "?" in uri:
        return None
    named = Path(uri.removeprefix("sqlite:///")).absolute()
    return named if named.exists() else Path(unquote(str(named)))


def _sqlite_uri(file: Path) -> str:
    """Write the URI that SQLAlchemy reads as this file; it decodes percent signs since its version 2.1."""
    if _PLAIN.fullmatch(str(file)):  # as nearly all are; asking SQLAlchemy takes a while
        return f"sqlite:///{file}"
    for uri in (f"sqlite:///{file}", f"sqlite:///{quote(str(file))}"):
        if _sqlite_file(uri) == file:
            return uri
    raise TrackerError(f"'{file}' cannot be written as a tracking URI", hint=_ANOTHER)


def check_store(uri: str) -> None:
    """Refuse a store whose file is no store, or locked, before MLflow is imported, which takes seconds."""
    file = local_file(uri)
    if file is not None and file.exists():
        check_file(file)


def check_file(file: Path) -> None:
    """Refuse what is no SQLite store: SQLite would wait for a fifo, and MLflow retries for a minute."""
    try:
        is_file = stat.S_ISREG(file.stat().st_mode)
        if is_file:
            with file.open("rb") as opened:
                start = opened.read(16)
    except OSError as error:
        raise TrackerError(f"the MLflow store '{file}' cannot be read: {error.strerror}", hint=_ANOTHER) from error
    if not is_file or start not in (b"", b"SQLite format 3\0"):
        what = "no SQLite database" if is_file else "not a file"
        raise TrackerError(f"the MLflow store '{file}' is {what}", hint=f"mv '{file}' '{file}.old', or {_ANOTHER}")
    _wait_for_lock(file)


def _wait_for_lock(file: Path) -> None:
    """Refuse a store that another process has locked and does not write to: MLflow would wait for half a minute.

    While others write, which changes the files, this waits on: of many publishers each has its turn.
    """
    seen, deadline = None, 0.0
    with closing(sqlite3.connect(file, timeout=0, isolation_level=None)) as connection:
        while True:
            try:
                connection.execute("BEGIN IMMEDIATE")
                return
            except sqlite3.DatabaseError as error:
                if "locked" not in str(error):
                    return  # whoever reads or writes it says what is wrong
            now = [(one.stat().st_mtime_ns, one.stat().st_size) for one in _files(file) if one.exists()]
            if now != seen:
                seen, deadline = now, time.monotonic() + _PATIENCE_S
            elif time.monotonic() > deadline:
                break
            time.sleep(0.05)
    hint = f"wait for it, or end it; or {_ANOTHER}"
    raise TrackerError(f"the MLflow store '{file}' is locked by {_holder(file)}", hint=hint)


def _files(file: Path) -> list[Path]:
    return [file, *(file.with_name(f"{file.name}{ending}") for ending in ("-journal", "-wal"))]


def _holder(file: Path) -> str:
    """Name the process of this host that holds a lock of SQLite's on a file."""
    with suppress(OSError, ValueError):
        inodes = {str(one.stat().st_ino) for one in (file, file.with_name(f"{file.name}-shm")) if one.exists()}
        for line in Path("/proc/locks").read_text().splitlines():
            words = line.split()  # proc_locks(5): 1: POSIX ADVISORY WRITE 708 00:1f:1204 128 128
            if len(words) == 8 and words[3] == "WRITE" and words[5].rpartition(":")[2] in inodes and int(words[4]) > 0:
                return f"process {words[4]} ({Path('/proc', words[4], 'comm').read_text().strip()})"
    return "another process"


def create_if_missing(uri: str) -> None:
    """Create a SQLite store, whole or not at all, however many processes and threads find it missing at once.

    MLflow creates its tables one by one in the file itself, and two that do so together fail. Here each builds a store
    of its own elsewhere; linking it to its name works for one of them, on network filesystems too, and the others use
    that one. No process waits for a lock that a dead process holds, and none sees a half-made store.
    """
    file = _sqlite_file(uri)
    if file is None:
        return
    with _creating:
        if file.exists():
            check_file(file)
            return
        new = file.with_name(f".{file.name}.{os.getpid()}-{os.urandom(4).hex()}.new")
        try:
            if not file.parent.is_dir():
                raise FileNotFoundError(2, f"there is no folder '{file.parent}'")
            new.write_bytes(_new_store(file.parent / "mlruns"))
            with suppress(FileExistsError):
                file.hardlink_to(new)
        except OSError as error:
            problem = f"the MLflow store '{file}' cannot be created: {error.strerror}"
            raise TrackerError(problem, hint=_ANOTHER) from error
        finally:
            with suppress(OSError):
                new.unlink(missing_ok=True)


def _sqlite_file(uri: str) -> Path | None:
    if not uri.startswith("sqlite:///"):
        return None
    try:
        from sqlalchemy.engine import make_url
    except ImportError as error:  # MLflow alone can talk to a server, and has no store of its own
        raise missing_mlflow(error) from error
    url = make_url(uri)
    return Path(url.database).absolute() if url.database and not url.query else None


def _new_store(artifacts: Path) -> bytes:
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    with tempfile.TemporaryDirectory(prefix="naga-store-") as folder, quiet():
        file = Path(folder, "mlflow.db")
        store = SqlAlchemyStore(f"sqlite:///{file}", artifacts.as_uri())  # type: ignore[no-untyped-call]
        store.engine.dispose()
        return file.read_bytes()


def _bring_along(file: Path) -> None:
    """Make a project that was moved or copied store its artifacts beside its own store.

    MLflow notes absolute folders, so they would go to where the project was, or into the original of the copy.
    """
    with closing(sqlite3.connect(file, timeout=30)) as connection, suppress(sqlite3.Error), connection:
        places = connection.execute("SELECT artifact_location FROM experiments").fetchall()
        for former in {folder for (place,) in places if (folder := _left_behind(str(place), file))}:
            for before in (f"{former.as_uri()}/", f"{former}/"):
                after = f"{(file.parent / 'mlruns').as_uri()}/"
                for change in (_MOVE_EXPERIMENTS, *([_MOVE_RUNS] if (file.parent / "mlruns").exists() else [])):
                    connection.execute(change, {"after": after, "before": before})
            say(f"this project was in '{former.parent}': what is published now is stored in '{file.parent / 'mlruns'}'")


def _left_behind(place: str, file: Path) -> Path | None:
    """Return the folder of artifacts that this store had before it was moved, or that its original has."""
    if not place.startswith(("file:", "/")):
        return None
    former = Path(unquote(urlsplit(place).path)).parent
    if former.name != "mlruns" or former.parent.resolve() == file.parent.resolve():
        return None
    is_copy = (former.parent / file.name).exists()
    return former if is_copy or not former.exists() else None  # else somebody has chosen that place


def shown_uri(uri: str) -> str:
    """Return a tracking URI as it may be shown: without user name and password.

    Examples
    --------
    >>> shown_uri("https://me:secret@tracker.example:5000/x")
    'https://tracker.example:5000/x'
    """
    parts = urlsplit(uri)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2])) if "@" in parts.netloc else uri
