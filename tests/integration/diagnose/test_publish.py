"""One publication, on a real store."""

import hashlib
import os
import pickle
import shutil
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow
import pytest
from integration.diagnose.forks import start
from integration.diagnose.publications import COMMIT, CONTENT, MakeRun, Store, leave_run
from integration.diagnose.publisher import killing_diag
from mlflow.entities import RunTag
from omegaconf import DictConfig, OmegaConf

from naga import load_run
from naga.errors import DiagError, LockError, TrackerError, UnfinishedRunError, UsageError
from naga.mlflow_log import mlflow_log_run
from naga.tracking.tags import Status, Tag

HOST = os.uname().nodename


@mlflow_log_run
def diag(cfg: Any) -> str:
    """Log one number."""
    mlflow.log_metric("accuracy", 0.95)
    return "value"


def given(folder: Path) -> DictConfig:
    """The configuration as the task returned it: with an absolute save_dir."""
    return OmegaConf.create({**load_run(folder).record.config, "save_dir": str(folder)})


def test_first_publication(store: Store, make_run: MakeRun) -> None:
    """The MLflow run holds configuration, lock, log, input and the tags of the specification, and is active."""
    folder = make_run()
    assert diag(given(folder)) == "value"
    (run,) = store.runs()
    assert run.data.params == {
        "save_dir": "results/a",
        "learning_rate": "0.01",
        "epochs": "10",
        "input_data": "data/raw.csv",
    }
    assert run.data.metrics == {"accuracy": 0.95}
    assert run.info.status == "FINISHED"
    assert run.info.run_name == "a #1"
    assert sorted(file.path for file in store.client.list_artifacts(run.info.run_id)) == ["experiment.log", "run.lock"]
    tags = run.data.tags
    assert tags["naga.logical_run_id"] == "results/a"
    assert tags["naga.logical_run_key"] == hashlib.sha256(b"results/a").hexdigest()
    assert tags["naga.run_status"] == "active"
    assert tags["naga.generation"] == "1"
    assert tags["naga.run_id"] == "20260101T000000-aaaaaaaa"
    assert tags["naga.lock_hash"] == load_run(folder).lock_hash
    assert tags["naga.computed"] == "2026-01-01 00:00:00Z"
    assert tags["naga.duration_s"] == "60.0".rjust(12)
    assert (tags["naga.host"], tags["naga.status"]) == (HOST, "finished")
    assert tags["mlflow.source.git.commit"] == COMMIT
    assert len(tags["naga.diag_key"]) == 64
    assert {name.removeprefix("naga.") for name in tags if name.startswith("naga.")} == {
        "logical_run_id", "logical_run_key", "run_status", "generation", "run_id", "lock_hash", "diag_key",
        "computed", "duration_s", "host", "status", "place", "details",
    }  # fmt: skip
    assert run.inputs is not None
    (used,) = run.inputs.dataset_inputs
    assert (used.dataset.name, used.dataset.digest) == ("input_data", CONTENT[:36])


def test_artifact_is_the_lock(store: Store, make_run: MakeRun) -> None:
    """The published run.lock is the file, byte for byte."""
    folder = make_run()
    diag(folder)
    (run,) = store.runs()
    copy = Path(store.client.download_artifacts(run.info.run_id, "run.lock"))
    assert copy.read_bytes() == (folder / "run.lock").read_bytes()


def test_again_supersedes(store: Store, make_run: MakeRun) -> None:
    """A second and a third diag leave one active run; the chain of links leads to it in both directions."""
    folder = make_run()
    for _ in range(3):
        diag(folder)
    first, second, third = store.runs()
    assert store.statuses() == ["deprecated", "deprecated", "active"]
    assert [run.info.run_name for run in (first, second, third)] == ["a #1 (superseded)", "a #2 (superseded)", "a #3"]
    assert first.data.tags[Tag.SUPERSEDED_BY] == second.info.run_id
    assert second.data.tags[Tag.SUPERSEDED_BY] == third.info.run_id
    assert third.data.tags[Tag.SUPERSEDES] == second.info.run_id
    assert second.data.tags[Tag.SUPERSEDES] == first.info.run_id
    note, address = second.data.tags[Tag.NOTE], f"#/experiments/{store.experiment_id}/runs"
    assert f"Superseded by [{third.info.run_id[:8]}]({address}/{third.info.run_id}" in note
    assert f"Supersedes [{first.info.run_id[:8]}]({address}/{first.info.run_id}" in note
    assert (
        note.splitlines()[0]
        == f"my_experiment.main: computed 2026-01-01 00:00 on {HOST} in 1 min 0 s, finished; published by diag"
    )


