"""Points as tasks of Dask: on the cluster of a scheduler's address, or on one of this machine."""

import time
from collections.abc import Mapping
from typing import Any

from naga.errors import NagaError, UsageError
from naga.launch import Launch
from naga.launch.executor import Through


def dask(options: Mapping[str, str], how: Launch) -> Through:
    """Connect to ``address``, or start one worker for each point that runs at once."""
    try:
        from distributed import Client
    except ImportError:
        raise UsageError("--launcher dask needs distributed", hint="pip install 'naga-runs[dask]'") from None
    if unknown := sorted(options.keys() - {"address"}):
        raise UsageError(f"--launcher dask has no option '{unknown[0]}'", hint="-l address=tcp://HOST:8786")
    place = options.get("address", "a cluster of this machine")
    where: dict[str, Any] = dict(options) or {"n_workers": how.jobs, "threads_per_worker": 1, "dashboard_address": None}
    try:
        client: Any = Client(timeout=10, **where)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        raise NagaError(f"Dask does not answer at {place}: {error}", hint="dask scheduler prints its address") from None

    def gone() -> str:
        while client.status == "connecting":  # again: it succeeds, or gives up after the timeout
            time.sleep(0.2)
        return "" if client.status == "running" else f"Dask no longer answers at {place}"

    # Not pure: two points that look alike to Dask are two points.
    return Through(client.get_executor(pure=False), timeout=how.timeout, close=client.close, gone=gone)
