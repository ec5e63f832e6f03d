"""Which experiment a publication goes to: what the script, the environment and the project say, in this order."""

from pathlib import Path

import mlflow
import pytest
from integration.diagnose.publications import Store, copy_store

from naga.errors import TrackerError
from naga.tracking import experiment
from naga.tracking.experiment import (
    active_experiment,
    configured_experiment,
    experiment_by_number,
    experiment_named,
    name_of_active,
    remember_active,
)
from naga.tracking.tags import Tag, packed

HINT = '[tool.naga] experiment = "vision"'


def say_in_project(project: Path, value: str) -> None:
    """Name an experiment in pyproject.toml, as TOML."""
    (project / "pyproject.toml").write_text(f"[tool.naga]\nexperiment = {value}\n")


def test_what_the_project_says(project: Path) -> None:
    """Its pyproject.toml, from wherever below it is asked; nothing where there is none, or nothing in it."""
    (project / "code").mkdir()
    assert configured_experiment(project) is None
    say_in_project(project, '"vision"')
    assert configured_experiment(project / "code") == "vision"
    (project / "pyproject.toml").unlink()
    (project / ".git").touch()
    assert configured_experiment(project) is None


@pytest.mark.parametrize("value", ['""', '"  "', "3", "[]", "false", "{}"])
def test_what_is_no_name(project: Path, value: str) -> None:
    """It is refused with the file and the value."""
    say_in_project(project, value)
    with pytest.raises(TrackerError, match="is not a name") as caught:
        configured_experiment(project)
    assert str(project / "pyproject.toml") in caught.value.message
    assert caught.value.hint == HINT


@pytest.mark.parametrize("text", ["[tool.naga", "tool = 3", "[tool]\nnaga = 'x'", "\udcff"])
def test_a_file_that_cannot_be_read(project: Path, text: str) -> None:
    """Broken TOML, another shape and other bytes: one line, and how it is written."""
    (project / "pyproject.toml").write_text(text, errors="surrogateescape")
    with pytest.raises(TrackerError, match="cannot be read: ") as caught:
        configured_experiment(project)
    assert caught.value.hint == HINT
    (project / "pyproject.toml").unlink()
    (project / "pyproject.toml").mkdir()
    (project / ".git").touch()
    with pytest.raises(TrackerError, match="cannot be read: "):
        configured_experiment(project)


def test_the_environment_comes_before_the_project(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name of the environment counts; where it gives an id, or none, no name does."""
    say_in_project(project, '"vision"')
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "said")
    assert configured_experiment(project) == "said"
    assert experiment_by_number() == "0"
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", "7")
    assert configured_experiment(project) is None
    assert experiment_by_number() == "7"


def test_the_script_comes_before_all(store: Store, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`mlflow.set_experiment` and a run that is active are left to MLflow."""
    monkeypatch.delenv("MLFLOW_EXPERIMENT_ID")
    say_in_project(project, '"vision"')
    with mlflow.start_run(experiment_id=store.experiment_id):
        assert active_experiment() is None
        assert configured_experiment(project) is None
    assert configured_experiment(project) == "vision"
    mlflow.set_experiment(experiment_id=store.experiment_id)
    assert active_experiment() == store.experiment_id
    assert configured_experiment(project) is None


def test_the_name_counts_in_another_store(
    store: Store, project: Path, migrated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A number of one store means nothing in another, unless it was set while MLflow used that."""
    monkeypatch.setattr(experiment, "_known", {})
    other = copy_store(migrated, project)
    assert name_of_active(other) is None
    remember_active(other)
    assert experiment._known == {}
    mlflow.set_experiment(experiment_id=store.experiment_id)
    assert name_of_active(store.uri) is None
    assert name_of_active(other) == name_of_active("http://a") == name_of_active("tracker://z") == str(project)
    with mlflow.start_run():
        assert name_of_active(other) is None
    remember_active(store.uri)
    assert name_of_active(other) == str(project)
    remember_active(other)
    assert name_of_active(other) is None


def test_found_or_made(store: Store) -> None:
    """An experiment of that name is used; where there is none it is made, once."""
    assert experiment_named(store.client, str(Path.cwd())) == store.experiment_id
    made = experiment_named(store.client, "new")
    assert experiment_named(store.client, "new") == made
    assert store.client.get_experiment(made).name == "new"


def test_made_by_another_meanwhile(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who comes second uses what the first has made; a name that MLflow refuses is its error."""
    client, made = store.client, list[str]()
    look, create = client.get_experiment_by_name, client.create_experiment

    def late(name: str) -> object:
        found = look(name)
        if not made:
            made.append(create(name))
        return found

    with monkeypatch.context() as patch:
        patch.setattr(client, "get_experiment_by_name", late)
        assert experiment_named(client, "both") == made[0]
    with pytest.raises(mlflow.MlflowException, match="name"):
        experiment_named(client, "")


def test_deleted(store: Store) -> None:
    """One that is deleted is refused with the command that restores it, by its number."""
    number = store.client.create_experiment("gone")
    store.client.delete_experiment(number)
    with pytest.raises(TrackerError, match="the MLflow experiment 'gone' is deleted") as caught:
        experiment_named(store.client, "gone")
    assert caught.value.hint == f"mlflow experiments restore --experiment-id {number}, or name another experiment"
    store.client.restore_experiment(number)
    assert experiment_named(store.client, "gone") == number
    store.client.rename_experiment(number, "was gone")


def publish(store: Store, experiment_id: str, name: str, start_time: int) -> None:
    """Leave an MLflow run that says which experiment its user named."""
    tags = packed({Tag.LOGICAL_KEY: "k", Tag.EXPERIMENT: name})
    store.client.create_run(experiment_id, start_time=start_time, tags=tags)


def test_renamed(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    """Where the experiment has another name by now, the newest that runs of this name were published to is used."""
    ids = [store.client.create_experiment(f"{store.experiment_id} {number}") for number in range(3)]
    for number, begun in zip(ids, (1000, 3000, 2000), strict=True):
        publish(store, number, "it's 50% done", begun)
    publish(store, ids[2], "it's 50 % done", 9000)  # another name
    assert experiment_named(store.client, "it's 50% done") == ids[1]
    said = f"the MLflow experiment 'it's 50% done' is called '{store.experiment_id} 1' now: publishing there"
    assert said in capsys.readouterr().err
    assert experiment_named(store.client, "it-s 50% done") not in ids