def test_deprecating_leaves_times(store: Store, make_run: MakeRun) -> None:
    """A superseded run keeps its status and its end."""
    folder = make_run()
    diag(folder)
    (before,) = store.runs()
    diag(folder)
    after = store.client.get_run(before.info.run_id)
    assert (after.info.status, after.info.end_time) == (before.info.status, before.info.end_time)


@pytest.mark.parametrize("spelling", ["results/a", "./results/a", "results/a/", "results//a"])
def test_spellings_are_one_run(store: Store, make_run: MakeRun, spelling: str) -> None:
    """However a save_dir is spelt, it is one logical run."""
    diag(make_run("results/a"))
    diag(make_run(spelling))
    assert store.statuses() == ["deprecated", "active"]


def test_forms_of_the_argument(store: Store, make_run: MakeRun) -> None:
    """A configuration, a folder, a run.lock, a text, a Run and a keyword all mean the same run."""
    folder = make_run()
    for form in (given(folder), folder, folder / "run.lock", "results/a", load_run(folder)):
        diag(form)
    diag(cfg=folder)
    assert store.statuses() == ["deprecated"] * 5 + ["active"]


@dataclass
class Config:
    """What a diag may declare."""

    save_dir: str = "???"
    learning_rate: float = 0.5
    epochs: int = 1
    input_data: str = ""


def test_path_gives_declared_config(store: Store, make_run: MakeRun) -> None:
    """Called with a path, a diag gets the recorded configuration, as the kind that it declares."""
    folder = make_run()

    @mlflow_log_run
    def plain(cfg):  # type: ignore[no-untyped-def]
        return cfg

    @mlflow_log_run
    def typed(cfg: Config) -> Config:
        return cfg

    @mlflow_log_run
    def structured(cfg: DictConfig = OmegaConf.structured(Config)) -> DictConfig:
        return cfg

    expected = {"save_dir": str(folder), "learning_rate": 0.01, "epochs": 10, "input_data": "data/raw.csv"}
    assert OmegaConf.to_container(plain(folder)) == expected
    assert typed(folder).learning_rate == 0.01
    assert OmegaConf.get_type(structured(folder)) is Config
    assert OmegaConf.to_container(structured(folder)) == expected


def test_params_come_from_the_lock(store: Store, make_run: MakeRun, capsys: pytest.CaptureFixture[str]) -> None:
    """A configuration that has drifted since the run is warned of, once, and not published."""
    cfg = given(make_run())
    cfg.learning_rate = 0.5
    diag(cfg)
    (run,) = store.runs()
    assert run.data.params["learning_rate"] == "0.01"
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("naga: warning: ")
    assert line.endswith(": learning_rate")


def test_changed_by_the_task_is_no_drift(store: Store, make_run: MakeRun, capsys: pytest.CaptureFixture[str]) -> None:
    """What the task itself changed in its configuration stands in the lock: no warning."""
    end = {"save_dir": "results/a", "learning_rate": 0.02}
    cfg = OmegaConf.create({**end, "save_dir": str(make_run(config_end=end))})
    diag(cfg)
    assert capsys.readouterr().err == ""


def test_callables_and_paths(store: Store, make_run: MakeRun, capsys: pytest.CaptureFixture[str]) -> None:
    """Lock and log may be named by functions of the configuration or as paths; a missing log is only warned of."""
    folder = make_run()
    (folder / "other.log").write_text("other")

    @mlflow_log_run(
        run_lock_path=lambda cfg: Path(cfg.save_dir) / "run.lock", log_file_path=lambda cfg: f"{cfg.save_dir}/other.log"
    )
    def by_function(cfg: Any) -> None: ...

    @mlflow_log_run(run_lock_path=folder / "run.lock", log_file_path="missing.log")
    def by_path(cfg: Any) -> None: ...

    by_function(given(folder))
    assert capsys.readouterr().err == ""
    by_path(OmegaConf.create({**given(folder), "save_dir": "results/a"}))
    assert capsys.readouterr().err == "naga: warning: there is no log 'missing.log': it is not published\n"
    first, second = store.runs()
    assert [file.path for file in store.client.list_artifacts(first.info.run_id)] == ["other.log", "run.lock"]
    assert [file.path for file in store.client.list_artifacts(second.info.run_id)] == ["run.lock"]


