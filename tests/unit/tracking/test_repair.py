"""Which of several publications belong together, and how they are named in what is said of them."""

from pathlib import Path
from typing import Any

import mlflow
import pytest
from integration.diagnose.publications import Store

from naga.errors import TrackerError
from naga.tracking.published_runs import PublishedRun
from naga.tracking.repair import _name, _of_same, repair_history
from naga.tracking.tags import Status, Tag, packed


def published(number: str, run_id: str, place: str, **tags: str) -> PublishedRun:
    """A publication of a run that lay there."""
    return PublishedRun(number * 32, "0", 0, {Tag.RUN_ID: run_id, Tag.PLACE: place, **tags})


def test_the_same_run_or_folder() -> None:
    """The first that is of the same run or folder; none where the others are of another clone."""
    mine = published("1", "r1", "host:/p/a")
    clone, newer, copy = (
        published("2", "r2", "host:/q/a"),
        published("3", "r3", "host:/p/a"),
        published("4", "r1", "other:/x"),
    )
    assert _of_same(mine, [clone, newer, copy]) is newer
    assert _of_same(mine, [clone, copy]) is copy
    assert _of_same(mine, [clone]) is None


def test_name() -> None:
    """As it was called before it was superseded, and the beginning of its id."""
    assert _name(published("1", "r1", "host:/p/a", **{Tag.NAME: "a #2 (superseded)"})) == "a #2 (11111111)"


def leave(store: Store, status: str, number: int, run_id: str = "r1", **tags: str) -> str:
    """Leave a publication of a run in the folder ``/p/a``; give its id."""
    shown = {Tag.NAME: f"a #{number}", Tag.GENERATION: str(number), Tag.STATUS: status, Tag.PLACE: "host:/p/a"}
    whole = packed({Tag.LOGICAL_KEY: "k", Tag.RUN_ID: run_id, **shown, **tags})
    return str(store.client.create_run(store.experiment_id, start_time=number, tags=whole).info.run_id)


def test_several_active_ones(store: Store, project: Path) -> None:
    """The newest by its number stays; each other is named, the newest first, and leads to it."""
    newest, oldest, middle = (leave(store, Status.ACTIVE, number) for number in (3, 1, 2))
    leave(store, Status.ABANDONED, 9)
    leave(store, "odd", 8)
    assert repair_history(project) == [
        f"a #2 ({middle[:8]}): it was active beside a #3 ({newest[:8]}); it is deprecated",
        f"a #1 ({oldest[:8]}): it was active beside a #3 ({newest[:8]}); it is deprecated",
    ]
    tags = {run.info.run_id: run.data.tags for run in store.runs()}
    assert tags[newest][Tag.STATUS] == Status.ACTIVE
    assert tags[oldest][Tag.SUPERSEDED_BY] == tags[middle][Tag.SUPERSEDED_BY] == newest
    assert tags[oldest][Tag.NAME] == "a #1 (superseded)"
    assert repair_history(project) == []


def test_links_that_lead_nowhere(store: Store, project: Path) -> None:
    """To something deleted, in a circle, to nothing: all lead to the active one, and what leads there stays."""
    gone = leave(store, Status.DEPRECATED, 1)
    store.client.delete_run(gone)
    first = leave(store, Status.DEPRECATED, 2, **{Tag.SUPERSEDED_BY: gone})
    second = leave(store, Status.DEPRECATED, 3, **{Tag.SUPERSEDED_BY: first})
    store.client.set_tag(first, Tag.SUPERSEDED_BY, second)
    third = leave(store, Status.DEPRECATED, 4)
    active = leave(store, Status.ACTIVE, 5)
    sound = leave(store, Status.DEPRECATED, 1, **{Tag.SUPERSEDED_BY: third})
    told = repair_history(project)
    assert told == [
        f"a #4 ({third[:8]}): it led to no active MLflow run; it leads to a #5 ({active[:8]})",
        f"a #3 ({second[:8]}): it led to no active MLflow run; it leads to a #5 ({active[:8]})",
    ]
    tags = {run.info.run_id: run.data.tags for run in store.runs()}
    leads_to = {run_id: tags[run_id].get(Tag.SUPERSEDED_BY) for run_id in (first, second, third, sound, active)}
    assert leads_to == {first: second, second: active, third: active, sound: third, active: None}
    assert repair_history(project) == []


