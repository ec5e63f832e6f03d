"""Errors of MLflow, its drivers and the network, each in one line: what is wrong, and what helps."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from os import environ

from naga.errors import MlflowMissingError, NagaError, TrackerError
from naga.tracking.mlflow_settings import environment
from naga.wording import text_of

FIRST_ANSWER_S = 8

_TIMEOUT = "MLFLOW_HTTP_REQUEST_TIMEOUT"
_ANOTHER = "MLFLOW_TRACKING_URI names another store"
# Where what is installed is not called as what is imported.
_PACKAGES = {"psycopg": '"psycopg[binary]"', "psycopg2": "psycopg2-binary", "MySQLdb": "mysqlclient"}

# What an error says, how it is reported (empty: in its own words), and what helps. None: trying again later does.
_KNOWN: tuple[tuple[str, str, str | None], ...] = (
    (r"failed with (timeout )?exception|Connection refused|could not translate host", "no answer", None),
    (r"database is locked|too many 50\d error|error code (429|50\d)", "", None),
    (
        "MLFLOW_ALLOW_FILE_STORE",
        "MLflow no longer stores runs in a folder of files, unless MLFLOW_ALLOW_FILE_STORE=true",
        "MLFLOW_TRACKING_URI=sqlite:///mlflow.db, or MLFLOW_ALLOW_FILE_STORE=true",
    ),
    (
        r"must be in the 'active' state|deleted (state|experiment)",
        "",
        "mlflow experiments restore --experiment-id ID, or MLFLOW_EXPERIMENT_NAME=another",
    ),
    (
        "out-of-date database schema|Can't locate revision",
        "it was written by another version of MLflow",
        "copy it, then: mlflow db upgrade URI; or install that version",
    ),
    (
        r"error code 40[13]|credentials|password authentication failed|Unauthorized|Forbidden|Not authenticated",
        "it refuses the user or the password",
        "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN",
    ),
    (r"error code 404\b|Not Found", "there is no MLflow server at that address (404)", _ANOTHER),
    (
        "unsupported URI|not supported in the current version",
        "MLflow has no stores of that kind",
        "MLFLOW_TRACKING_URI=http://..., https://..., sqlite:///..., postgresql://... or mysql://...",
    ),
    (
        r"valid JSON format|<html|<!DOCTYPE",
        "it answers with a web page, not as MLflow does: a login page?",
        f"MLFLOW_TRACKING_TOKEN; or {_ANOTHER}",
    ),
)


@contextmanager
def answering_soon() -> Iterator[None]:
    """Give up after seconds on a server that does not answer: MLflow would retry for minutes."""
    timeout = {} if _TIMEOUT in environ else {_TIMEOUT: str(FIRST_ANSWER_S)}
    with environment({"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0", **timeout}):
        yield


@contextmanager
def in_one_line(what: str, later: str = _ANOTHER) -> Iterator[None]:
    """Turn errors of MLflow, a driver or the network into one line; ``later`` is the hint where waiting helps."""
    try:
        yield
    except NagaError:
        raise
    except Exception as error:  # each kind of store raises errors of its own
        reason, hint = _explained(error)
        raise TrackerError(f"{what}: {reason}", hint=later if hint is None else hint) from error


def _explained(error: Exception) -> tuple[str, str | None]:
    text = text_of(error)
    if isinstance(error, ImportError):
        name = (error.name or "").partition(".")[0]
        return f"{name} is not installed, which this kind of store needs", f"pip install {_PACKAGES.get(name, name)}"
    words = re.sub(r"//[^/@\s]*@", "//", (text.strip().splitlines() or [type(error).__name__])[0])[:300]
    for pattern, reason, hint in _KNOWN:
        if re.search(pattern, text):
            numbered = re.search(r"[Ee]xperiment(?:_id)?\D{0,3}(\d+)", text)
            return reason or words, hint and hint.replace("ID,", f"{numbered[1]}," if numbered else "ID,")
    return words, None if isinstance(error, OSError) else _ANOTHER


def missing_mlflow(error: ImportError) -> MlflowMissingError:
    """Return the error for MLflow, or what its local store needs, not being installed."""
    return MlflowMissingError(f"MLflow is not installed ({error})", hint='pip install "naga-runs[mlflow]"')