@pytest.mark.parametrize("status", ["running", "failed", "killed"])
def test_unfinished_is_refused(store: Store, make_run: MakeRun, status: str) -> None:
    """A run that has not finished is refused, unless the author says otherwise."""
    folder = make_run(status=status)
    with pytest.raises(UnfinishedRunError, match=f"it is {status}"):
        diag(folder)
    assert store.runs() == []

    @mlflow_log_run(allow_unfinished=True)
    def anyway(cfg: Any) -> None: ...

    anyway(folder)
    assert store.statuses() == ["active"]


def test_no_lock(store: Store, project: Path) -> None:
    """A configuration without a run.lock, or without a save_dir, is refused in one line."""
    with pytest.raises(LockError, match="run.lock"):
        diag({"save_dir": str(project / "nothing")})
    with pytest.raises(DiagError, match="has no save_dir"):
        diag({"learning_rate": 1})
    with pytest.raises(DiagError, match="called with 'int', which has no save_dir"):
        diag(3)
    with pytest.raises(DiagError, match="a main without a return") as refused:
        diag(None)
    assert refused.value.hint == "end main with: return cfg"
    assert store.runs() == []


class BodyError(Exception):
    """What a diag's body raises."""


@pytest.mark.parametrize("error", [BodyError("no"), KeyboardInterrupt(), SystemExit(0), SystemExit(3)])
def test_failing_body(store: Store, make_run: MakeRun, error: BaseException) -> None:
    """A diag that raises leaves the former MLflow run active; its own is failed; its exception comes back unchanged."""
    folder = make_run()
    diag(folder)

    @mlflow_log_run
    def failing(cfg: Any) -> None:
        mlflow.log_metric("half", 1)
        raise error

    with pytest.raises(type(error)) as caught:
        failing(folder)
    assert caught.value is error
    assert store.statuses() == ["active", "failed"]
    assert [run.info.status for run in store.runs()] == ["FINISHED", "FAILED"]
    assert mlflow.active_run() is None
    diag(folder)
    assert store.statuses() == ["deprecated", "failed", "active"]


