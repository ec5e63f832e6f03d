"""Whole processes: `import naga` against `import omegaconf`, and a script with every decorator against the bare one."""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROUNDS = 15
# Users have their byte code cached; who develops may have said not to write it.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}

BARE = """
from dataclasses import dataclass
from pathlib import Path
from omegaconf import OmegaConf

@dataclass
class Config:
    save_dir: str = "results/{name}"
    input_data: str = "data/raw.csv"
    epochs: int = 10

{decorators}
def main(cfg: Config = OmegaConf.structured(Config)):
    Path(cfg.save_dir).mkdir(parents=True, exist_ok=True)
    Path(cfg.save_dir, "model.txt").write_text(Path(cfg.input_data).read_text() * cfg.epochs)
    return cfg

if __name__ == "__main__":
    main({argument})
"""
DECORATORS = """from naga import clicfg, runlock, snapshot, track_data

@runlock
@snapshot
@track_data("input_data")
@clicfg"""


def seconds(words: list[str], cwd: Path) -> float:
    """Time one whole process."""
    began = time.perf_counter()
    subprocess.run([sys.executable, *words], cwd=cwd, check=True, capture_output=True, env=ENVIRONMENT)
    return time.perf_counter() - began


def compare(what: str, ours: list[str], baseline: list[str], cwd: Path, budget_ms: float) -> None:
    """Time the two in turn, so that both meet the same machine, and print medians and their difference."""
    pairs = [(seconds(ours, cwd), seconds(baseline, cwd)) for _ in range(ROUNDS + 1)][1:]
    mine, theirs = (statistics.median(column) * 1000 for column in zip(*pairs, strict=True))
    added = statistics.median((a - b) * 1000 for a, b in pairs)
    print(f"{what:34} {mine:7.0f} ms  baseline {theirs:5.0f} ms  adds {added:5.0f} ms (budget {budget_ms:.0f})")


def make_project(folder: Path) -> None:
    """Make a repository with the bare script and the decorated one, and something that is not committed."""
    (folder / "data").mkdir()
    (folder / "data" / "raw.csv").write_text("1\n" * 1000)
    (folder / ".gitignore").write_text("data/\nresults/\n")
    (folder / "bare.py").write_text(BARE.format(name="bare", decorators="", argument=""))
    (folder / "ours.py").write_text(BARE.format(name="ours", decorators=DECORATORS, argument=""))
    for words in (["init", "-q"], ["add", "-A"], ["-c", "user.name=n", "-c", "user.email=n@x", "commit", "-qm", "one"]):
        subprocess.run(["git", *words], cwd=folder, check=True)
    (folder / "draft.py").write_text("not_committed = True\n")


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_project(folder)
        compare(
            "import naga on top of omegaconf", ["-c", "import omegaconf, naga"], ["-c", "import omegaconf"], folder, 60
        )
        compare("full capture / bare script", ["ours.py"], ["bare.py"], folder, 150)
