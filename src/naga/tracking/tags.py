"""The tags that Naga writes into MLflow, and what they mean.

Each tag is a row in MLflow's view of a run. What neither a person nor a search asks for shares one of them,
`Tag.DETAILS`; a reader finds there what earlier releases have written to tags of their own.
"""

import json
from collections.abc import Mapping
from contextlib import suppress


class Tag:
    """Names of tags."""

    LOGICAL_ID = "naga.logical_run_id"  # the save_dir, as the user wrote it
    LOGICAL_KEY = "naga.logical_run_key"  # its sha256: what is searched
    STATUS = "naga.run_status"
    GENERATION = "naga.generation"
    SUPERSEDES = "naga.supersedes_run_id"
    SUPERSEDED_BY = "naga.superseded_by_run_id"
    RUN_ID = "naga.run_id"  # of the run.lock, not of MLflow
    LOCK_HASH = "naga.lock_hash"
    DIAG_COMMIT = "naga.diag_commit"
    DIAG_KEY = "naga.diag_key"
    COMPUTED = "naga.computed"  # when the computation began; sorts as text
    DURATION = "naga.duration_s"  # of the computation, of one width: sorts as text
    HOST = "naga.host"  # where it was computed
    ENDED_AS = "naga.status"  # of the computation, as its run.lock has it
    DETAILS = "naga.details"  # the tags of `_DETAILS`, as JSON
    DIAG = "naga.diag"  # file:function
    DIAG_ARGUMENTS = "naga.diag_arguments"  # besides the configuration, as JSON
    DIAG_CODE = "naga.diag_code"  # "recorded" where it ran with the code of its run
    CONFIG_FILLED = "naga.config_filled"  # JSON: what the diag was given and no run.lock holds, and why
    TAGS = "naga.tags"  # what `naga tag` said of the run, with commas between
    DIAG_DIR = "naga.diag_dir"  # the folder of its files, in the run's folder
    PLACE = "naga.place"  # the folder, as host:path
    FOLDER = "naga.folder"  # the same as all hosts see it: inode of its project:path
    EXPERIMENT = "naga.experiment"  # its experiment as the user named it, who may rename it in MLflow later
    OWNER = "naga.owner"  # the process that publishes
    NOTE = "mlflow.note.content"  # MLflow's own: the description
    NAME = "mlflow.runName"  # MLflow's own


_DETAILS = (Tag.DIAG, Tag.DIAG_ARGUMENTS, Tag.DIAG_CODE, Tag.DIAG_DIR, Tag.FOLDER, Tag.EXPERIMENT, Tag.OWNER)


def packed(tags: Mapping[str, str]) -> dict[str, str]:
    """Write tags as they are sent to MLflow.

    Examples
    --------
    >>> packed({"naga.generation": "1", "naga.diag": "exp.py:diag"})
    {'naga.generation': '1', 'naga.details': '{"diag": "exp.py:diag"}'}
    """
    details = {name.removeprefix("naga."): tags[name] for name in _DETAILS if name in tags}
    rest = {name: value for name, value in tags.items() if name not in _DETAILS}
    return rest | ({Tag.DETAILS: json.dumps(details, ensure_ascii=False)} if details else {})


def unpacked(tags: Mapping[str, str]) -> dict[str, str]:
    """Read tags as `packed` or an earlier release has written them."""
    details: dict[str, str] = {}
    with suppress(ValueError, AttributeError):  # somebody has edited it
        details = {f"naga.{name}": str(value) for name, value in json.loads(tags.get(Tag.DETAILS, "{}")).items()}
    return {**details, **{name: value for name, value in tags.items() if name != Tag.DETAILS}}


def generation_of(tags: Mapping[str, str]) -> int:
    """Read the generation of a publication; 0 where somebody has written something else there."""
    text = tags.get(Tag.GENERATION, "")
    return int(text) if text.isdecimal() and len(text) < 10 else 0


class Status:
    """Values of ``naga.run_status``."""

    PENDING = "pending"  # being published, or left behind by a process that died
    ACTIVE = "active"  # the newest of its logical run
    DEPRECATED = "deprecated"  # superseded
    FAILED = "failed"  # its diag raised
    ABANDONED = "abandoned"  # its process died
