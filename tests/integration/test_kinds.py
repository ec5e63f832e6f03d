"""The kind of object that a task declares reaches its diag, whatever way the diag is called."""

import sys
from pathlib import Path

import pytest
from workbench import Script

EXPERIMENT = """
from dataclasses import dataclass
from pydantic import BaseModel
from omegaconf import OmegaConf
from naga import clicfg, runlock
from naga.mlflow_log import mlflow_log_run

KIND

def note(where, cfg):
    with open("seen.txt", "a") as file:
        print(where, type(cfg).__name__, cfg["lr"] if isinstance(cfg, dict) else cfg.lr, file=file)

@runlock
@clicfg
def main(cfg=DEFAULT):
    note("main", cfg)
    return cfg

@mlflow_log_run
def diag(cfg):
    note("diag", cfg)

if __name__ == "__main__":
    diag(main())
    diag("results/a")
"""
FIELDS = "\n    save_dir: str = 'results/a'\n    lr: float = 0.1\n"
KINDS = {
    "model": ("class Config(BaseModel):" + FIELDS, "Config()", "Config"),
    "plain class": ("class Config:" + FIELDS, "Config()", "Config"),
    "structured": ("@dataclass\nclass Config:" + FIELDS, "OmegaConf.structured(Config)", "DictConfig"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_diag_gets_what_its_task_declares(project: Path, script: Script, kind: str) -> None:
    """From the task, by --reuse, by path and by `naga diag`, though it declares nothing itself."""
    source, default, name = KINDS[kind]
    (project / "exp.py").write_text(EXPERIMENT.replace("KIND", source).replace("DEFAULT", default))
    script("exp.py", "lr=0.5")
    script("exp.py", "--reuse", "results/a")
    script(str(Path(sys.executable).with_name("naga")), "diag", "exp.py", "results/a")
    assert (project / "seen.txt").read_text().splitlines() == [f"main {name} 0.5", *[f"diag {name} 0.5"] * 5]
