"""The runs whose results this run reads."""

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from naga.config.plain import ABSENT, value_at
from naga.errors import ConfigError, DataError, LockError
from naga.layout import LOCK_NAME
from naga.record.lockfile import lock_hash, read_lock
from naga.record.schema import Upstream


def stage_folders(config: Mapping[str, Any], keys: Iterable[str], base: Path) -> tuple[Path, ...]:
    """Find the folders of the runs that ``@load_stage`` keys name."""
    return tuple(_stage_folder(key, _value(config, key), base) for key in keys)


def _value(config: Mapping[str, Any], key: str) -> str:
    value = value_at(config, key, ABSENT)
    if value is ABSENT:
        raise ConfigError(f"@load_stage('{key}'): the configuration has no key '{key}'", hint="name one that it has")
    if not isinstance(value, str) or not value:
        raise ConfigError(
            f"@load_stage('{key}'): {value!r} is not the folder of a run", hint=f"{key}=<a run's save_dir>"
        )
    return value


def _stage_folder(key: str, value: str, base: Path) -> Path:
    path = Path(os.path.abspath(base / value))  # noqa: PTH100  # `resolve` would follow the user's own links
    folder = path.parent if path.name == LOCK_NAME else path
    try:
        status = read_lock(folder / LOCK_NAME).status
    except LockError as error:
        raise DataError(f"{key}={value!r} is not a run: {error.message}", hint=f"{key}=<a run's save_dir>") from error
    if status != "finished":
        raise DataError(f"{key}={value!r}: that run is {status}, not finished", hint="run that stage again first")
    return folder


def capture_upstream(paths: Iterable[Path], save_dir: Path | None, base: Path) -> tuple[Upstream, ...]:
    """Name the runs in whose folders the given paths are."""
    folders = {folder for path in paths if (folder := _run_folder(path)) and folder != save_dir}
    return tuple(_upstream(folder, base) for folder in sorted(folders))


def _run_folder(path: Path) -> Path | None:
    for folder in (path, *path.parents):
        if (folder / LOCK_NAME).is_file():
            with suppress(LockError):  # another tool's file of that name
                read_lock(folder / LOCK_NAME)
                return folder
    return None


def _upstream(folder: Path, base: Path) -> Upstream:
    shown = folder.relative_to(base) if folder.is_relative_to(base) else folder
    lock = folder / LOCK_NAME
    record = read_lock(lock)
    left = record.outputs.hash if record.outputs else None
    return Upstream(save_dir=str(shown), run_id=record.run_id, lock_hash=lock_hash(lock), outputs_hash=left)
