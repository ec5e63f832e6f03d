"""The options of a pass over many runs, and the outcome of each run."""

from pathlib import Path

from naga.config.upgrade import Upgraded
from naga.frozen import dataclass

KINDS = ("published", "previewed", "readable", "unchanged", "skipped", "failed", "left")


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchOptions:
    """What a pass does with each run.

    ``uri`` is the store to publish to whatever the script says; empty for the usual one. ``scratch`` is a folder for a
    throw-away store where nothing is to be published. ``check`` only reads the configurations, as the diag
    would be given them. ``only_stale`` leaves out runs whose MLflow run is fresh.
    """

    script: Path
    function: str = ""
    only_stale: bool = False
    strict: bool = False
    recorded: bool = False
    uri: str = ""
    scratch: Path | None = None
    check: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What a preview shows: each metric's former and new value, None for none; artifacts added and removed."""

    before: str  # the name of the MLflow run that it is compared with; empty for none
    metrics: tuple[tuple[str, float | None, float | None], ...] = ()
    new: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one run: a word of `KINDS`, why, and what its diag printed; ``lost`` if MLflow was unreachable.

    ``reading`` says how its configuration was read, without the configuration itself; ``misfit`` names what of it does
    not fit today's, alike for all runs of which the same does not.
    """

    save_dir: Path
    kind: str
    reason: str = ""
    printed: str = ""
    lost: bool = False
    difference: Difference | None = None
    reading: Upgraded | None = None
    misfit: str = ""
