"""Secrets reach the function, and nothing that Naga writes."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf
from workbench import Script, git

from naga import load_run, runlock
from naga.cli import main as naga
from naga.errors import ConfigError

SCRIPT = """
import os, sys
from dataclasses import dataclass, field
from pathlib import Path

import mlflow
from omegaconf import OmegaConf
from naga import clicfg, runlock, snapshot, track_data
from naga.mlflow_log import mlflow_log_run


@dataclass
class Database:
    password: str = "unset"
    pin: int = 0


@dataclass
class Config:
    save_dir: str = "results/run"
    source: str = "data/raw.csv?password=query-canary-0001"
    api_key: str = "${oc.env:SERVICE_API_KEY}"
    url: str = "https://ana:url-canary-0002@host/x"
    note: str = ""
    extra: dict = field(default_factory=lambda: {"credentials": {"user": "nested-canary-0003"}, "blob": b""})
    db: Database = field(default_factory=Database)
    max_tokens: int = 512


@runlock
@snapshot(message="Run with env-canary-0004")
@track_data("source")
@clicfg
def main(cfg: Config = OmegaConf.structured(Config)):
    assert cfg.api_key == "env-canary-0004", cfg.api_key
    assert cfg.db.password == "argv-canary-0005"
    print("the key is", cfg.api_key)
    del os.environ["SERVICE_API_KEY"]
    if cfg.note == "fail":
        raise ValueError(f"rejected: {cfg.api_key} and {cfg.db.password}")
    cfg.note = "changed, with " + cfg.api_key
    return cfg


@mlflow_log_run(allow_unfinished=True)
def diag(cfg: Config):
    mlflow.log_metric("one", 1)


if __name__ == "__main__":
    cfg = main()
    os.environ["SERVICE_API_KEY"] = "env-canary-0004"
    if "DIAG" in os.environ:
        diag(cfg)
"""
CANARIES = ("query-canary-0001", "url-canary-0002", "nested-canary-0003", "env-canary-0004", "argv-canary-0005")


@pytest.fixture
def secret(project: Path, script: Script) -> Any:
    """Run a script whose configuration, environment and command line hold secrets."""
    Path("data/raw.csv?password=query-canary-0001").write_text("1\n")
    Path("secret.py").write_text(SCRIPT)

    def run(*words: str, check: bool = True, **environment: str) -> "subprocess.CompletedProcess[str]":
        given = ("db.password=argv-canary-0005",)
        return script("secret.py", *given, *words, check=check, SERVICE_API_KEY="env-canary-0004", **environment)

    return run


def leaks(*folders: Path) -> list[str]:
    """Find canaries in the bytes of all files."""
    files = [file for folder in folders for file in folder.rglob("*") if file.is_file()]
    found = [f"{file}: {canary}" for file in files for canary in CANARIES if canary.encode() in file.read_bytes()]
    assert len(files) > 3
    return found


def test_a_canary_in_each_place_is_found_nowhere(
    secret: Any, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Configuration, its end, argv, environment, addresses, the commit's message: not in the folder, nor in MLflow."""
    done = secret(DIAG="1")
    assert "the key is env-canary-0004" in done.stdout  # what a script prints is its own
    assert not [canary for canary in CANARIES if canary in done.stderr]
    assert leaks(project / "results", project / "mlruns") == []
    store = (project / "mlflow.db").read_bytes()
    assert not [canary for canary in CANARIES if canary.encode() in store]
    assert "Run with <redacted>" in git("log", "-1", "--format=%B", "run_logs", cwd=project)
    record = load_run("results/run").record
    assert record.config["max_tokens"] == 512
    assert record.config["db"]["password"] == "<redacted>"
    assert record.config["url"] == "https://ana:<redacted>@host/x"
    assert naga(["show", "results/run"]) == 0
    shown = capsys.readouterr().out
    for key in ("api_key", "db.password", "extra.credentials.user", "(command line)"):
        assert key in next(line for line in shown.splitlines() if line.startswith("redacted"))


def test_a_failure_is_recorded_without_its_secrets(secret: Any, project: Path) -> None:
    """Message and traceback; the variable is gone by then, and remembered."""
    done = secret("note=fail", check=False)
    assert done.returncode == 1
    assert "rejected: env-canary-0004" in done.stderr  # the exception itself is left as it was raised
    assert leaks(project / "results") == []
    error = load_run("results/run").record.error
    assert error is not None
    assert error.message == "rejected: <redacted> and <redacted>"


def test_errors_and_pages_of_naga_do_not_tell(secret: Any, project: Path) -> None:
    """A wrong value, --show-config and --help."""
    for words, code in ((("db.pin=abc-api_key=argv-canary-0005",), 2), (("--show-config",), 0), (("--help",), 0)):
        done = secret(*words, check=False)
        assert done.returncode == code
        assert not [canary for canary in CANARIES if canary in done.stdout + done.stderr], done
    assert not (project / "results").exists()


def test_a_run_is_used_again_with_its_secrets(secret: Any, project: Path, script: Script) -> None:
    """--existing reuse, --reuse and --config take them from the environment or an override."""
    secret()
    same = secret("--existing", "reuse", check=False)
    assert "not computing" in same.stderr
    for words in (("--reuse", "results/run", "db.password=argv-canary-0005"), ("--reuse", "results/run")):
        done = script("secret.py", *words, SERVICE_API_KEY="env-canary-0004")
        assert "warning" not in done.stderr
        assert "redacted in its run.lock, so what is declared now is used" in done.stderr
    refused = script("secret.py", "--reuse", "results/run", "note=x", SERVICE_API_KEY="env-canary-0004", check=False)
    assert "note cannot be changed" in refused.stderr
    again = ("--config", "results/run/run.lock", "--experiment", "config", "save_dir=results/again")
    script("secret.py", *again, "db.password=argv-canary-0005", SERVICE_API_KEY="env-canary-0004")
    assert load_run("results/again").status == "finished"


def test_a_redacted_value_is_never_taken_for_the_secret(project: Path) -> None:
    """What the declaration does not give is refused, or said."""
    defaults = {"save_dir": "results/run", "password": "???", "lr": 0.1}
    task = runlock(lambda cfg=OmegaConf.create(defaults): cfg.password)
    assert task(password="hunter2-hunter2") == "hunter2-hunter2"
    recorded = load_run("results/run").config
    assert recorded.password == "<redacted>"
    with pytest.raises(ConfigError, match="password has no value"):
        task(recorded)
    with pytest.raises(ConfigError, match="it was redacted"):
        task(password="<redacted>")
