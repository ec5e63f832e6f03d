"""Where to look at what was published."""

import shlex
from pathlib import Path
from urllib.parse import quote

from naga.diagnose.store import require_mlflow, shown_uri, tracking_store
from naga.diagnose.tags import Status, Tag

__all__ = ["active_view", "how_to_view"]

_LOCAL = "http://127.0.0.1:5000"


def active_view(server: str, experiment_id: str) -> str:
    """Give the address of MLflow's table of an experiment that shows the active pages alone.

    Examples
    --------
    >>> active_view("http://tracker:5000", "7")
    'http://tracker:5000/#/experiments/7/runs?workflowType=machine_learning&searchFilter=tags.%22naga.run_status%22%20%3D%20%27active%27'
    """
    wanted = quote(f"tags.\"{Tag.STATUS}\" = '{Status.ACTIVE}'", safe=".")
    # Without the type of workflow, the page would open on traces.
    return (
        f"{server.rstrip('/')}/#/experiments/{experiment_id}/runs?workflowType=machine_learning&searchFilter={wanted}"
    )


def how_to_view(start: Path, experiment_id: str = "0") -> tuple[str, ...]:
    """Say what to type and which address to open, to see the active pages.

    Parameters
    ----------
    start : Path
        A folder of the project, whose own store is meant where no tracking URI is configured.
    experiment_id : str
        Default: MLflow's default experiment.

    Returns
    -------
    tuple of str
        A command, where no server runs yet; then the address.
    """
    require_mlflow()
    with tracking_store(start) as uri:
        if uri.startswith(("http://", "https://")):
            return (active_view(shown_uri(uri), experiment_id),)
        return (f"mlflow ui --backend-store-uri {shlex.quote(uri)}", active_view(_LOCAL, experiment_id))
