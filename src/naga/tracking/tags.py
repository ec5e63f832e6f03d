"""The names that Naga writes into MLflow, and what they mean."""

from collections.abc import Mapping


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
    DIAG = "naga.diag"  # file:function
    DIAG_ARGUMENTS = "naga.diag_arguments"  # besides the configuration, as JSON
    DIAG_CODE = "naga.diag_code"  # "recorded" where it ran with the code of its run
    CONFIG_FILLED = "naga.config_filled"  # JSON: what the diag was given and no run.lock holds, and why
    TAGS = "naga.tags"  # what `naga tag` said of the run, with commas between
    DIAG_DIR = "naga.diag_dir"  # where in the run's folder its files lie
    PLACE = "naga.place"  # where the folder lies: host:path
    EXPERIMENT = "naga.experiment"  # its experiment as the user named it, who may rename it in MLflow later
    OWNER = "naga.owner"  # the process that publishes
    NOTE = "mlflow.note.content"  # MLflow's own: the description
    NAME = "mlflow.runName"  # MLflow's own


def generation_of(tags: Mapping[str, str]) -> int:
    """Read the number of a publication; 0 where somebody has written something else there."""
    text = tags.get(Tag.GENERATION, "")
    return int(text) if text.isdecimal() and len(text) < 10 else 0


class Status:
    """Values of ``naga.run_status``."""

    PENDING = "pending"  # being published, or left behind by a process that died
    ACTIVE = "active"  # the newest of its logical run
    DEPRECATED = "deprecated"  # superseded
    FAILED = "failed"  # its diag raised
    ABANDONED = "abandoned"  # its process died
