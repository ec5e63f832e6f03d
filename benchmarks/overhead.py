"""Whole processes: `import naga` and a full capture against what they are added to, beside other tools."""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks._figures import found

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
from naga.mlflow_log import mlflow_log_run  # as the specification's example has it

@runlock
@snapshot
@track_data("input_data")
@clicfg"""


# The same work under other tools, each with all that it records of a run: FlexLock code, data and environment; Sacred
# sources, configuration, console and environment; Hydra configuration and log alone.
BODY = """    folder = Path("results/{name}")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.txt").write_text(Path("data/raw.csv").read_text() * epochs)
"""
OTHERS = {
    "flexlock==0.10.0": """
from pathlib import Path
from flexlock import flexcli

@flexcli(snapshot_config={"repos": {"main": "."}, "data": {"input": "data/raw.csv"}})
def main(epochs=10, save_dir="results/flexlock"):
BODY
if __name__ == "__main__":
    main()
""",
    "sacred==0.8.7": """
from pathlib import Path
from sacred import Experiment
from sacred.observers import FileStorageObserver
ex = Experiment("sacred")
ex.observers.append(FileStorageObserver("results/sacred-runs"))

@ex.config
def config():
    epochs = 10

@ex.automain
def main(epochs):
BODY""",
    "hydra-core==1.3.2": """
from dataclasses import dataclass
from pathlib import Path
import hydra
from hydra.core.config_store import ConfigStore

@dataclass
class Config:
    epochs: int = 10

ConfigStore.instance().store(name="config", node=Config)

@hydra.main(version_base=None, config_name="config")
def main(cfg):
    epochs = cfg.epochs
BODY
if __name__ == "__main__":
    main()
""",
}
FURTHER = {"sacred": ["setuptools<81"]}
ENVIRONMENTS = Path(__file__).parents[1] / ".venv"


def other_python(requirement: str, *more: str) -> str | None:
    """Return the interpreter that has another tool, installing it first; None where that cannot be had."""
    name = requirement.partition("==")[0]
    python = ENVIRONMENTS / name / "bin" / "python"
    if not python.exists():
        install = [str(python), "-m", "pip", "install", "-qq", requirement, *more, *FURTHER.get(name, [])]
        for words in ([sys.executable, "-m", "venv", str(ENVIRONMENTS / name)], install):
            if subprocess.run(words, check=False, capture_output=True).returncode:
                return None
    return str(python)


def seconds(words: list[str], cwd: Path, python: str = sys.executable) -> float:
    """Time one whole process, in a folder without results."""
    shutil.rmtree(cwd / "results", ignore_errors=True)
    began = time.perf_counter()
    subprocess.run([python, *words], cwd=cwd, check=True, capture_output=True, env=ENVIRONMENT)
    return time.perf_counter() - began


def compare(what: str, ours: list[str], baseline: list[str], cwd: Path, budget_ms: float) -> None:
    """Time the two in turn, so that both meet the same machine, and print medians and their difference."""
    pairs = [(seconds(ours, cwd), seconds(baseline, cwd)) for _ in range(ROUNDS + 1)][1:]
    mine, theirs = (statistics.median(column) * 1000 for column in zip(*pairs, strict=True))
    added = statistics.median((a - b) * 1000 for a, b in pairs)
    print(f"{what:38} {mine:7.0f} ms  baseline {theirs:5.0f} ms  adds {added:5.0f} ms (budget {budget_ms:.0f})")
    found(what, added, "ms", budget_ms)


def compare_others(folder: Path) -> None:
    """Time the other tools and Naga in turn, each against its own bare script: the same work, nothing imported."""
    contenders = {"naga": (sys.executable, "ours.py", "bare.py")}
    for requirement, code in OTHERS.items():
        name = requirement.partition("==")[0]
        body = BODY.replace("{name}", name)
        (folder / f"with_{name}.py").write_text(code.replace("BODY\n", body).replace("BODY", body))
        if python := other_python(requirement):
            contenders[requirement] = (python, f"with_{name}.py", "plain.py")
        else:
            print(f"{requirement} could not be installed: left out")
    (folder / "plain.py").write_text(
        "from pathlib import Path\nepochs = 10\nif True:\n" + BODY.replace("{name}", "plain")
    )
    contenders["naga, plain"] = (sys.executable, "ours.py", "plain.py")
    rounds = [
        {
            name: seconds([script], folder, python) - seconds([bare], folder, python)
            for name, (python, script, bare) in contenders.items()
        }
        for _ in range(ROUNDS + 1)
    ][1:]
    for name in contenders:
        added = statistics.median(each[name] for each in rounds) * 1000
        print(f"{name:20} adds {added:6.0f} ms to its bare script")
        if name != "naga":
            found(f"{name.replace(', plain', '').replace('==', ' ')} over a plain script", added, "ms")


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
        imports = "import omegaconf, naga, naga.mlflow_log"
        compare("imports, on top of OmegaConf's", ["-c", imports], ["-c", "import omegaconf"], folder, 40)
        compare("a full capture, over the same script", ["ours.py"], ["bare.py"], folder, 100)
        compare_others(folder)
