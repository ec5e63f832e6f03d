"""A record as it may be written down: without the secrets of its configuration and its process."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from naga.record.schema import Data, Failure, Record
from naga.redaction import redact_config, redact_text, redact_words

__all__ = ["redacted"]


def redacted(record: Record) -> Record:
    """Take the secrets out of a record.

    ``save_dir`` stays as it is: it is the name of a folder, which says it anyway.

    Examples
    --------
    >>> from naga.record.process import this_process
    >>> config = {"save_dir": "a", "token": "abc"}
    >>> record = Record(run_id="r", status="running", task="t", save_dir="a", started="", config=config,
    ...                 process=this_process())
    >>> redacted(record).config
    {'save_dir': 'a', 'token': '<redacted>'}
    """
    # The configurations first: what they hold as secrets is looked for in all that follows.
    config, config_end = (_config(config) for config in (record.config, record.config_end))
    return replace(
        record,
        config=config,
        config_end=config_end,
        data={key: _data(data) for key, data in record.data.items()},
        process=replace(record.process, argv=redact_words(record.process.argv)),
        warnings=tuple(map(redact_text, record.warnings)),
        error=_failure(record.error),
    )


def _config(config: Mapping[Any, Any]) -> dict[Any, Any]:
    place = {key: value for key, value in config.items() if key == "save_dir"}
    return redact_config(config) | place


def _data(data: Data) -> Data:
    path: Any = redact_config({"path": data.path})["path"]
    return replace(data, path=path, reason=data.reason and redact_text(data.reason))


def _failure(error: Failure | None) -> Failure | None:
    if error is None:
        return None
    trace = error.traceback and redact_text(error.traceback)
    return replace(error, message=redact_text(error.message), traceback=trace)
