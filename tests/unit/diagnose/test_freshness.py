"""Whether what is published of a run is what its diag would publish today."""

from pathlib import Path

import pytest
from workbench import some_record

from naga.diagnose.diag_key import diag_key_today
from naga.diagnose.freshness import Freshness, freshness
from naga.record.lockfile import write_lock
from naga.runs.find import Run, load_run
from naga.runs.metrics import note_failure, note_publication
from naga.tracking.published_runs import PublishedRun
from naga.tracking.tags import Status, Tag


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A finished run in a project with one diag."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "exp.py").write_text("def diag(cfg): ...\n")
    folder = tmp_path / "results" / "a"
    folder.mkdir(parents=True)
    write_lock(folder, some_record())
    return load_run(folder)


def tags_of(run: Run) -> dict[str, str]:
    """What a publication of it says that is made now."""
    tags = {Tag.RUN_ID: run.run_id, Tag.DIAG: "exp.py:diag", Tag.LOCK_HASH: run.lock_hash, Tag.STATUS: Status.ACTIVE}
    key = diag_key_today(tags, Path.cwd())
    assert key
    return {**tags, Tag.DIAG_KEY: key.key(run.lock_hash)}


def standing(run: Run, **changes: str) -> str:
    """How the run stands where this is published of it."""
    published = PublishedRun("p", "0", 0, {**tags_of(run), **changes})
    return Freshness({run.run_id: published}, Path.cwd()).of(run)


def test_fresh_stale_never(run: Run) -> None:
    """It is stale once its code has changed or has gone, or something newer is active."""
    assert Freshness({}, Path.cwd()).of(run) == "never"
    assert standing(run) == "fresh"
    assert standing(run, **{Tag.STATUS: Status.DEPRECATED}) == "stale"
    tags = tags_of(run)
    Path("exp.py").write_text("def diag(cfg): 'another'\n")
    assert standing(run, **tags) == "stale"
    Path("exp.py").unlink()
    published = PublishedRun("p", "0", 0, tags)
    assert Freshness({run.run_id: published}, Path.cwd()).of(run) == "stale"


def test_of_a_notebook(run: Run) -> None:
    """Its code is nowhere to be compared: the run is what counts."""
    assert standing(run, **{Tag.DIAG: "diag"}) == "fresh"
    assert standing(run, **{Tag.DIAG: "diag", Tag.LOCK_HASH: "blake3:another"}) == "stale"


def test_of_another_diag(run: Run) -> None:
    """A pass asks for its own file, function and kind of code."""
    known = Freshness({run.run_id: PublishedRun("p", "0", 0, tags_of(run))}, Path.cwd())
    assert known.is_fresh(run, file="exp.py")
    assert known.is_fresh(run, file="exp.py", function="diag")
    assert not known.is_fresh(run, file="exp.py", function="other")
    assert not known.is_fresh(run, file="other.py")
    assert not known.is_fresh(run, file="exp.py", recorded=True)


def test_only_the_store_that_is_configured_counts(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is noted beside a run is of one store; of another nothing is known without asking it."""
    tags = tags_of(run)
    facts = {"metrics": {}, "generation": 1, "mlflow_run_id": "p", "tracking_uri": "http://one:5000",
             "lock_hash": tags[Tag.LOCK_HASH], "diag": tags[Tag.DIAG], "diag_key": tags[Tag.DIAG_KEY]}  # fmt: skip
    note_publication(run.save_dir, facts)
    run = load_run(run.save_dir)
    for uri, expected in (("http://one:5000", "fresh"), ("http://two:5000", "never")):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        assert freshness([run], Path.cwd()) == {run.run_id: expected}
    note_failure(run.save_dir, diag="exp.py:diag", tracking_uri="http://one:5000", error="KeyError: 'x'")
    run = load_run(run.save_dir)
    for uri, expected in (("http://one:5000", "failed"), ("http://two:5000", "never")):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        assert freshness([run], Path.cwd()) == {run.run_id: expected}
