"""One MLflow run from its first write to the last: what MLflow holds afterwards."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import mlflow
import pytest
from integration.diagnose.publications import Store
from mlflow import MlflowException
from mlflow.protos.databricks_pb2 import INTERNAL_ERROR, TEMPORARILY_UNAVAILABLE

from naga.process.identity import is_alive
from naga.record.schema import Process
from naga.tracking.open_run import OpenRun, open_run
from naga.tracking.publication import Dataset, Publication
from naga.tracking.tags import Status, Tag, unpacked

PLACE = {Tag.PLACE: "host:/p/a", Tag.FOLDER: "7:/p/a"}


@pytest.fixture(params=["", "?timeout=5"], ids=["its file", "MLflow"])
def store(store: Store, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Store:
    """The store, whose publications are read from its file, or through MLflow as those of a server are."""
    store.uri += request.param
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store.uri)
    return store


def publication(run_id: str = "r1", **changes: Any) -> Publication:
    """A publication of a run in the folder ``a``."""
    tags = {Tag.LOGICAL_KEY: "k", Tag.RUN_ID: run_id, Tag.STATUS: Status.PENDING, **PLACE}
    mine = Publication(
        name="a",
        key="k",
        run_id=run_id,
        former=frozenset(),
        archived=False,
        tags=tags,
        params=(),
        artifacts=(),
        datasets=(),
    )
    return replace(mine, **changes)


def publish(store: Store, mine: Publication, *, reserved: int = 0) -> str:
    """Publish it, with nothing that a diag logs; give its id in MLflow."""
    return open_run(mine, store.uri).succeed(reserved=reserved).run_id


def tags_of(store: Store, run_id: str) -> dict[str, str]:
    """Its tags as MLflow holds them now."""
    return unpacked(store.client.get_run(run_id).data.tags)


def test_what_is_known_is_written_at_once(store: Store, project: Path) -> None:
    """Parameters, files, inputs and tags are there before the diag's body runs."""
    file = project / "run.lock"
    file.write_text("lock")
    data = Dataset(name="data", digest="d" * 8, source="{}", profile="{}")
    mine = publication(params=({"a": "1"}, {"b": "2"}), artifacts=(file,), datasets=(data, replace(data, name="more")))
    run = open_run(mine, store.uri)
    run.write()
    assert run.experiment_id == store.experiment_id
    (found,) = store.runs()
    assert found.info.status == "RUNNING"
    assert found.data.params == {"a": "1", "b": "2"}
    assert [one.path for one in store.client.list_artifacts(found.info.run_id)] == ["run.lock"]
    assert found.inputs is not None
    assert sorted(one.dataset.name for one in found.inputs.dataset_inputs) == ["data", "more"]
    assert {tag.value for one in found.inputs.dataset_inputs for tag in one.tags} == {"input"}
    assert Tag.EXPERIMENT not in unpacked(found.data.tags)
    run.discard()
    assert store.runs() == []
    (found,) = store.runs(deleted=True)
    assert (found.info.status, found.data.tags[Tag.STATUS]) == ("FAILED", Status.FAILED)


def test_in_an_experiment_of_a_name(store: Store) -> None:
    """Which is noted: somebody may rename it."""
    name = f"other {store.experiment_id}"
    ended = open_run(publication(), store.uri, name).succeed(reserved=0)
    found = store.client.get_experiment_by_name(name)
    assert found is not None
    assert ended.experiment_id == found.experiment_id
    assert tags_of(store, ended.run_id)[Tag.EXPERIMENT] == name


