"""MLflow without most of what it can bring: `naga-runs[mlflow]` asks for the skinny one, sqlalchemy and alembic."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from integration.diagnose.publications import MakeRun, Store, copy_store

TOP = Path(__file__).parents[3]
# What the full package brings, and the small one does not.
ABSENT = ("flask", "pandas", "numpy", "matplotlib", "sklearn", "scipy", "pyarrow", "docker", "graphene", "huey")
DIAG = """\
import sys
for name in {absent}:
    sys.modules[name] = None
from naga.mlflow_log import mlflow_log_run
import mlflow

@mlflow_log_run
def diag(cfg):
    mlflow.log_metric("accuracy", 0.95)

for _ in range(2):
    diag("results/a")
"""


def test_without_the_rest(project: Path, make_run: MakeRun, migrated: Path) -> None:
    """A diag publishes to SQLite, and supersedes, where nothing can be imported that only the full package brings."""
    make_run()
    store = Store(copy_store(migrated, project))
    (project / "diag.py").write_text(DIAG.format(absent=ABSENT))
    subprocess.run([sys.executable, "diag.py"], check=True, env={**os.environ, "MLFLOW_TRACKING_URI": store.uri})
    assert store.statuses() == ["deprecated", "active"]


@pytest.mark.stress
def test_small_install(project: Path, make_run: MakeRun, tmp_path: Path) -> None:
    """A new environment with `naga-runs[mlflow]` alone makes a store, and publishes to it."""
    make_run()
    python = tmp_path / "venv" / "bin" / "python"
    pip = [str(python), "-m", "pip", "install", "-qq", "--constraint", str(TOP / "constraints.txt"), f"{TOP}[mlflow]"]
    for words in ([sys.executable, "-m", "venv", str(tmp_path / "venv")], pip):
        subprocess.run(words, check=True)
    (project / "diag.py").write_text(DIAG.format(absent=()))
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    subprocess.run([python, "diag.py"], check=True, env=environment)
    assert Store(f"sqlite:///{project / 'mlflow.db'}").statuses() == ["deprecated", "active"]
