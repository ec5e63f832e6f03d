"""The content of one publication, complete and checked before anything is written."""

import json
import re
import socket
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType

from naga.config.upgrade import Filled
from naga.diagnose.diag_key import DiagKey
from naga.errors import DiagError
from naga.process.identity import this_process
from naga.project import project_root
from naga.record.schema import Data, Record, to_plain
from naga.runs.find import Run
from naga.save_dir.archive import former_runs, home_of
from naga.secrets import redact_config
from naga.terminal import printable
from naga.tracking.parameters import TAG_LIMIT, batches, parameters, shortened
from naga.tracking.publication import Dataset, Publication, logical_run_id, logical_run_key, shown_name
from naga.tracking.tags import Status, Tag
from naga.wording import took

_MARKDOWN = re.compile(r"[\\`*\[\]|~]|(?<!\w)_|_(?!\w)|^[#>+-]")


def publication_of(
    run: Run,
    *,
    published_by: str,
    key: DiagKey,
    diag_commit: str | None = None,
    log: Path | None = None,
    filled: Mapping[str, Filled] = MappingProxyType({}),
) -> Publication:
    """Collect everything to publish of a run that is known before its diag begins."""
    record = run.record
    if not record.save_dir:
        raise DiagError(f"run {record.run_id} has no save_dir to identify it by in MLflow")
    logical_id = logical_run_id(record.save_dir)
    home, archived = home_of(run.save_dir, run.run_id)
    tags = {
        **_protocol(run, logical_id),
        Tag.DIAG_KEY: key.key(run.lock_hash),
        Tag.DIAG_COMMIT: diag_commit or "",
        **key.tags(),
        **_places(home),
        **_story(record, published_by),
        Tag.TAGS: shortened(", ".join(run.tags), TAG_LIMIT),
        Tag.CONFIG_FILLED: _filled(filled),
        **_code(record),
    }
    return Publication(
        name=shortened(shown_name(logical_id, record.process.cwd), TAG_LIMIT),
        key=tags[Tag.LOGICAL_KEY],
        run_id=record.run_id,
        former=former_runs(home),
        archived=archived,
        tags={name: value for name, value in tags.items() if value},
        params=batches(parameters(record.config)),
        artifacts=(run.lock_path, *((log,) if log else ())),
        datasets=tuple(_dataset(key, data) for key, data in record.data.items() if data.hash),
    )


def _protocol(run: Run, logical_id: str) -> dict[str, str]:
    """Return the tags that decide which publication is the active one."""
    return {
        Tag.LOGICAL_ID: shortened(logical_id, TAG_LIMIT),
        Tag.LOGICAL_KEY: logical_run_key(logical_id),
        Tag.STATUS: Status.PENDING,
        Tag.RUN_ID: run.run_id,
        Tag.LOCK_HASH: run.lock_hash,
        Tag.OWNER: _owner(),
    }


def _filled(filled: Mapping[str, Filled]) -> str:
    """Write the values that the diag was given but the run.lock does not hold."""
    values = {key: {"value": one.value, "why": one.why} for key, one in filled.items()}
    return shortened(json.dumps(redact_config(values), default=str), TAG_LIMIT) if values else ""


def _owner() -> str:
    process = this_process()
    return json.dumps({name: getattr(process, name) for name in ("host", "pid", "boot_id", "started_ticks")})


def _places(home: Path) -> dict[str, str]:
    """Name a folder as this host knows it, and as every host of its filesystem does."""
    places = {Tag.PLACE: shortened(f"{socket.gethostname()}:{home}", TAG_LIMIT // 4)}
    with suppress(OSError):
        places[Tag.FOLDER] = shortened(f"{project_root(home.parent).stat().st_ino}:{home}", TAG_LIMIT // 4)
    return places


def _story(record: Record, published_by: str) -> dict[str, str]:
    """Describe the computation: in tags that sort as text, and in one line for MLflow's table of runs."""
    host, seconds = record.process.host, record.duration_s
    where = f" on {_plain(host)}" if host else ""
    length = f" in {took(seconds)}" if seconds is not None else ""
    note = f"{_plain(record.task)}: computed {record.started[:16].replace('T', ' ')}{where}{length}, {record.status}"
    return {
        Tag.NOTE: shortened(f"{note}; published by {_plain(published_by)}", TAG_LIMIT),
        Tag.COMPUTED: f"{record.started[:19].replace('T', ' ')}Z",
        Tag.DURATION: "" if seconds is None else f"{seconds:12.1f}",
        Tag.HOST: shortened(host or "", TAG_LIMIT),
        Tag.ENDED_AS: record.status,
    }


def _plain(name: str) -> str:
    """Write a name so that MLflow shows it as it is: not as Markdown, and not as HTML."""
    return _MARKDOWN.sub(r"\\\g<0>", " ".join(printable(name).split())).replace("<", "&lt;")


def _code(record: Record) -> dict[str, str]:
    """Fill MLflow's Source and Version columns, which otherwise would describe the diag's process."""
    tags = {"mlflow.source.name": shortened(record.task, TAG_LIMIT)}
    code = next((entry for entry in record.code if entry.commit), None)
    if code and code.commit:
        tags["mlflow.source.git.commit"] = code.commit
    if code and code.log_branch:
        tags["mlflow.source.git.branch"] = shortened(code.log_branch, TAG_LIMIT)
    if code and code.remote:
        tags["mlflow.source.git.repoURL"] = shortened(code.remote, TAG_LIMIT)
    return tags


def _dataset(key: str, data: Data) -> Dataset:
    whole = to_plain(data)
    return Dataset(
        name=shortened(key, 500),
        # MLflow takes 36 characters; the whole hash stands in the profile, and in run.lock.
        digest=str(data.hash).removeprefix("blake3:")[:36],
        source=json.dumps({"uri": shortened(data.path, 4000)}),
        profile=json.dumps(whole, default=str),
    )
