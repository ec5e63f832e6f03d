"""What tests build their projects from."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

Script = Callable[..., "subprocess.CompletedProcess[str]"]

EXPERIMENT = '''
from dataclasses import dataclass
from pathlib import Path

from omegaconf import OmegaConf

from naga import clicfg, runlock, snapshot, track_data


@dataclass
class Config:
    save_dir: str = "results/run"  # where the results go
    input_data: str = "data/raw.csv"
    learning_rate: float = 0.01
    epochs: int = 10


@runlock
@snapshot
@track_data("input_data")
@clicfg
def main(cfg: Config = OmegaConf.structured(Config)):
    """Train a model."""
    Path(cfg.save_dir, "model.txt").write_text(f"{cfg.learning_rate} {cfg.epochs}")
    return cfg


if __name__ == "__main__":
    print(main().save_dir)
'''


def git(*words: str, cwd: Path) -> str:
    """Run git as a user would, and give what it prints."""
    identity = ("-c", "user.name=Ana", "-c", "user.email=ana@example.org", "-c", "init.defaultBranch=main")
    done = subprocess.run(["git", *identity, *words], cwd=cwd, check=True, capture_output=True, text=True)
    return done.stdout


def specified_example() -> str:
    """The code of the specification's example, as it is printed there."""
    page = Path(__file__).with_name("specification").joinpath("DIAGNOSTIC_WORKFLOW.md").read_text()
    code = re.search(r"```python\n(.*?)```", page, re.DOTALL)
    assert code
    return code[1]
