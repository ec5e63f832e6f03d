"""Using a finished run in place of computing a new one."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from naga.config.compose import Resolved
from naga.config.declared import Declared
from naga.config.plain import differing_keys, plain_config
from naga.config.recorded import reveal, same_secrets, with_secrets
from naga.config.upgrade import config_digest, declared_past, read_recorded
from naga.declarations import Former
from naga.errors import SaveDirError
from naga.frozen import dataclass
from naga.layout import LOCK_NAME
from naga.process.entry_point import is_called
from naga.runs.find import Run, load_run
from naga.secrets import redacted_keys
from naga.terminal import say


@dataclass(frozen=True, slots=True)
class Reuse:
    """A finished run that is used in place of a new one: its folder, and its configuration.

    ``config`` is of the kind that the function declares, ``plain`` as recorded.
    """

    config: Any
    plain: dict[Any, Any]
    save_dir: Path


def finished_run(config: Resolved) -> Run | None:
    """Return the finished run in the save_dir of a configuration, if there is one."""
    if config.save_dir is None or not (config.save_dir / LOCK_NAME).exists():
        return None
    run = load_run(config.save_dir)
    return run if run.status == "finished" else None


def reuse_same(declared: Declared | None, former: Former | None, run: Run, config: Resolved) -> Reuse:
    """Use a finished run of the same configuration in place of a new one; refuse one of another configuration."""
    reading = read_recorded(declared, run.record.config, run.save_dir, former=former, run=run)
    then, now = plain_config(reading.value) | {"save_dir": run.record.save_dir}, config.plain
    before = {key: one.before for key, one in declared_past(declared, former).items()} if declared else {}
    # Today's default may not be what the code did before the key existed; and a removed key may have had an effect.
    unknown = [*(key for key, one in reading.filled.items() if one.why == "default"), *reading.removed]
    if unknown or config_digest(then, before) != config_digest(same_secrets(now, then), before):
        different = dict.fromkeys([*unknown, *differing_keys(then, same_secrets(now, then))])
        raise SaveDirError(
            f"the finished run in '{run.save_dir}' had another configuration ({', '.join(different)})",
            hint="--existing archive moves it aside and computes again",
        )
    say(f"not computing: '{run.save_dir}' holds the finished run {run.run_id}")
    return _stands_for(declared, former, run, with_secrets(run.record.config, config.plain))


def reuse_named(
    declared: Declared | None, former: Former | None, run: Run, task: str, overrides: Sequence[str]
) -> Reuse:
    """Use the run that ``--reuse`` names."""
    recorded = reveal(run.record.config, overrides)
    if run.record.task != task and not (former and any(is_called(run.record.task, name) for name in former.tasks)):
        say(f"warning: run {run.run_id} is of the task {run.record.task}, not {task}")
    say(f"not computing: using run {run.run_id} ({run.save_dir})")
    return _stands_for(declared, former, run, recorded)


def _stands_for(declared: Declared | None, former: Former | None, run: Run, recorded: Mapping[Any, Any]) -> Reuse:
    config = read_recorded(declared, recorded, run.save_dir, former=former, run=run).value
    unknown = redacted_keys(plain_config(config))
    if keys := [".".join(map(str, keys)) for keys in redacted_keys(recorded) if keys not in unknown]:
        say(f"{', '.join(keys)} of run {run.run_id}: redacted in its run.lock, so what is declared now is used")
    warn_of_unknown_secrets(config, run)
    return Reuse(config, dict(recorded), run.save_dir)


def warn_of_unknown_secrets(config: Any, run: Run) -> None:
    """Warn of values of a recorded configuration that were redacted and are still unknown."""
    keys = [".".join(map(str, keys)) for keys in redacted_keys(plain_config(config))]
    if keys:
        say(f"warning: {', '.join(keys)} of run {run.run_id}: redacted in its run.lock, and not declared here")