def test_data_sets_that_another_process_adds_meanwhile(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """MLflow writes none of them where one has just been added: as many times as there are data sets it is repeated."""
    refused: list[int] = []
    data = Dataset(name="data", digest="d" * 8, source="{}", profile="{}")
    log_inputs = mlflow.MlflowClient.log_inputs

    def refuse(times: int) -> None:
        refused.clear()

        def log(self: Any, *words: Any, **more: Any) -> None:
            if len(refused) < times:
                refused.append(1)
                raise MlflowException("UNIQUE constraint failed")
            log_inputs(self, *words, **more)

        monkeypatch.setattr(mlflow.MlflowClient, "log_inputs", log)

    refuse(1)
    run = open_run(publication(datasets=(data,)), store.uri)
    run.write()
    assert refused == [1]
    (found,) = store.runs()
    assert found.inputs is not None
    assert len(found.inputs.dataset_inputs) == 1
    refuse(2)
    with pytest.raises(MlflowException, match="UNIQUE"):
        run.write()
    run.fail()


def test_numbers_and_links(store: Store) -> None:
    """Each is one above the former, supersedes it, and is linked both ways; the number is known beforehand."""
    first = publish(store, publication())
    assert tags_of(store, first)[Tag.NAME] == "a #1"
    assert Tag.SUPERSEDES not in tags_of(store, first)
    second = publish(store, publication())
    run = open_run(publication(), store.uri)
    assert run.next_generation() == 3
    third = run.succeed(reserved=0)
    assert third.status == Status.ACTIVE
    for former, later in ((first, second), (second, third.run_id)):
        assert tags_of(store, former)[Tag.STATUS] == Status.DEPRECATED
        assert tags_of(store, former)[Tag.SUPERSEDED_BY] == later
        assert tags_of(store, later)[Tag.SUPERSEDES] == former
    assert tags_of(store, third.run_id)[Tag.STATUS] == Status.ACTIVE
    assert tags_of(store, third.run_id)[Tag.GENERATION] == "3"
    assert tags_of(store, second)[Tag.NAME] == "a #2 (superseded)"


def test_the_number_of_its_folder_is_not_undercut(store: Store) -> None:
    """A diag that was given the folder 7 is the seventh at least."""
    assert tags_of(store, publish(store, publication(), reserved=7))[Tag.GENERATION] == "7"
    assert tags_of(store, publish(store, publication(), reserved=2))[Tag.GENERATION] == "8"


def test_of_several_active_ones_the_last_is_superseded(store: Store) -> None:
    """Where somebody has made three of them active, all become deprecated, and the link names the largest of them."""
    ids = [publish(store, publication()) for _ in range(3)]
    for run_id in ids:
        store.client.set_tag(run_id, Tag.STATUS, Status.ACTIVE)
    mine = publish(store, publication())
    assert store.statuses() == [Status.DEPRECATED] * 3 + [Status.ACTIVE]
    assert tags_of(store, mine)[Tag.SUPERSEDES] == ids[2]
    assert {tags_of(store, run_id)[Tag.SUPERSEDED_BY] for run_id in ids} == {mine}
    assert tags_of(store, mine)[Tag.NOTE].count("Supersedes [") == 1


@pytest.mark.parametrize(("number", "wins"), [(2, True), (9, False)])
def test_two_that_end_at_once(store: Store, monkeypatch: pytest.MonkeyPatch, number: int, wins: bool) -> None:
    """One that is promoted while this one is: the link names it where it is smaller, and it wins where it is larger."""
    first = publish(store, publication())
    slow = open_run(publication(), store.uri)
    at_once: list[str] = []
    log = mlflow.MlflowClient.log_batch

    def meanwhile(self: Any, *words: Any, **more: Any) -> None:
        log(self, *words, **more)  # at first what promotes it
        if not at_once:
            tags = {**publication().tags, Tag.STATUS: Status.ACTIVE, Tag.GENERATION: str(number), Tag.NAME: "a"}
            at_once.append(self.create_run(store.experiment_id, start_time=1, tags=tags).info.run_id)

    with monkeypatch.context() as patch:
        patch.setattr(mlflow.MlflowClient, "log_batch", meanwhile)
        ended = slow.succeed(reserved=0)
    assert ended.status == tags_of(store, ended.run_id)[Tag.STATUS] == (Status.ACTIVE if wins else Status.DEPRECATED)
    assert len(store.active()) == 1
    assert tags_of(store, ended.run_id)[Tag.SUPERSEDES] == (at_once[0] if wins else first)
    loser, winner = (at_once[0], ended.run_id) if wins else (ended.run_id, at_once[0])
    assert tags_of(store, loser)[Tag.SUPERSEDED_BY] == winner
    assert tags_of(store, first)[Tag.STATUS] == Status.DEPRECATED


def test_an_archived_run_yields_to_the_folders_newer_one(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    """It is deprecated by it, and that is said; without a newer run it is active, and nothing is said."""
    archived = publication(archived=True)
    first = publish(store, archived)
    second = publish(store, archived)
    assert store.statuses() == [Status.DEPRECATED, Status.ACTIVE]
    assert capsys.readouterr().err == ""
    newer = publish(store, publication("r2", former=frozenset({"r1"})))
    assert tags_of(store, second)[Tag.SUPERSEDED_BY] == newer
    again = publish(store, archived)
    tags = tags_of(store, again)
    assert (tags[Tag.STATUS], tags[Tag.SUPERSEDED_BY]) == (Status.DEPRECATED, newer)
    assert tags[Tag.NAME] == "a #4 (superseded)"
    assert Tag.SUPERSEDES not in tags
    assert [run.info.run_id for run in store.active()] == [newer]
    said = "naga: a: a newer run was computed in this folder, whose MLflow run stays the active one\n"
    assert capsys.readouterr().err == said
    assert tags_of(store, first)[Tag.SUPERSEDED_BY] == second


def test_links_that_lead_nowhere_lead_to_the_next(store: Store) -> None:
    """What somebody has deleted the successor of is linked anew; what leads to the active one is left as it is."""
    ids = [publish(store, publication()) for _ in range(4)]
    store.client.delete_run(ids[1])
    lost, left = tags_of(store, ids[0])[Tag.SUPERSEDED_BY], tags_of(store, ids[2])
    assert lost == ids[1]
    mine = publish(store, publication())
    assert tags_of(store, mine)[Tag.GENERATION] == "5"
    assert tags_of(store, ids[0])[Tag.SUPERSEDED_BY] == mine
    assert tags_of(store, ids[2]) == left
    assert tags_of(store, ids[3])[Tag.SUPERSEDED_BY] == mine


def test_where_none_is_active_the_numbers_go_on(store: Store) -> None:
    """Deprecated ones count where somebody has deleted the active one."""
    first, second = (publish(store, publication()) for _ in range(2))
    store.client.delete_run(second)
    store.client.create_run(store.experiment_id, tags={**publication().tags, Tag.STATUS: Status.ABANDONED})
    mine = publish(store, publication())
    assert tags_of(store, mine)[Tag.GENERATION] == "2"
    assert Tag.SUPERSEDES not in tags_of(store, mine)
    assert tags_of(store, first)[Tag.SUPERSEDED_BY] == mine


def test_of_others_nothing_is_changed(store: Store) -> None:
    """Another run of another folder has the same name: it stays active, and its number does not count."""
    theirs = publish(store, publication("r9", tags={**publication("r9").tags, Tag.PLACE: "h:/q", Tag.FOLDER: "8:/q"}))
    store.client.set_tag(theirs, Tag.GENERATION, "20")
    before = tags_of(store, theirs)
    assert tags_of(store, publish(store, publication()))[Tag.GENERATION] == "1"
    assert tags_of(store, theirs) == before
    assert len(store.active()) == 2


def test_an_elder_in_an_experiment_that_is_found_later(store: Store) -> None:
    """Its number is passed and it is superseded, be it active or, with as large a number, deprecated."""
    elsewhere = store.client.create_experiment(f"elsewhere of {store.experiment_id}")
    for status, number, mine in ((Status.ACTIVE, 1, "2"), (Status.DEPRECATED, 3, "4"), (Status.DEPRECATED, 2, "5")):
        tags = {**publication().tags, Tag.STATUS: status, Tag.GENERATION: str(number), Tag.NAME: "a"}
        elder = store.client.create_run(elsewhere, tags=tags).info.run_id
        ended = publish(store, publication())
        assert tags_of(store, ended)[Tag.GENERATION] == mine
        assert tags_of(store, elder)[Tag.STATUS] == Status.DEPRECATED
        if status == Status.ACTIVE:
            assert tags_of(store, ended)[Tag.SUPERSEDES] == elder
            assert tags_of(store, elder)[Tag.SUPERSEDED_BY] == ended
    assert len(store.active()) == 1


CODES = {"no answer": INTERNAL_ERROR, "busy": TEMPORARILY_UNAVAILABLE}


@pytest.mark.parametrize("what", ["deleted", "gone", "refused", "no answer", "busy"])
def test_one_that_cannot_be_superseded(store: Store, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    """Where its owner has deleted it a moment ago nothing is wrong; every other refusal is raised."""
    former = publish(store, publication())
    run, log_batch, get_run = (
        open_run(publication(), store.uri),
        mlflow.MlflowClient.log_batch,
        mlflow.MlflowClient.get_run,
    )

    def edit(self: Any, run_id: str, *words: Any, **more: Any) -> Any:
        if run_id == former and what == "deleted":
            self.delete_run(run_id)
        elif run_id == former and what == "gone":  # as `mlflow gc` does
            self._tracking_client.store._hard_delete_run(run_id)
        elif run_id == former:
            raise MlflowException("no")
        return log_batch(self, run_id, *words, **more)

    def read(self: Any, run_id: str) -> Any:
        if run_id == former and what in CODES:
            raise MlflowException(what, error_code=CODES[what])
        return get_run(self, run_id)

    monkeypatch.setattr(mlflow.MlflowClient, "log_batch", edit)
    monkeypatch.setattr(mlflow.MlflowClient, "get_run", read)
    if what in ("deleted", "gone"):
        assert run.succeed(reserved=0).status == Status.ACTIVE
        assert store.statuses() == [Status.ACTIVE]
    else:
        with pytest.raises(MlflowException, match=r"^no$"):
            run.succeed(reserved=0)


def test_what_died_while_it_was_published(store: Store) -> None:
    """The next publication calls it abandoned, ends it, and counts it no predecessor; one that lives is left alone."""
    dead = f'{{"host": "{os.uname().nodename}", "pid": 1, "boot_id": "another boot"}}'
    alive = '{"host": "elsewhere", "pid": 1}'
    made = [
        store.client.create_run(store.experiment_id, tags={**publication().tags, Tag.OWNER: owner}).info.run_id
        for owner in (dead, alive, "no JSON", "[]")
    ]
    finished = store.client.create_run(store.experiment_id, tags={**publication().tags, Tag.OWNER: dead}).info.run_id
    store.client.set_terminated(finished, "FINISHED")
    publish(store, publication())
    statuses = [tags_of(store, run_id)[Tag.STATUS] for run_id in (*made, finished)]
    assert statuses == [Status.ABANDONED, *[Status.PENDING] * 3, Status.ABANDONED]
    ended = [store.client.get_run(run_id).info.status for run_id in (*made, finished)]
    assert ended == ["KILLED", "RUNNING", "RUNNING", "RUNNING", "FINISHED"]


def test_what_was_finished_before_its_process_died(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was found pending may have become something else by the time that its process is known to be dead."""
    dead = f'{{"host": "{os.uname().nodename}", "pid": 1, "boot_id": "another boot"}}'
    tags = {**publication().tags, Tag.OWNER: dead}
    found = store.client.create_run(store.experiment_id, tags=tags).info.run_id

    def late(owner: Process) -> bool | None:
        store.client.set_tag(found, Tag.STATUS, Status.FAILED)
        return is_alive(owner)

    monkeypatch.setattr("naga.tracking.history.is_alive", late)
    publish(store, publication())
    assert tags_of(store, found)[Tag.STATUS] == Status.FAILED


class Folder:
    """A folder that a diag has filled, and what of it is published."""

    def __init__(self, store: Store, folder: Path) -> None:
        self.store, self.folder = store, folder
        folder.mkdir()

    def published(self, run: OpenRun, generation: int) -> list[str]:
        """Publish it, end the run, and name its artifacts."""
        run.log_folder(generation, self.folder)
        run_id = run.succeed(reserved=generation).run_id
        found = [one.path for one in self.store.client.list_artifacts(run_id)]
        return sorted(path for one in found for path in ([one] if "." in one else self._below(run_id, one)))

    def _below(self, run_id: str, path: str) -> list[str]:
        below = self.store.client.list_artifacts(run_id, path)
        return [name for one in below for name in (self._below(run_id, one.path) if one.is_dir else [one.path])]


def test_a_diags_own_folder(store: Store, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All its files are published, and where they lie is noted; an empty one, and one without a number, is not."""
    own = Folder(store, project / "own")
    assert own.published(open_run(publication(), store.uri), 1) == []
    assert Tag.DIAG_DIR not in tags_of(store, store.runs()[-1].info.run_id)
    (own.folder / "deep").mkdir()
    (own.folder / "deep/b.txt").write_text("b")
    (own.folder / "a.txt").write_text("a")
    assert own.published(open_run(publication(), store.uri), 0) == []
    assert Tag.DIAG_DIR not in tags_of(store, store.runs()[-1].info.run_id)
    assert own.published(open_run(publication(), store.uri), 5) == ["diag/a.txt", "diag/deep/b.txt"]
    assert tags_of(store, store.runs()[-1].info.run_id)[Tag.DIAG_DIR] == "diag/5"
    assert capsys.readouterr().err == ""


def test_what_cannot_be_published_is_named(store: Store, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A link that leads nowhere and a pipe are left out, with the reason; the others are published."""
    own = Folder(store, project / "own")
    (own.folder / "deep").mkdir()
    (own.folder / "deep/b.txt").write_text("b")
    (own.folder / "a.txt").write_text("a")
    (own.folder / "link").symlink_to("nowhere")
    os.mkfifo(own.folder / "pipe")
    assert own.published(open_run(publication(), store.uri), 5) == ["diag/a.txt", "diag/deep/b.txt"]
    said = sorted(capsys.readouterr().err.splitlines())
    assert said == [
        f"naga: warning: '{own.folder}/link' is a link to 'nowhere', which is not there: it is not published",
        f"naga: warning: '{own.folder}/pipe' is no regular file: it is not published",
    ]


def test_runs_that_the_diag_left_open(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    """They end with it; the run that was active before the diag is active after it."""
    with mlflow.start_run(experiment_id=store.experiment_id) as outer:
        run = open_run(publication(), store.uri)
        inner = mlflow.start_run(nested=True, experiment_id=store.experiment_id)
        run.succeed(reserved=0)
        active = mlflow.active_run()
        assert active is not None
        assert active.info.run_id == outer.info.run_id
        assert store.client.get_run(inner.info.run_id).info.status == "FINISHED"
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("stray", [True, False])
def test_a_diag_that_ends_its_own_run(store: Store, capsys: pytest.CaptureFixture[str], stray: bool) -> None:
    """It is finished all the same; where MLflow has put what was logged afterwards is said."""
    run = open_run(publication(), store.uri)
    mlflow.end_run("KILLED")
    strayed = mlflow.start_run(experiment_id=store.experiment_id).info.run_id if stray else ""
    mine = run.succeed(reserved=0)
    assert mlflow.active_run() is None
    assert store.client.get_run(mine.run_id).info.status == "FINISHED"
    where = f"is in MLflow run {strayed}" if stray else "is not in its MLflow run"
    said = f"naga: warning: the diag ended its own MLflow run (mlflow.end_run()): what it logged afterwards {where}\n"
    assert capsys.readouterr().err == said
    if stray:
        assert store.client.get_run(strayed).info.status == "FINISHED"


def test_a_server_that_is_gone(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failed diag's own error counts, not that MLflow cannot hear of it; MLflow's stack is as it was all the same."""
    run = open_run(publication(), store.uri)

    def gone(*_: Any, **__: Any) -> None:
        raise MlflowException("gone")

    monkeypatch.setattr(mlflow.MlflowClient, "set_terminated", gone)
    run.fail()
    assert mlflow.active_run() is None
    run = open_run(publication(), store.uri)
    with pytest.raises(MlflowException, match="gone"):
        run.succeed(reserved=0)
    assert mlflow.active_run() is None
