"""`naga diff A B --why`: each diag on both results."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from workbench import git

SCRIPT = """
import json
import mlflow
from pathlib import Path
from helper import FACTOR
from naga import clicfg, runlock, snapshot
from naga.mlflow_log import mlflow_log_run

@runlock
@snapshot
@clicfg
def main(cfg={"save_dir": "results/run", "x": 1.0}):
    Path(cfg["save_dir"], "x.json").write_text(json.dumps(cfg["x"]))
    return cfg

@mlflow_log_run
def diag(cfg):
    mlflow.log_metric("scaled", FACTOR * json.loads(Path(cfg["save_dir"], "x.json").read_text()))
    mlflow.log_metric("one", 1.0)

if __name__ == "__main__":
    diag(main())
"""


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Runs a and b of other results and one diag, and c with the results of a and another diag."""
    monkeypatch.chdir(tmp_path)
    Path("exp.py").write_text(SCRIPT)
    Path(".gitignore").write_text("results/\nmlflow.db\nmlruns/\n__pycache__/\n")
    Path("helper.py").write_text("FACTOR = 10.0\n")
    git("init", "-q", cwd=tmp_path)
    git("add", "-A", cwd=tmp_path)
    git("commit", "-qm", "Begin", cwd=tmp_path)
    for name, x in (("a", 1.0), ("b", 2.0), ("c", 1.0)):
        if name == "c":
            Path("helper.py").write_text("FACTOR = 100.0  # another\n")
        subprocess.run(
            [sys.executable, "exp.py", f"save_dir=results/{name}", f"x={x}"], check=True, capture_output=True
        )
    return tmp_path


def why(*words: str) -> tuple[int, Any, str]:
    """Ask, and give the exit code, the object, and what was said."""
    command = [str(Path(sys.executable).with_name("naga")), "diff", *words, "--why"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def test_the_results_or_the_diag(published: Path) -> None:
    """Four values, and which of the two has changed them; what has no answer says so."""
    before = {file: file.read_bytes() for file in Path("results").rglob("*") if file.is_file()}
    refs = git("for-each-ref", cwd=published)
    for runs, values, because in (
        ("ab", [10, 20, 10, 20], "results"),
        ("ac", [10, 10, 100, 100], "diag"),
        ("bc", [20, 10, 200, 100], "both"),
    ):
        code, printed, said = why(*(f"results/{name}" for name in runs), "--format", "json")
        assert code == 1, said
        assert json.loads(printed)["why"] == [{"key": "scaled", "values": values, "because": because}]
    assert {file: file.read_bytes() for file in Path("results").rglob("*") if file.is_file()} == before
    assert git("for-each-ref", cwd=published) == refs
    code, printed, _ = why("results/a", "results/b")
    assert "scaled: it is the results: the diag changes nothing" in printed

    assert why("results/a", "results/b", "results/c")[0] == 2
    Path("mlflow.db").unlink()
    code, _, said = why("results/a", "results/c")
    assert (code, said.startswith("naga: no commit holds the diag of run")) == (2, True)
