"""What a former release has left is read, verified, listed, run again and diagnosed by the Naga of today."""

import json
import re
import sqlite3
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

import naga

RELEASES = sorted(file.parent for file in Path(__file__).parent.glob("*/expected.json"))
UNFINISHED = ("results/failed", "results/killed", "results/lost")


@pytest.fixture(params=RELEASES, ids=lambda folder: folder.name)
def release(request: pytest.FixtureRequest) -> Path:
    """Every release that has left a corpus."""
    folder: Path = request.param
    return folder


@pytest.fixture
def corpus(release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project of a release, unpacked at another place than it was made at; it is the current folder."""
    with tarfile.open(release / "corpus.tar.xz") as archive:
        archive.extractall(tmp_path, filter="fully_trusted")
    project = tmp_path / "project"
    # The store names its artifacts by absolute paths.
    with sqlite3.connect(project / "mlflow.db") as store:
        for table, column in (("experiments", "artifact_location"), ("runs", "artifact_uri")):
            change = f"UPDATE {table} SET {column} = replace({column}, '/tmp/naga-corpus/project', ?)"
            store.execute(change, [str(project)])
    store.close()
    monkeypatch.chdir(project)
    return project


@pytest.fixture
def expected(release: Path) -> dict[str, dict[str, Any]]:
    """What each folder of the corpus is."""
    read: dict[str, dict[str, Any]] = json.loads((release / "expected.json").read_text())
    return read


def command(*words: str, code: int = 0) -> str:
    """Run `naga` as its users do."""
    program = Path(sys.executable).with_name("naga")
    done = subprocess.run([program, *words], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def script(*words: str) -> "subprocess.CompletedProcess[str]":
    """Run a script of the corpus with the Naga of today."""
    return subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False, timeout=120)


def test_every_lock_is_read(corpus: Path, expected: dict[str, dict[str, Any]]) -> None:
    """Found again below its folder, with its status, task and attempt."""
    runs = {str(run.save_dir.relative_to(corpus)): run for run in naga.find_runs(corpus / "results", archived=True)}
    assert set(runs) == set(expected)
    for folder, known in expected.items():
        run = runs[folder]
        record = run.record
        read = {"status": run.status, "task": record.task, "attempt": record.attempt, "run_id": record.run_id}
        assert read == known


def test_the_configuration_is_read(corpus: Path) -> None:
    """With what was nested and what was redacted in it."""
    config = naga.load_run("results/finished").config
    assert (config.optim.lr, list(config.optim.betas), config.password) == (0.1, [0.9, 0.999], "<redacted>")


def test_ls_and_show(corpus: Path, expected: dict[str, dict[str, Any]]) -> None:
    """Every run that is not archived is listed; each is shown by its folder and by its run_id."""
    listed = command("ls", "results")
    for folder, known in expected.items():
        assert (known["run_id"] in listed) == (".archive" not in folder)
        assert known["run_id"] in command("show", folder)


def test_finished_runs_are_verified(corpus: Path, expected: dict[str, dict[str, Any]]) -> None:
    """Outputs, inputs, code and upstream are as the old release recorded them."""
    command("verify", *(folder for folder, known in expected.items() if known["status"] == "finished"))


def test_a_changed_result_is_found(corpus: Path) -> None:
    """A verification that sees nothing would pass the test above."""
    Path("results/finished/result.json").write_text("{}")
    assert "result.json" in command("verify", "results/finished", code=1)


@pytest.mark.parametrize("folder", UNFINISHED)
def test_the_next_attempt_takes_the_folder(corpus: Path, expected: dict[str, dict[str, Any]], folder: str) -> None:
    """Where a run ended otherwise than well; its lock stays under the name of its attempt."""
    done = script("-c", f"import exp; exp.main(save_dir={folder!r})")
    assert done.returncode == 0, done.stderr
    run = naga.load_run(folder)
    assert (run.status, run.record.attempt) == ("finished", 2)
    assert [file.name for file in Path(folder, ".naga/attempts").iterdir()] == [
        f"0001-{expected[folder]['run_id']}.lock"
    ]


def test_a_finished_run_is_archived(corpus: Path, expected: dict[str, dict[str, Any]]) -> None:
    """A new run of its folder moves it aside, whole."""
    former = Path("results/finished/run.lock").read_bytes()
    assert script("-c", "import exp; exp.main(save_dir='results/finished')").returncode == 0
    moved = Path("results/.archive", f"finished~{expected['results/finished']['run_id']}")
    assert (moved / "run.lock").read_bytes() == former


def test_a_diag_supersedes_the_old_publications(corpus: Path) -> None:
    """In the store of the old release: one active, and both former ones deprecated."""
    environment = naga.load_run("results/finished").record.environment
    made_by = environment.packages["mlflow"] if environment else ""
    import mlflow
    from mlflow.version import VERSION

    if [*map(int, VERSION.split("."))] < [*map(int, made_by.split("."))]:
        pytest.skip(f"the store is of MLflow {made_by}, which an older one does not read")
    command("diag", "exp.py", "results/finished")
    client = mlflow.MlflowClient(f"sqlite:///{corpus / 'mlflow.db'}")
    run_id = naga.load_run("results/finished").run_id
    tags = [run.data.tags for run in client.search_runs(["0"], f"tags.`naga.run_id` = '{run_id}'")]
    statuses = {one["naga.generation"]: one["naga.run_status"] for one in tags}
    assert statuses == {"1": "deprecated", "2": "deprecated", "3": "active"}


def test_the_corpus_names_no_machine(corpus: Path) -> None:
    """Nothing in it tells who made it, or where."""
    files = [file for file in corpus.rglob("*") if file.is_file()]
    assert files
    for file in files:
        assert not re.search(rb"/(home|root|Users)/", file.read_bytes()), file
    for run in naga.find_runs(corpus / "results", archived=True):
        process = run.record.process
        assert (process.host, process.user, process.cwd) == ("corpus", "ana", "/tmp/naga-corpus/project")
