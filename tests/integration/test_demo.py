"""The demo, as `make demo` runs it, in a small repository of its own."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import joblib
import pandas as pd
import pytest

from naga import Run, find_runs

ROOT = Path(__file__).parents[2]
TITLES = ("Compute once", "Diagnose again", "The runs", "The history of this run in MLflow", "Look at it")


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with the examples in it."""
    folder = tmp_path_factory.mktemp("clone")
    shutil.copytree(ROOT / "examples", folder / "examples", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / ".gitignore", folder)
    _git(folder, "init", "--quiet")
    _git(folder, "add", ".")
    _git(folder, "-c", "user.name=Reader", "-c", "user.email=reader@example.org", "commit", "--quiet", "-m", "Clone")
    return folder


@pytest.fixture(scope="module")
def demo(clone: Path) -> "subprocess.CompletedProcess[str]":
    """The demo, whose reader has a tracking server of his own configured."""
    environment = os.environ | {"MLFLOW_TRACKING_URI": f"sqlite:///{clone}/readers-own.db", "COLUMNS": "120"}
    return subprocess.run(
        [sys.executable, "examples/demo.py"], cwd=clone, env=environment, text=True, capture_output=True, check=False
    )


@pytest.fixture(scope="module")
def run(clone: Path, demo: Any) -> Run:
    """The run that the demo has left."""
    assert demo.returncode == 0, demo.stderr
    (run,) = find_runs(clone / "results")
    return run


def _git(folder: Path, *words: str) -> str:
    return subprocess.run(["git", *words], cwd=folder, text=True, capture_output=True, check=True).stdout


def test_tells_its_story(demo: "subprocess.CompletedProcess[str]", run: Run) -> None:
    """Each part comes in its turn, and the history shows one superseded and one active publication."""
    places = [demo.stdout.find(f"\n{title}") for title in TITLES]
    assert -1 not in places
    assert places == sorted(places)
    history = demo.stdout[places[3] : places[4]].split()
    assert (history.count("deprecated"), history.count("active")) == (1, 1)
    assert f"--reuse results/digits/{run.save_dir.name}\n" in demo.stdout
    assert "mlflow server --backend-store-uri sqlite:///mlflow.db --port 5000\n" in demo.stdout


def test_is_calm(demo: "subprocess.CompletedProcess[str]", run: Run) -> None:
    """Nothing but Naga's own lines is said on stderr."""
    assert [line for line in demo.stderr.splitlines() if not line.startswith("naga: ")] == []
    assert "warning" not in demo.stderr.lower()


def test_shows_figures_that_exist(clone: Path, demo: "subprocess.CompletedProcess[str]", run: Run) -> None:
    """The figures named are there, and are pictures."""
    figures = [line for line in demo.stdout.splitlines() if line.endswith(".png")]
    assert [Path(figure).name for figure in figures] == ["confusion_matrix.png", "mistakes.png"]
    assert all((clone / figure).read_bytes().startswith(b"\x89PNG") for figure in figures)


def test_leaves_the_clone_clean(clone: Path, run: Run) -> None:
    """What the demo makes is ignored by git, and the reader's own store is left alone."""
    assert _git(clone, "status", "--porcelain") == ""
    assert not (clone / "readers-own.db").exists()


def test_records_the_run(clone: Path, run: Run) -> None:
    """The run.lock names the code and the data that lie in the clone."""
    assert run.status == "finished"
    assert run.record.code[0].commit == _git(clone, "rev-parse", "HEAD").strip()
    assert run.record.data["input_data"].size_bytes == (clone / "data/digits.csv.gz").stat().st_size


def test_publishes_every_score(clone: Path, run: Run) -> None:
    """Both publications hold the accuracy that the saved predictions have, and three scores of each digit."""
    from mlflow import MlflowClient

    predictions = pd.read_csv(run.save_dir / "predictions.csv")
    accuracy = (predictions["label"] == predictions["predicted"]).mean()
    pages = MlflowClient(f"sqlite:///{clone}/mlflow.db").search_runs(["0"])
    assert [page.data.metrics["accuracy"] for page in pages] == pytest.approx([accuracy, accuracy])
    assert [len(page.data.metrics) for page in pages] == [31, 31]
    assert accuracy > 0.95


def test_saves_the_model_that_predicted(clone: Path, run: Run) -> None:
    """The saved model reads the digits again as it did then."""
    predictions = pd.read_csv(run.save_dir / "predictions.csv", index_col="row")
    digits = pd.read_csv(clone / "data/digits.csv.gz").loc[predictions.index]
    model = joblib.load(run.save_dir / "model.joblib")
    assert list(model.predict(digits.drop(columns="target") / 16)) == list(predictions["predicted"])


def test_writes_the_same_data_each_time(tmp_path: Path) -> None:
    """Two preparations give the same bytes, so that the hash of the data means something."""
    written = []
    for _ in range(2):
        subprocess.run([sys.executable, ROOT / "examples/digits/prepare.py"], cwd=tmp_path, check=True)
        written.append((tmp_path / "data/digits.csv.gz").read_bytes())
    assert written[0] == written[1]


def test_refuses_an_old_python(tmp_path: Path) -> None:
    """Where no Python is new enough, `make` says which it found and what to do, and makes nothing."""
    make = shutil.which("make")
    assert make
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "bin").mkdir()
    old = tmp_path / "bin/python3"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo Python 3.9.2 || exit 1\n')
    old.chmod(0o755)
    done = subprocess.run(
        [make, "demo"], cwd=tmp_path, env={"PATH": str(old.parent)}, text=True, capture_output=True, check=False
    )
    assert done.returncode == 2
    assert "needs Python 3.11 or newer with its venv module; found: Python 3.9.2" in done.stderr
    assert not (tmp_path / ".venv").exists()
