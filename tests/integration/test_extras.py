"""A Naga without its extras: what needs one says which command installs it, and the types of the rest are shipped."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from workbench import Script

import naga
from naga.errors import NagaError
from naga.record.schema import Environment
from naga.reproduce.environment import make_environment

# Imported by Python before everything else, as it is on the path: the named packages are as though not installed.
HIDING = "import sys\nfor name in {names!r}:\n    sys.modules[name] = None\n"
DIAG = """
from exp import main
from naga.mlflow_log import mlflow_log_run

@mlflow_log_run
def diag(cfg):
    pass

if __name__ == "__main__":
    diag("results/run")
"""


@pytest.fixture
def without(script: Script) -> Callable[..., str]:
    """Run a command where packages are missing, after a run was made where they are not; what it says."""

    def run(missing: str, *words: str, **environment: str) -> str:
        script("exp.py")
        Path("hidden").mkdir()
        Path("hidden/sitecustomize.py").write_text(HIDING.format(names=missing.split()))
        done = script(*words, check=False, PYTHONPATH="hidden", **environment)
        assert done.returncode == 2, done.stderr
        assert "Traceback" not in done.stderr
        return done.stderr

    return run


NAGA = "import sys; from naga.cli import main; sys.exit(main(sys.argv[1:]))"
NEEDS_WORDS = {
    "slurm": ("submitit", ["exp.py", "--sweep", "learning_rate=1,2", "save_dir=results/sweep", "--launcher", "slurm"]),
    "dask": ("distributed", ["exp.py", "--sweep", "learning_rate=1,2", "save_dir=results/sweep", "--launcher", "dask"]),
    "remote": ("fsspec fsspec.core", ["exp.py", "input_data=s3://bucket/raw.csv"]),
    "crate": ("rocrate rocrate.rocrate", ["-c", NAGA, "export", "results/run", "--to", "run.zip"]),
    "mlflow": ("mlflow", ["diag.py"]),
}


@pytest.mark.parametrize("extra", NEEDS_WORDS)
def test_what_is_missing_names_its_command(extra: str, without: Callable[..., str]) -> None:
    """One line, and the command of pip that brings it."""
    Path("diag.py").write_text(DIAG)
    missing, words = NEEDS_WORDS[extra]
    assert f"naga-runs[{extra}]" in without(missing, *words).splitlines()[-1]


def test_uv_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is a program: without it an environment cannot be made again."""
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    with pytest.raises(NagaError) as refused:
        recorded = Environment(python="3.11.7", executable="python", platform="Linux")
        make_environment(recorded, tmp_path, {}, tmp_path, build=False)
    assert refused.value.hint == "pip install 'naga-runs[reproduce]'"


def test_pandas_is_named(without: Callable[..., str]) -> None:
    """No extra of Naga's: most who want a table have it."""
    Path("table.py").write_text(
        "from naga import clicfg, find_runs\n@clicfg\ndef main(cfg={'x': 1}):\n"
        "    find_runs().to_dataframe()\nif __name__ == '__main__':\n    main()\n"
    )
    assert "hint: pip install pandas" in without("pandas", "table.py")


def test_types_are_shipped() -> None:
    """The marker that says so is a file of the package; the release compares the wheel with the source."""
    assert (Path(naga.__file__).parent / "py.typed").read_text() == ""
