"""Which run a diag is about, and what its function is given."""

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from naga.config.plain import differing_keys, plain_config
from naga.config.recorded import same_secrets
from naga.config.upgrade import Upgraded
from naga.declarations import PathOf, Upgrade
from naga.diagnose.reading import read_run
from naga.errors import ConfigError, DiagError, UnfinishedRunError
from naga.frozen import dataclass
from naga.layout import CONSOLE_LOG, LOCK_NAME
from naga.record.opener import is_inside
from naga.runs.find import Run, load_run
from naga.terminal import say

_LOGS = ("experiment.log", CONSOLE_LOG)
_LARGEST_LOG = 2**30
_UNFINISHED = {
    "running": "wait for it to finish",
    "failed": "run it again",
    "killed": "run it again",
    "lost": "its process is gone: run it again",
}


@dataclass(frozen=True, slots=True)
class Target:
    """What one call of a diag is about; ``config`` is what its function is given."""

    run: Run
    config: Any
    log: Path | None
    reading: Upgraded


def target_of(
    fn: Callable[..., Any],
    given: Any,
    *,
    run_lock_path: PathOf,
    log_file_path: PathOf,
    allow_unfinished: bool,
    upgrade: Upgrade | None,
) -> Target:
    """Find the run that a diag is called with."""
    if isinstance(given, Run | str | os.PathLike):
        run = given if isinstance(given, Run) else load_run(given)
        reading = read_run(run, fn, upgrade)
        config = reading.value
    else:
        plain, reading = plain_config(given), Upgraded(value=given)
        run = load_run(_lock_path(fn, given, plain, run_lock_path))
        config = given
        with suppress(ConfigError):  # of a run that today's code cannot read, the caller gives the configuration
            reading = read_run(run, fn, upgrade)
        _warn_of_drift(plain, run, reading)
    if run.status != "finished" and not allow_unfinished:
        raise UnfinishedRunError(
            f"run {run.run_id} in '{run.save_dir}' has not finished: it is {run.status}",
            hint=f"{_UNFINISHED[run.status]}; or @mlflow_log_run(allow_unfinished=True)",
        )
    return Target(run, config, _log(run, config, log_file_path), reading)


def _lock_path(fn: Callable[..., Any], given: Any, plain: Mapping[Any, Any], path: PathOf) -> Path:
    if path is not None:
        return _path(path, given)
    save_dir = plain.get("save_dir")
    if given is None:
        raise DiagError(
            f"'{fn.__name__}' was called with None, as a main without a return gives it",
            hint="end main with: return cfg",
        )
    if not isinstance(save_dir, str):
        raise DiagError(
            f"'{fn.__name__}' was called with {type(given).__name__!r}, which has no save_dir",
            hint=f"{fn.__name__}(cfg), {fn.__name__}('results/my_run'), or @mlflow_log_run(run_lock_path=...)",
        )
    return Path(save_dir, LOCK_NAME)


def _path(path: Any, config: Any) -> Path:
    return Path(path(config) if callable(path) else path)


def _warn_of_drift(plain: Mapping[Any, Any], run: Run, reading: Upgraded) -> None:
    recorded = [config for config in (run.record.config, run.record.config_end, plain_config(reading.value)) if config]
    changed = [differing_keys(_placed(config, run), _placed(same_secrets(plain, config), run)) for config in recorded]
    if changed and all(changed):
        say(
            f"warning: the configuration given differs from the one in '{run.lock_path}', which is published: "
            f"{', '.join(changed[0])}"
        )


def _placed(config: Mapping[Any, Any], run: Run) -> Mapping[Any, Any]:
    """Give every spelling of the run's own folder the same form."""
    written = config.get("save_dir")
    if not isinstance(written, str):
        return config
    is_here = written == run.record.save_dir or Path(written).resolve() == run.save_dir.resolve()
    return {**config, "save_dir": str(run.save_dir)} if is_here else config


def _log(run: Run, config: Any, path: PathOf) -> Path | None:
    if path is None:
        logs = (run.save_dir / name for name in _LOGS)
        # A link could lead to what its owner never meant to publish.
        found = next((log for log in logs if log.is_file() and is_inside(run.save_dir, log)), None)
        if found is None or found.stat().st_size <= _LARGEST_LOG:
            return found
        most = f"{_LARGEST_LOG >> 30} GiB"
        say(f"warning: '{found}' is larger than {most}: it is not published, unless log_file_path names it")
        return None
    log = _path(path, config)
    if log.is_file() and os.access(log, os.R_OK):
        return log
    say(f"warning: there is no log '{log}': it is not published")
    return None
