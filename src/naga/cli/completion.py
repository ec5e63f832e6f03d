"""What a shell completes: commands and options, runs, and the keys that runs have."""

import argparse
from collections.abc import Iterator
from pathlib import Path

from naga.paths import near
from naga.runs.filter import COLUMNS, keys_of_all
from naga.runs.find import each_run

_OF_RUNS = ("RUN", "RUN... +NAME -NAME", "ROOT|RUN")
_OF_KEYS = ("KEY,...", "[-]KEY")


def complete(parser: argparse.ArgumentParser) -> None:
    """Answer the shell through argcomplete, if that is installed, and end the process."""
    try:
        import argcomplete
    except ImportError:
        return
    for action in _actions(parser):
        if action.metavar in _OF_RUNS:
            action.completer = runs  # type: ignore[attr-defined]  # as argcomplete asks
        elif action.metavar in _OF_KEYS:
            action.completer = keys  # type: ignore[attr-defined]
    argcomplete.autocomplete(parser)


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    for action in parser._actions:  # noqa: SLF001  # argparse has no other way to them
        yield action
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            for command in action.choices.values():
                yield from _actions(command)


def runs(prefix: str, **_: object) -> list[str]:
    """Offer the folders of runs below the current one, and run_ids."""
    found = list(each_run(Path.cwd()))
    names = [*(near(run.save_dir) for run in found), *(run.run_id for run in found)]
    return [name for name in names if name.startswith(prefix)]


def keys(prefix: str, **_: object) -> list[str]:
    """Offer columns: the last one of a list with commas."""
    before, comma, last = prefix.rpartition(",")
    found = list(each_run(Path.cwd()))
    return [f"{before}{comma}{key}" for key in (*COLUMNS, *keys_of_all(found)) if key.startswith(last)]
