"""The last publication of a run, noted in its ``.naga/metrics.json`` so that it can be read without MLflow."""

import fcntl
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from naga.errors import LockError
from naga.layout import metrics_file, naga_folder
from naga.record.atomic import write_atomic
from naga.record.opener import make_inside, read_json
from naga.record.schema import now
from naga.terminal import say

KEYS = (
    "metrics", "generation", "mlflow_run_id", "tracking_uri", "experiment_id", "published", "lock_hash",
    "diag", "diag_arguments", "diag_code", "diag_key", "last_failure",
)  # fmt: skip


def last_publication(save_dir: Path) -> dict[str, Any]:
    """Return what was noted of a run's last publication; empty where there is nothing readable."""
    try:
        noted = read_json(save_dir, metrics_file(save_dir))
    except (OSError, LockError):
        return {}
    return noted if isinstance(noted, dict) and isinstance(noted.get("metrics"), dict) else {}


def note_publication(save_dir: Path, facts: Mapping[str, Any]) -> None:
    """Note a publication that has become active, unless a later one in the same store is noted already."""

    def replaced(noted: Mapping[str, Any]) -> Mapping[str, Any] | None:
        known = noted.get("generation")
        is_older = isinstance(known, int) and known > facts["generation"]
        return None if is_older and noted.get("tracking_uri") == facts["tracking_uri"] else facts

    _note(save_dir, replaced)


def note_failure(save_dir: Path, *, diag: str, tracking_uri: str, error: str) -> None:
    """Note that a diag has failed, beside what was published before; the next publication removes the note."""
    failure = {"diag": diag, "tracking_uri": tracking_uri, "error": error, "time": now()}
    _note(save_dir, lambda noted: {**noted, "last_failure": failure})


def _note(save_dir: Path, change: Callable[[Mapping[str, Any]], Mapping[str, Any] | None]) -> None:
    file = metrics_file(save_dir)
    try:
        make_inside(save_dir, file.parent)
        with _alone(naga_folder(save_dir)):
            facts = change(last_publication(save_dir))
            if facts is not None:
                whole = {"metrics": {}, **{key: facts[key] for key in KEYS if key in facts}}
                text = json.dumps({key: whole.get(key) for key in KEYS}, indent=1)
                write_atomic(file, f"{text}\n".encode())
    except OSError as error:
        say(f"warning: '{file}' cannot be written: {error.strerror or error}: the metrics are in MLflow alone")


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Let one process at a time read and replace the note: a slow diag must not overwrite the note of a later one."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with suppress(OSError):  # some network filesystems lock no folders: the last to write wins there
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
