"""The switch of snapshots: ``NAGA_SNAPSHOT=off`` for continuous integration, ``on`` under pytest."""

import os
import sys

from naga.errors import UsageError


def why_off() -> str | None:
    """Say why no snapshots are made; the runs of a test are no runs that anybody reads again."""
    word = os.environ.get("NAGA_SNAPSHOT", "").lower()
    if word in ("1", "on", "yes"):
        return None
    if word in ("0", "off", "no"):
        return f"NAGA_SNAPSHOT={word}"
    if word:
        raise UsageError(f"NAGA_SNAPSHOT={word}: neither on nor off", hint="NAGA_SNAPSHOT=off")
    in_test = "PYTEST_CURRENT_TEST" in os.environ and "_pytest" in sys.modules
    return "under pytest there are no snapshots (NAGA_SNAPSHOT=on makes them)" if in_test else None
