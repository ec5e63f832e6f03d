"""The experiment that a publication goes to: the same for every run, however the user has named it."""

import os
import re
import tomllib
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING

from naga.errors import TrackerError
from naga.project import project_root
from naga.terminal import say
from naga.tracking.published_runs import search
from naga.tracking.tags import Tag

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Experiment

_known: dict[tuple[str, str], str] = {}  # ids that `set_experiment` has given, by the store that it asked


def active_experiment() -> str | None:
    """Return the id of the experiment that ``mlflow.set_experiment`` has set in this process."""
    from mlflow.tracking import fluent

    return fluent._active_experiment_id  # noqa: SLF001  # MLflow has no public way to ask


def name_of_active(uri: str) -> str | None:
    """Name the experiment that the script has set, where MLflow looked for it in another store than ``uri``.

    Without a tracking URI, ``mlflow.set_experiment`` at the top of a script asks the store of the current folder. A
    number means another experiment in every store, so the name counts.
    """
    import mlflow

    number, asked = active_experiment(), mlflow.get_tracking_uri()
    if number is None or asked == uri or _known.get((uri, number)) or mlflow.active_run() is not None:
        return None
    return str(mlflow.MlflowClient(asked).get_experiment(number).name)


def remember_active(uri: str) -> None:
    """Note that the active experiment was set while MLflow used this store."""
    if (number := active_experiment()) is not None:
        _known[uri, number] = number


def configured_experiment(start: Path) -> str | None:
    """Return the name set by the environment or the project; a script's setting, or an id, is left to MLflow."""
    import mlflow

    if active_experiment() or mlflow.active_run() is not None or os.environ.get("MLFLOW_EXPERIMENT_ID"):
        return None
    return os.environ.get("MLFLOW_EXPERIMENT_NAME") or _of_project(project_root(start) / "pyproject.toml")


def experiment_by_number() -> str:
    """Return the id of the experiment to publish to where none is named."""
    return os.environ.get("MLFLOW_EXPERIMENT_ID") or "0"


def _of_project(file: Path) -> str | None:
    try:
        said = tomllib.loads(file.read_text(encoding="utf-8")).get("tool", {}).get("naga", {}).get("experiment")
    except FileNotFoundError:
        return None
    except (OSError, ValueError, AttributeError) as error:
        raise TrackerError(f"'{file}' cannot be read: {error}", hint='[tool.naga] experiment = "vision"') from error
    if said is not None and (not isinstance(said, str) or not said.strip()):
        raise TrackerError(f"'{file}': experiment = {said!r} is not a name", hint='[tool.naga] experiment = "vision"')
    return said


def experiment_named(client: "MlflowClient", name: str) -> str:
    """Find the experiment of a name, or the one that had it when earlier runs were published there, or make it."""
    from mlflow.exceptions import MlflowException

    found = client.get_experiment_by_name(name) or _renamed(client, name)
    if found is None:
        try:
            return str(client.create_experiment(name))
        except MlflowException:  # another process has made it a moment ago
            found = client.get_experiment_by_name(name)
            if found is None:
                raise
    if found.lifecycle_stage == "deleted":
        hint = f"mlflow experiments restore --experiment-id {found.experiment_id}, or name another experiment"
        raise TrackerError(f"the MLflow experiment '{name}' is deleted", hint=hint)
    return str(found.experiment_id)


def _renamed(client: "MlflowClient", name: str) -> "Experiment | None":
    pattern = re.sub(r"[^\w .-]", "%", name)  # MLflow's filters cannot express every name
    similar = search(client, f"tags.`{Tag.DETAILS}` LIKE '%{pattern}%'")
    earlier = [entry for entry in similar.values() if entry.tags.get(Tag.EXPERIMENT) == name]
    if not earlier:
        return None
    newest = max(earlier, key=attrgetter("start_time"))
    found = client.get_experiment(newest.experiment_id)
    say(f"the MLflow experiment '{name}' is called '{found.name}' now: publishing there")
    return found
