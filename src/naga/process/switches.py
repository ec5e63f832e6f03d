"""The switches of snapshots: ``NAGA_SNAPSHOT`` for all, ``NAGA_CELLS`` for code that is in no file."""

import os
import sys

from naga.errors import UsageError

_WORDS = {"": None, "1": True, "on": True, "yes": True, "0": False, "off": False, "no": False}


def why_off() -> str | None:
    """Say why no snapshots are made; runs of tests need none, since no one reads them again."""
    switched = _switched("NAGA_SNAPSHOT")
    if switched is False:
        return f"NAGA_SNAPSHOT={os.environ['NAGA_SNAPSHOT']}"
    in_test = "PYTEST_CURRENT_TEST" in os.environ and "_pytest" in sys.modules
    return "under pytest there are no snapshots (NAGA_SNAPSHOT=on makes them)" if in_test and not switched else None


def why_no_cells(*, declared: bool) -> str | None:
    """Say why the code that is in no file is left out."""
    if not declared:
        return "left out by @snapshot(cells=False)"
    return None if _switched("NAGA_CELLS") is not False else f"left out by NAGA_CELLS={os.environ['NAGA_CELLS']}"


def require_switches() -> None:
    """Refuse an unknown value of a switch, before anything is written."""
    for name in ("NAGA_SNAPSHOT", "NAGA_CELLS"):
        _switched(name)


def _switched(name: str) -> bool | None:
    word = os.environ.get(name, "")
    if word.lower() not in _WORDS:
        raise UsageError(f"{name}={word}: neither on nor off", hint=f"{name}=off")
    return _WORDS[word.lower()]
