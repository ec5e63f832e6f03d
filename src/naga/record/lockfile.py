"""Reading and writing run.lock; no other module does either."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from naga.errors import LockError
from naga.layout import LOCK_NAME
from naga.record import yaml_text
from naga.record.atomic import write_atomic
from naga.record.bounds import bounded, shallow
from naga.record.opener import read_inside
from naga.record.schema import SCHEMA, STATUSES, Data, Outputs, Record, from_plain, to_plain
from naga.secrets import redact_config, redact_text, redact_words

ANOTHER_TOOL = "another tool uses this name too"

# Run ids become names of files and of git refs.
_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


def write_lock(save_dir: Path, record: Record) -> None:
    """Write a record to ``save_dir/run.lock``, whole or not at all, and without the secrets that it holds."""
    write_atomic(save_dir / LOCK_NAME, lock_text(record).encode())


def replace_outputs(save_dir: Path, outputs: Outputs) -> None:
    """Replace the outputs in a run.lock; every other key stays as it is, also keys of later releases."""
    plain = yaml_text.load(_decoded(_content(save_dir / LOCK_NAME)))
    keys = dict.fromkeys(key for name in plain for key in (("outputs", name) if name == "process" else (name,)))
    changed = {**plain, "outputs": to_plain(outputs)}
    write_atomic(save_dir / LOCK_NAME, yaml_text.dump({key: changed[key] for key in keys}).encode())


def lock_text(record: Record) -> str:
    """Return the text of a run.lock: its secrets redacted, and cut to the limits of its readers."""
    cuts: list[str] = []
    config, config_end = shallow(record.config, "config", cuts), shallow(record.config_end, "config_end", cuts)
    plain = to_plain(redacted(replace(record, config=config, config_end=config_end)))
    return yaml_text.dump(bounded(plain, cuts))


def read_lock(path: Path) -> Record:
    """Read a run.lock; nothing in it is resolved, imported or executed."""
    return _read(path)[0]


def read_hashed_lock(path: Path) -> tuple[Record, str]:
    """Read a run.lock, and hash the same bytes: the file may be replaced at any time."""
    record, content = _read(path)
    return record, _hash(content)


def _read(path: Path) -> tuple[Record, bytes]:
    file = path / LOCK_NAME if path.is_dir() else path
    try:
        content = _content(file)
        return parse_lock(_decoded(content)), content
    except LockError as error:
        problem = f"'{file}' {error.message}" if error.message.startswith("is ") else f"'{file}': {error.message}"
        raise LockError(problem, hint=error.hint) from error.__cause__


def parse_lock(text: str) -> Record:
    """Read the text of a run.lock; `LockError` if it is not one."""
    return _record(yaml_text.load(text))


def lock_hash(path: Path) -> str:
    """Hash the bytes of a run.lock, as ``blake3:<64 hex>``: it names one recorded state of one run."""
    return _hash(read_inside(path.parent, path))


def _hash(content: bytes) -> str:
    import blake3

    return f"blake3:{blake3.blake3(content).hexdigest()}"


def _content(file: Path) -> bytes:
    try:
        return read_inside(file.parent, file)
    except FileNotFoundError as error:
        problem = "is a link to nothing" if file.is_symlink() else "is not there"
        raise LockError(problem, hint="naga ls") from error
    except (OSError, ValueError) as error:
        raise LockError(f"is not readable: {getattr(error, 'strerror', None) or error}") from error


def _decoded(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise LockError("is not readable: it is not UTF-8 text") from error


def _record(plain: object) -> Record:
    if plain is None:
        raise LockError("is empty", hint="it was not written to its end; the run left nothing else to read")
    schema = plain.get("schema") if isinstance(plain, dict) else None
    if schema != SCHEMA:
        raise _foreign(schema)
    record = from_plain(Record, plain)
    if record.status not in STATUSES:
        raise LockError(f"status is {record.status[:80]!r}, not one of {', '.join(STATUSES)}")
    if not _RUN_ID.fullmatch(record.run_id):
        raise LockError(f"run_id is {record.run_id[:80]!r}, which no run has")
    return record


def _foreign(schema: object) -> LockError:
    if isinstance(schema, str) and schema.startswith("naga.run/"):
        return LockError(f"has schema {schema!r}; this Naga reads {SCHEMA!r}", hint="pip install --upgrade naga-runs")
    return LockError(f"is not a run.lock of Naga (no 'schema: {SCHEMA}')", hint=ANOTHER_TOOL)


def redacted(record: Record) -> Record:
    """Take the secrets out of a record.

    ``save_dir`` stays as it is: it is the name of a folder, which says it anyway.

    Examples
    --------
    >>> from naga.process.identity import this_process
    >>> config = {"save_dir": "a", "token": "abc"}
    >>> record = Record(run_id="r", status="running", task="t", save_dir="a", started="", config=config,
    ...                 process=this_process())
    >>> redacted(record).config
    {'save_dir': 'a', 'token': '<redacted>'}
    """
    # The configurations first: what they hold as secrets is looked for in all that follows.
    config, config_end = (
        redact_config(config) | {key: value for key, value in config.items() if key == "save_dir"}
        for config in (record.config, record.config_end)
    )
    error = record.error
    if error:
        trace = error.traceback and redact_text(error.traceback)
        error = replace(error, message=redact_text(error.message), traceback=trace)
    return replace(
        record,
        config=config,
        config_end=config_end,
        data={key: _data(data) for key, data in record.data.items()},
        process=replace(record.process, argv=redact_words(record.process.argv)),
        warnings=tuple(map(redact_text, record.warnings)),
        error=error,
    )


def _data(data: Data) -> Data:
    path: Any = redact_config({"path": data.path})["path"]
    return replace(data, path=path, reason=data.reason and redact_text(data.reason))
