"""A finished run that stands for the one that was asked for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from naga.config.compose import Resolved
from naga.config.declared import Declared
from naga.config.plain import differing_keys, plain_config
from naga.config.recorded import rebuild, reveal, same_secrets, with_secrets
from naga.errors import SaveDirError
from naga.layout import LOCK_NAME
from naga.runs.find import Run, load_run
from naga.secrets import redacted_keys
from naga.terminal import say


@dataclass(frozen=True, slots=True)
class Reuse:
    """A finished run that stands for the one that was asked for: where it is, and what its configuration was.

    ``config`` is of the kind that the function declares, ``plain`` as recorded.
    """

    config: Any
    plain: dict[Any, Any]
    save_dir: Path


def finished_run(config: Resolved) -> Run | None:
    """Give the finished run that lies in the save_dir of a configuration."""
    if config.save_dir is None or not (config.save_dir / LOCK_NAME).exists():
        return None
    run = load_run(config.save_dir)
    return run if run.status == "finished" else None


def reuse_same(declared: Declared | None, run: Run, config: Resolved) -> Reuse:
    """Use a finished run in place of a new one of the same configuration; refuse one of another."""
    now = same_secrets(config.plain, run.record.config)
    if different := differing_keys(same_secrets(run.record.config, now), now):
        raise SaveDirError(
            f"the finished run in '{run.save_dir}' had another configuration ({', '.join(different)})",
            hint="--existing archive moves it aside and computes again",
        )
    say(f"not computing: '{run.save_dir}' holds the finished run {run.run_id}")
    return _stands_for(declared, run, with_secrets(run.record.config, config.plain))


def reuse_named(declared: Declared | None, run: Run, task: str, overrides: Sequence[str]) -> Reuse:
    """Use the run that ``--reuse`` names."""
    recorded = reveal(run.record.config, overrides)
    if run.record.task != task:
        say(f"warning: run {run.run_id} is of the task {run.record.task}, not {task}")
    say(f"not computing: using run {run.run_id} ({run.save_dir})")
    return _stands_for(declared, run, recorded)


def _stands_for(declared: Declared | None, run: Run, recorded: Mapping[Any, Any]) -> Reuse:
    config = rebuild(declared, recorded, run.save_dir)
    unknown = redacted_keys(plain_config(config))
    if keys := [".".join(map(str, keys)) for keys in redacted_keys(recorded) if keys not in unknown]:
        say(
            f"warning: {', '.join(keys)} of run {run.run_id}: redacted in its run.lock, so what is declared now is used"
        )
    warn_of_unknown_secrets(config, run)
    return Reuse(config, dict(recorded), run.save_dir)


def warn_of_unknown_secrets(config: Any, run: Run) -> None:
    """Say which values of a recorded configuration were redacted and could not be found again."""
    keys = [".".join(map(str, keys)) for keys in redacted_keys(plain_config(config))]
    if keys:
        say(f"warning: {', '.join(keys)} of run {run.run_id}: redacted in its run.lock, and not declared here")
