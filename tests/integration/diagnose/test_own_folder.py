"""A diag reads the results of its run; what it writes has a place of its own."""

import os
from pathlib import Path
from typing import Any

import mlflow
import pytest
from integration.diagnose.publications import MakeRun, Store

import naga
from naga.capture.data.outputs import capture_outputs, hash_outputs
from naga.diagnose.diag import Diag, DiagOptions
from naga.errors import DiagError, UsageError
from naga.mlflow_log import mlflow_log_run
from naga.tracking.tags import unpacked


def publish(diag: Diag[..., Any], folder: Path, *, strict: bool = False) -> None:
    """Publish as `naga diag` does."""
    diag.publish(diag.ask([folder], {}), DiagOptions(strict=strict))


def test_a_folder_for_each_generation(store: Store, make_run: MakeRun) -> None:
    """It bears the number of the publication, becomes artifacts, and is no output of the run."""
    folder = make_run()
    outputs = capture_outputs(folder)

    @mlflow_log_run
    def diag(cfg: Any, *, draws: bool = True, fails: bool = False) -> None:
        if draws:
            assert naga.diag_dir() == naga.diag_dir()
            (naga.diag_dir() / "scores.csv").write_text("1\n")
        assert not fails

    diag(folder, draws=False)
    assert not (folder / "diag").exists()
    diag(folder)
    with pytest.raises(AssertionError):
        diag(folder, fails=True)
    diag(folder)
    assert sorted(path.name for path in (folder / "diag").iterdir()) == ["2", "3", "4"]
    run = store.active()[0]
    assert (run.info.run_name, unpacked(run.data.tags)["naga.diag_dir"]) == ("a #4", "diag/4")
    assert [file.path for file in store.client.list_artifacts(run.info.run_id, "diag")] == ["diag/scores.csv"]
    assert hash_outputs(folder).hash == outputs.hash


def test_results_of_that_name_stay_results(store: Store, make_run: MakeRun) -> None:
    """What the run itself left in `diag` is an output still, and is never written into."""
    folder = make_run()
    (folder / "diag" / "1").mkdir(parents=True)
    (folder / "diag" / "1" / "result").write_text("1")
    outputs = capture_outputs(folder)

    @mlflow_log_run
    def diag(cfg: Any) -> None:
        (naga.diag_dir() / "scores.csv").write_text("1\n")

    diag(folder)
    assert (folder / "diag" / "2" / "scores.csv").exists()
    assert hash_outputs(folder).hash == outputs.hash
    (folder / "diag" / "1" / "result").write_text("2")
    assert hash_outputs(folder).hash != outputs.hash


def test_outside_of_a_diag() -> None:
    """There is no folder, and nothing is guessed."""
    with pytest.raises(UsageError, match="outside"):
        naga.diag_dir()


def test_results_are_only_read(store: Store, make_run: MakeRun, capsys: pytest.CaptureFixture[str]) -> None:
    """A diag that changes them is warned of, or fails where that is asked for; touching is no change."""
    folder = make_run()
    for name in ("kept", "changed", "removed"):
        (folder / name).write_text(name)
    capture_outputs(folder)

    @mlflow_log_run
    def reads(cfg: Any) -> None:
        mlflow.log_metric("size", len((folder / "kept").read_text()))
        (folder / "kept").write_text("kept")

    @mlflow_log_run
    def writes(cfg: Any) -> None:
        (folder / "changed").write_text("other")
        (folder / "removed").unlink(missing_ok=True)
        (folder / f"new {len(list(folder.iterdir()))}").touch()

    publish(reads, folder, strict=True)
    assert capsys.readouterr().err == ""
    writes(folder)
    warning = capsys.readouterr().err
    assert "changed has changed, new 5 is new, removed is gone" in warning
    assert "naga.diag_dir()" in warning
    with pytest.raises(DiagError, match="is new"):
        publish(writes, folder, strict=True)
    assert store.statuses() == ["deprecated", "active", "failed"]


def test_what_is_no_file(store: Store, make_run: MakeRun, capsys: pytest.CaptureFixture[str]) -> None:
    """A link to nothing, and a pipe that would be waited for, are named and left out; the rest is published."""

    @mlflow_log_run
    def diag(cfg: Any) -> None:
        folder = naga.diag_dir()
        (folder / "sub").mkdir()
        (folder / "sub" / "scores.csv").write_text("1\n")
        (folder / "last.ckpt").symlink_to("/gone/epoch3.ckpt")
        os.mkfifo(folder / "pipe")

    diag(make_run())
    said = capsys.readouterr().err
    assert "last.ckpt' is a link to '/gone/epoch3.ckpt', which is not there: it is not published" in said
    assert "pipe' is no regular file: it is not published" in said
    run = store.active()[0]
    assert [file.path for file in store.client.list_artifacts(run.info.run_id, "diag")] == ["diag/sub"]
    assert [file.path for file in store.client.list_artifacts(run.info.run_id, "diag/sub")] == ["diag/sub/scores.csv"]