def test_none_is_active(store: Store, project: Path) -> None:
    """Of each run the newest is active again, without its link; the failed and the abandoned stay what they are."""
    gone = "0" * 32
    first = leave(store, Status.DEPRECATED, 1, **{Tag.SUPERSEDED_BY: gone, Tag.NAME: "a #1 (superseded)"})
    second = leave(store, Status.DEPRECATED, 2, **{Tag.SUPERSEDED_BY: gone, Tag.NAME: "a #2 (superseded)"})
    failed, abandoned = leave(store, Status.FAILED, 3), leave(store, Status.ABANDONED, 4)
    clone = leave(store, Status.DEPRECATED, 1, "r2", **{Tag.PLACE: "host:/q/a"})
    told = repair_history(project)
    assert f"a #2 ({second[:8]}): no MLflow run of it was active; it is now, as the newest" in told
    assert f"a #1 ({first[:8]}): it led to no active MLflow run; it leads to a #2 ({second[:8]})" in told
    assert f"a #1 ({clone[:8]}): no MLflow run of it was active; it is now, as the newest" in told
    assert len(told) == 3
    runs = {run.info.run_id: run.data.tags for run in store.runs()}
    statuses = {run_id: tags[Tag.STATUS] for run_id, tags in runs.items()}
    assert statuses == {
        first: Status.DEPRECATED,
        second: Status.ACTIVE,
        clone: Status.ACTIVE,
        failed: Status.FAILED,
        abandoned: Status.ABANDONED,
    }
    assert runs[second][Tag.NAME] == "a #2"
    assert Tag.SUPERSEDED_BY not in runs[second]
    assert runs[first][Tag.SUPERSEDED_BY] == second


def test_an_experiment_that_is_deleted(store: Store, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the next publication would go there nothing is repaired: it is reported, by its number or its name."""
    assert repair_history(project) == []
    store.client.delete_experiment(store.experiment_id)
    with pytest.raises(TrackerError, match=f"nothing can be published: .* '{project}' is deleted") as caught:
        repair_history(project)
    hint = f"mlflow experiments restore --experiment-id {store.experiment_id}, or MLFLOW_EXPERIMENT_NAME=another"
    assert caught.value.hint == hint
    monkeypatch.delenv("MLFLOW_EXPERIMENT_ID")
    assert repair_history(project) == []
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", str(project))
    with pytest.raises(TrackerError, match="nothing can be published"):
        repair_history(project)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "never made")
    assert repair_history(project) == []


def test_where_nothing_was_published(project: Path) -> None:
    """There is nothing to repair, and no store is made for that."""
    assert repair_history(project) == []
    assert [path.name for path in project.iterdir()] == ["pyproject.toml"]


def test_stores_of_any_size(store: Store, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """MLflow gives runs and experiments in parts; all of them are looked through, whatever fits into one."""
    elsewhere = store.client.create_experiment(f"elsewhere of {store.experiment_id}")
    ids = [leave(store, Status.ACTIVE, number) for number in range(1, 6)]
    other = Store(store.uri, elsewhere)
    lost = leave(other, Status.DEPRECATED, 1, **{Tag.SUPERSEDED_BY: "0" * 32})
    for name in ("search_runs", "search_experiments"):

        def in_parts(self: Any, *words: Any, search: Any = getattr(mlflow.MlflowClient, name), **more: Any) -> Any:
            return search(self, *words, **{**more, "max_results": 2})

        monkeypatch.setattr(mlflow.MlflowClient, name, in_parts)
    told = repair_history(project)
    assert [line.partition(" (")[0] for line in told] == ["a #4", "a #3", "a #2", "a #1", "a #1"]
    assert [run.info.run_id for run in store.active()] == [ids[-1]]
    assert store.client.get_run(lost).data.tags[Tag.SUPERSEDED_BY] == ids[-1]