def test_two_clones(store: Store, make_run: MakeRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two clones with the same relative save_dir, in one experiment, leave each other's MLflow runs alone."""
    mine = make_run()
    (tmp_path / "clone").mkdir()
    monkeypatch.chdir(tmp_path / "clone")
    theirs = leave_run(run_id="20260102T000000-bbbbbbbb")
    for folder in (mine, theirs, mine, theirs):
        diag(folder)
    assert store.statuses() == ["deprecated", "deprecated", "active", "active"]
    assert {run.data.tags[Tag.RUN_ID][-8:] for run in store.active()} == {"aaaaaaaa", "bbbbbbbb"}


def test_recomputed_supersedes(store: Store, make_run: MakeRun) -> None:
    """A new run in the same folder takes over the MLflow run."""
    diag(make_run())
    diag(make_run(run_id="20260102T000000-bbbbbbbb"))
    assert store.statuses() == ["deprecated", "active"]


def test_recomputed_on_another_host(store: Store, make_run: MakeRun, project: Path) -> None:
    """A new run supersedes what a run in its folder's archive has published, from wherever that was."""
    former = make_run()
    diag(former)
    (run,) = store.runs()
    store.client.log_batch(run.info.run_id, tags=[RunTag(Tag.PLACE, "elsewhere:/mnt/results/a")])
    (project / "results/.archive").mkdir()
    former.rename(project / "results/.archive/a~20260101T000000-aaaaaaaa")
    diag(make_run(run_id="20260102T000000-bbbbbbbb"))
    assert store.statuses() == ["deprecated", "active"]


@pytest.mark.parametrize("how", [shutil.move, shutil.copytree])
def test_moved_keeps_history(store: Store, make_run: MakeRun, project: Path, how: Any) -> None:
    """A results folder that was moved or copied is still the same run."""
    folder = make_run()
    diag(folder)
    how(folder, project / "elsewhere")
    diag(project / "elsewhere")
    assert store.statuses() == ["deprecated", "active"]


def test_archived_yields(store: Store, make_run: MakeRun, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A run whose path has been taken by a newer one can be published again, and does not take that over."""
    former = make_run()
    (project / "results/.archive").mkdir()
    archived = former.rename(project / "results/.archive/a~20260101T000000-aaaaaaaa")
    diag(archived)
    assert store.statuses() == ["active"]
    diag(make_run(run_id="20260102T000000-bbbbbbbb"))
    diag(archived)
    assert store.statuses() == ["deprecated", "active", "deprecated"]
    _, newer, again = store.runs()
    assert again.data.tags[Tag.SUPERSEDED_BY] == newer.info.run_id
    assert "a newer run was computed in this folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    "save_dir",
    ["it's", 'a "quoted" one', "both ' and \"", "ünï ☃ 漢字", "new\nline", "per%20cent", "back\\slash", "tags.x = 'y'"],
)
def test_any_save_dir(store: Store, make_run: MakeRun, save_dir: str) -> None:
    """Whatever characters a save_dir has, it is found again."""
    for _ in range(2):
        diag(make_run(f"results/{save_dir}"))
    assert store.statuses() == ["deprecated", "active"]
    (run,) = store.active()
    assert run.data.tags[Tag.LOGICAL_ID] == f"results/{save_dir}"


def test_values(store: Store, make_run: MakeRun) -> None:
    """Keys and values that MLflow refuses or cuts are escaped and marked, and nothing is half-logged."""
    config = {
        "a[0]": 1,
        "a=b": "x" * 7000,
        "é—": float("nan"),
        "inf": float("inf"),
        "nothing": None,
        "list": [1, [2, None]],
        "nested": {"deep": {"er": True}, "empty": {}},
        "": "no name",
        "/root": 1,
        "..": 2,
        "a//b": 3,
        "k" * 300: 4,
        "zero": "a\0b",
        "same.key": 5,
        "same": {"key": 6},
    }
    diag(make_run(config=config))
    (run,) = store.active()
    params = run.data.params
    assert params["a:left square bracket:0:right square bracket:"] == "1"
    assert params["a:equals sign:b"].endswith("... [cut: 7000 characters, whole in run.lock]")
    assert params["é:em dash:"] == "nan"
    assert params["list"] == "[1, [2, None]]"
    assert params["nested.deep.er"] == "True"
    assert params["nested.empty"] == "{}"
    assert {params["same.key"], params["same.key:2:"]} == {"5", "6"}
    assert len(params) == 16


@pytest.mark.parametrize("count", [250, pytest.param(5000, marks=pytest.mark.stress)])
def test_many_params(store: Store, make_run: MakeRun, count: int) -> None:
    """A configuration of any size is published, in requests that a server takes."""
    diag(make_run(config={f"key{n}": "☃" * (500_000 // count) for n in range(count)}))
    (run,) = store.active()
    assert len(run.data.params) == count


def test_deleted_head(store: Store, make_run: MakeRun) -> None:
    """Where somebody deleted the active MLflow run, or tags of it, the next diag's takes over all that led to it."""
    folder = make_run()
    for _ in range(3):
        diag(folder)
    first, second, third = store.runs()
    store.client.delete_run(third.info.run_id)
    diag(folder)
    (active,) = store.active()
    assert active.info.run_name == "a #3"
    tags = store.client.get_run(second.info.run_id).data.tags
    assert tags[Tag.SUPERSEDED_BY] == active.info.run_id
    assert tags[Tag.NOTE].count("Superseded by [") == 1
    assert store.client.get_run(first.info.run_id).data.tags[Tag.SUPERSEDED_BY] == second.info.run_id


@pytest.mark.parametrize(
    "tags",
    [
        {Tag.STATUS: "active"},
        {Tag.GENERATION: "many"},
        {Tag.GENERATION: "7"},
        {Tag.SUPERSEDED_BY: "nowhere"},
        {Tag.STATUS: "active", Tag.GENERATION: "99"},
        {Tag.NOTE: ""},
    ],
)
def test_edited_by_hand(store: Store, make_run: MakeRun, tags: dict[str, str]) -> None:
    """Whatever was written into an old MLflow run, the next diag leaves one active, and every chain leads to it."""
    folder = make_run()
    for _ in range(2):
        diag(folder)
    store.client.log_batch(store.runs()[0].info.run_id, tags=[RunTag(key, value) for key, value in tags.items()])
    diag(folder)
    (active,) = store.active()
    assert active.info.run_id == store.runs()[-1].info.run_id
    by_id = {run.info.run_id: run.data.tags for run in store.runs()}
    for run_id in by_id:
        while by_id[run_id][Tag.STATUS] == Status.DEPRECATED:
            run_id = by_id[run_id][Tag.SUPERSEDED_BY]  # noqa: PLW2901  # it walks the chain
        assert run_id == active.info.run_id


def test_abandoned(store: Store, make_run: MakeRun) -> None:
    """A publication whose process was killed is called abandoned by the next one, and loses nothing."""
    folder = make_run()
    killed_process = start(killing_diag, folder, environment=dict(os.environ))
    killed_process.join(120)
    assert killed_process.exitcode == -signal.SIGKILL
    assert store.statuses() == ["pending"]
    diag(folder)
    killed, active = store.runs()
    assert (killed.info.status, killed.data.tags[Tag.STATUS]) == ("KILLED", "abandoned")
    assert killed.data.metrics == {"kept": 1}
    assert active.data.tags[Tag.STATUS] == "active"


def test_more_than_a_page(store: Store, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    """A logical run with more publications than one search returns still has one active MLflow run, the last."""
    monkeypatch.setattr("naga.tracking.published_runs.PAGE", 2)
    folder = make_run()
    for _ in range(5):
        diag(folder)
    assert store.statuses() == ["deprecated"] * 4 + ["active"]
    assert store.active()[0].info.run_name == "a #5"


def test_metadata_and_pickling(store: Store, make_run: MakeRun) -> None:
    """A diag looks like its function, can be pickled, and shows the bare function."""
    assert (diag.__name__, diag.__doc__, diag.__module__) == ("diag", "Log one number.", __name__)
    assert pickle.loads(pickle.dumps(diag)) is diag
    assert diag.fn.__wrapped__ if hasattr(diag.fn, "__wrapped__") else diag.fn is not diag


class Owner:
    """A class with a diag."""

    name = "mine"

    @mlflow_log_run(log_file_path="missing.log")
    def diag(self, cfg: Any) -> str:
        """Tell whose it is."""
        return f"{self.name}: {cfg.epochs}"


def test_methods(store: Store, make_run: MakeRun) -> None:
    """A method can be a diag, and its bound form can be pickled."""
    assert Owner().diag(make_run()) == "mine: 10"
    assert pickle.loads(pickle.dumps(Owner().diag))("results/a") == "mine: 10"
    assert store.statuses() == ["deprecated", "active"]


def test_further_arguments(store: Store, make_run: MakeRun) -> None:
    """What a diag takes besides the configuration is passed on; a wrong call is a TypeError, and nothing is written."""
    folder = make_run()

    @mlflow_log_run
    def counting(cfg: Any, top: int, *, log: bool = False) -> tuple[int, bool]:
        return top, log

    assert counting(folder, 3, log=True) == (3, True)
    with pytest.raises(TypeError, match="top"):
        counting(folder)
    assert len(store.runs()) == 1


def test_wrong_use() -> None:
    """What is no plain function is refused when it is decorated."""
    with pytest.raises(UsageError, match="not a function"):
        mlflow_log_run("results/run.lock")  # type: ignore[call-overload]
    with pytest.raises(UsageError, match="async or a generator"):

        @mlflow_log_run
        async def diag(cfg: Any) -> None: ...


def test_unknown_store(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that cannot be used is reported in one line, with the command for later."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:////proc/none/mlflow.db")
    with pytest.raises(TrackerError, match="/proc/none/mlflow.db"):
        diag(make_run())


def test_one_line_says_where_it_is(
    store: Store, make_run: MakeRun, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the number of the publication; none where it is to be quiet."""
    monkeypatch.delenv("NAGA_QUIET")
    make_run()
    diag("results/a")
    active = store.active()[0]
    said = f"naga: published results/a as MLflow run {active.info.run_id[:8]} (generation 1)\n"
    assert capsys.readouterr().err == said
    monkeypatch.setenv("NAGA_QUIET", "1")
    diag("results/a")
    assert capsys.readouterr().err == ""
