"""Where publications go: the tracking store that the user configured, or the project's own SQLite file."""

import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from naga.errors import MlflowMissingError, TrackerError
from naga.project import project_root
from naga.terminal import say
from naga.tracking.mlflow_settings import environment, quiet

FIRST_ANSWER_S = 8

_FILE = "mlflow.db"
_TIMEOUT = "MLFLOW_HTTP_REQUEST_TIMEOUT"
_PLAIN = re.compile(r"[\w./ -]+", re.ASCII)


def require_mlflow() -> None:
    """Refuse, with the command that mends it, where MLflow is not installed."""
    try:
        import mlflow  # noqa: F401
    except ImportError as error:
        raise _missing(error) from error


def _missing(error: ImportError) -> MlflowMissingError:
    return MlflowMissingError(f"MLflow is not installed ({error})", hint='pip install "naga-runs[mlflow]"')


@contextmanager
def tracking_store(start: Path) -> Iterator[str]:
    """Let MLflow use the user's store while this lasts; the project's own ``mlflow.db`` where none is configured."""
    uri, artifacts, changes = _chosen(start)
    if changes and not (project_root(start) / _FILE).exists():
        say(f"no MLflow tracking URI is set: creating {uri}")
    create_if_missing(uri, artifacts)
    with environment(changes):
        yield uri


@contextmanager
def known_store(start: Path) -> Iterator[str | None]:
    """Let MLflow use the store that `tracking_store` would, without creating one: None where there is none yet."""
    if _configured() is None and not (project_root(start) / _FILE).exists():
        yield None
        return
    require_mlflow()
    uri, _, changes = _chosen(start)
    file = _sqlite_file(uri)
    with environment(changes):
        yield uri if file is None or file.exists() else None


def _chosen(start: Path) -> tuple[str, Path, dict[str, str]]:
    """Give the URI, the folder of the artifacts of a new store, and what MLflow must be told of both."""
    if (uri := _configured()) is not None:
        return uri, Path("mlruns").absolute(), {}
    root = project_root(start)
    uri, artifacts = _sqlite_uri(root / _FILE), root / "mlruns"
    # MLflow would put the artifacts of new experiments below the current folder.
    return uri, artifacts, {"MLFLOW_TRACKING_URI": uri, "_MLFLOW_SERVER_ARTIFACT_ROOT": artifacts.as_uri()}


def _configured() -> str | None:
    """Give the URI that the user has set; importing MLflow, which takes seconds, can wait."""
    if "mlflow" not in sys.modules:
        return os.environ.get("MLFLOW_TRACKING_URI") or None
    import mlflow

    # A run that is active already was started in MLflow's default store: a nested one belongs beside it.
    is_set = mlflow.is_tracking_uri_set() or mlflow.active_run() is not None  # type: ignore[no-untyped-call]
    return mlflow.get_tracking_uri() if is_set else None


@contextmanager
def answering_soon() -> Iterator[None]:
    """Give up after seconds on a server that does not answer: MLflow would retry for minutes before it says so."""
    timeout = {} if _TIMEOUT in os.environ else {_TIMEOUT: str(FIRST_ANSWER_S)}
    with environment({"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0", **timeout}):
        yield


@contextmanager
def in_one_line(what: str, hint: str) -> Iterator[None]:
    """Turn MLflow's and the network's own errors into one line."""
    from mlflow.exceptions import MlflowException

    try:
        yield
    except (MlflowException, OSError) as error:
        raise TrackerError(f"{what}: {_reason(error)}", hint=hint) from error


def _reason(error: Exception) -> str:
    if "failed with exception" in str(error) or "failed with timeout" in str(error):
        return "no answer"
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return re.sub(r"//[^/@\s]*@", "//", lines[0])[:300]


def store_of(start: Path) -> str:
    """Give the tracking URI that a script in a folder publishes to, unless the script itself says otherwise."""
    return _configured() or _sqlite_uri(project_root(start) / _FILE)


def use_store(uri: str) -> None:
    """Let MLflow use a store, whatever the script has said; new experiments store their artifacts beside its file."""
    import mlflow

    file = local_file(uri)
    if file is not None:
        create_if_missing(uri, file.parent / "mlruns")
        os.environ["_MLFLOW_SERVER_ARTIFACT_ROOT"] = (file.parent / "mlruns").as_uri()
    mlflow.set_tracking_uri(uri)


def local_file(uri: str) -> Path | None:
    """Give the file of a SQLite store, without MLflow or SQLAlchemy; None for any other."""
    if not uri.startswith("sqlite:///") or "?" in uri:
        return None
    named = Path(uri.removeprefix("sqlite:///")).absolute()
    return named if named.exists() else Path(unquote(str(named)))


def _sqlite_uri(file: Path) -> str:
    """Write the URI that SQLAlchemy reads as this file; from 2.1 on it decodes percent signs, before it did not."""
    if _PLAIN.fullmatch(str(file)):  # as nearly all are; asking SQLAlchemy takes a while
        return f"sqlite:///{file}"
    for uri in (f"sqlite:///{file}", f"sqlite:///{quote(str(file))}"):
        if _sqlite_file(uri) == file:
            return uri
    raise TrackerError(f"'{file}' cannot be written as a tracking URI", hint="MLFLOW_TRACKING_URI names another store")


def create_if_missing(uri: str, artifacts: Path) -> None:
    """Create a SQLite store, whole or not at all, however many processes find it missing at once.

    MLflow creates its tables one by one in the file itself, and two that do so together fail. Here each builds a store
    of its own elsewhere; linking it to its name works for one of them, on network filesystems too, and the others use
    that one. Nobody ever waits for a lock that a dead process holds, and nobody sees a half-made store.
    """
    file = _sqlite_file(uri)
    if file is None or file.exists():
        return
    new = file.with_name(f".{file.name}.{os.getpid()}-{os.urandom(4).hex()}.new")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        new.write_bytes(_new_store(artifacts))
        with suppress(FileExistsError):
            file.hardlink_to(new)
    except OSError as error:
        raise TrackerError(f"the MLflow store '{file}' cannot be created: {error.strerror}",
                           hint="MLFLOW_TRACKING_URI names another store") from error  # fmt: skip
    finally:
        with suppress(OSError):
            new.unlink(missing_ok=True)


def _sqlite_file(uri: str) -> Path | None:
    if not uri.startswith("sqlite:///"):
        return None
    try:
        from sqlalchemy.engine import make_url
    except ImportError as error:  # MLflow alone can talk to a server, and has no store of its own
        raise _missing(error) from error
    url = make_url(uri)
    return Path(url.database).absolute() if url.database and not url.query else None


def _new_store(artifacts: Path) -> bytes:
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    with tempfile.TemporaryDirectory(prefix="naga-store-") as folder, quiet():
        file = Path(folder, "mlflow.db")
        store = SqlAlchemyStore(f"sqlite:///{file}", artifacts.as_uri())  # type: ignore[no-untyped-call]
        store.engine.dispose()
        return file.read_bytes()


def shown_uri(uri: str) -> str:
    """Give a tracking URI as it may be shown: without the name and password of its user.

    Examples
    --------
    >>> shown_uri("https://me:secret@tracker.example:5000/x")
    'https://tracker.example:5000/x'
    """
    parts = urlsplit(uri)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2])) if "@" in parts.netloc else uri
