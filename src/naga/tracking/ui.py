"""Where to look at publications."""

import os
import shlex
from operator import attrgetter
from pathlib import Path
from urllib.parse import quote

from naga.errors import DiagError
from naga.project import project_root
from naga.tracking.experiment import configured_experiment, experiment_by_number
from naga.tracking.mlflow_errors import answering_soon, in_one_line
from naga.tracking.mlflow_settings import quiet
from naga.tracking.published_runs import newest_published
from naga.tracking.store import known_store, local_file, shown_uri
from naga.tracking.tags import Status, Tag

_LOCAL = "http://127.0.0.1:5000"


def active_view(server: str, experiment_id: str) -> str:
    """Return the address of MLflow's table of an experiment that shows only the active runs.

    Examples
    --------
    >>> active_view("http://tracker:5000", "7")
    'http://tracker:5000/#/experiments/7/runs?workflowType=machine_learning&searchFilter=tags.%22naga.run_status%22%20%3D%20%27active%27'
    """
    wanted = quote(f"tags.\"{Tag.STATUS}\" = '{Status.ACTIVE}'", safe=".")
    # Without the type of workflow, MLflow would open on traces.
    return (
        f"{server.rstrip('/')}/#/experiments/{experiment_id}/runs?workflowType=machine_learning&searchFilter={wanted}"
    )


def how_to_view(start: Path, experiment: str | None = None) -> tuple[str, ...]:
    """Return what to type and which address to open, to see the active runs."""
    with known_store(start) as uri:
        if uri is None:
            raise DiagError(f"nothing has been published from '{project_root(start)}' yet", hint="diag(main())")
        experiment_id = _experiment_id(uri, experiment or configured_experiment(start))
        if uri.startswith(("http://", "https://")):
            return (active_view(shown_uri(uri), experiment_id),)
        return (f"mlflow ui --backend-store-uri {shlex.quote(uri)}", active_view(_LOCAL, experiment_id))


def _experiment_id(uri: str, said: str | None) -> str:
    """Return the experiment that somebody has named; else, of a local store, the one of the newest publication."""
    is_asked = said is None and "MLFLOW_EXPERIMENT_ID" not in os.environ and local_file(uri) is not None
    if is_asked and (published := newest_published(uri).values()):
        return max(published, key=attrgetter("start_time")).experiment_id
    said = said or experiment_by_number()
    if said.isdecimal():
        return said
    import mlflow

    what = f"MLflow at '{shown_uri(uri)}' cannot be asked for experiment '{said}'"
    with in_one_line(what, "--experiment takes an id, too"), answering_soon(), quiet():
        found = mlflow.MlflowClient(uri).get_experiment_by_name(said)
    if found is None:
        raise DiagError(f"there is no experiment '{said}' in MLflow at '{shown_uri(uri)}'", hint="--experiment NAME")
    return str(found.experiment_id)
