"""Make a corpus of run folders, claims and an MLflow store with the Naga that is installed.

Every release keeps one: ``python tests/compat/make_corpus.py tests/compat/<version>``. It is built in a folder that
every machine has, under a host name that none has, so that nothing of the machine that made it stays in it. What each
folder must be read as stands in ``expected.json`` beside the archive.
"""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
from pathlib import Path

import naga

PLACE = Path("/tmp/naga-corpus")  # the same on every machine
PROJECT = PLACE / "project"
PYTHON = PLACE / "python/bin/python"
# What a process reads of its machine, before anything else is imported.
MACHINE = """import os, socket
uname = os.uname()
os.uname = lambda: type(uname)(("Linux", "corpus", "6.1.0", "#1", uname.machine))
socket.gethostname = lambda: "corpus"
"""
EXPERIMENT = '''"""A small experiment that ends in every way there is."""

import json
import os
import signal
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

import mlflow
from omegaconf import OmegaConf

import naga
from naga import clicfg, load_stage, runlock, snapshot, track_data
from naga.mlflow_log import mlflow_log_run


class Colour(Enum):
    RED = 1
    GREEN = 2


@dataclass
class Optim:
    lr: float = 0.1
    betas: tuple[float, float] = (0.9, 0.999)


@dataclass
class Config:
    save_dir: str = "results/run"
    input_data: str = "data/raw.csv"
    folder: Path = Path("data/parts")
    colour: Colour = Colour.RED
    optim: Optim = field(default_factory=Optim)
    password: str = "swordfish"  # noqa: S105
    ends: str = "well"


@runlock
@snapshot
@track_data("input_data", "folder")
@clicfg
def main(cfg: Config = OmegaConf.structured(Config)):
    """Compute a number, or end otherwise."""
    print("computing", cfg.save_dir)
    Path(cfg.save_dir, "result.json").write_text(json.dumps({"score": cfg.optim.lr * 2}))
    if cfg.ends == "fail":
        raise ValueError("diverged")
    if cfg.ends == "term":
        os.kill(os.getpid(), signal.SIGTERM)
    if cfg.ends == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    return cfg


@runlock
@clicfg
def plain(cfg: dict = {"save_dir": "results/plain", "lr": 0.5}):
    """Leave a run without a snapshot."""
    Path(cfg["save_dir"], "a.txt").write_text("a")


@runlock
@load_stage("first")
@clicfg
def second(cfg: dict = {"save_dir": "results/second", "first": "results/finished"}):
    """Read the results of an earlier run."""
    score = json.loads(Path(cfg["first"], "result.json").read_text())["score"]
    Path(cfg["save_dir"], "double.txt").write_text(str(2 * score))


@mlflow_log_run
def diag(cfg: Config):
    """Publish the score, and a small table."""
    mlflow.log_metrics(json.loads(Path(cfg.save_dir, "result.json").read_text()))
    naga.diag_dir().joinpath("table.csv").write_text("score")


if __name__ == "__main__":
    diag(main())
'''
ENDINGS = {
    "results/failed": "fail",
    "results/killed": "term",
    "results/lost": "kill",
    "results/second-attempt": "fail",
}


# By hand: a status that the Naga of that day reads wrongly must not become what is expected.
STATUSES = {"results/failed": "failed", "results/killed": "killed", "results/lost": "lost"}


def main(target: Path) -> None:
    """Build the corpus below `PLACE`, and pack it into ``target``."""
    shutil.rmtree(PLACE, ignore_errors=True)
    _lay_out()
    _run_all()
    target.mkdir(parents=True, exist_ok=True)
    (target / "expected.json").write_text(json.dumps(_expected(), indent=1, sort_keys=True) + "\n")
    with tarfile.open(target / "corpus.tar.xz", "w:xz") as archive:
        archive.add(PROJECT, "project", filter=_anonymous)
    shutil.rmtree(PLACE)
    print(f"{target / 'corpus.tar.xz'}: {(target / 'corpus.tar.xz').stat().st_size // 1024} kB")  # noqa: T201


def _lay_out() -> None:
    (PROJECT / "data/parts").mkdir(parents=True)
    venv.create(PYTHON.parents[1], symlinks=True)
    site = Path(sysconfig.get_path("purelib", vars={"base": str(PYTHON.parents[1])}))
    (site / "sitecustomize.py").write_text(MACHINE)
    (site / "here.pth").write_text(f"{PLACE / 'source'}\n{PLACE / 'packages'}\n")
    shutil.copytree(Path(naga.__file__).parent, PLACE / "source/naga")  # tracebacks name its files
    # An editable install names the folder that it was made from.
    shutil.copytree(
        sysconfig.get_path("purelib"), PLACE / "packages", copy_function=os.symlink,
        ignore=shutil.ignore_patterns("direct_url.json", "*.pth"),
    )  # fmt: skip
    (PROJECT / "exp.py").write_text(EXPERIMENT)
    (PROJECT / "data/raw.csv").write_text("1\n2\n3\n")
    for name in "ab":
        (PROJECT / f"data/parts/{name}.csv").write_text(name)
    (PROJECT / ".gitignore").write_text("results/\ndata/\nmlflow.db\nmlruns/\n__pycache__/\n")
    _git("init", "-q", "-b", "main")
    _git("add", "exp.py", ".gitignore")
    _git("commit", "-qm", "Begin")
    with (PROJECT / "exp.py").open("a") as file:
        file.write("# an uncommitted change\n")


def _run_all() -> None:
    _python("exp.py", "save_dir=results/finished")
    for _ in range(2):
        _python("exp.py", "save_dir=results/archived-once", "optim.lr=0.2")
    for folder, ends in ENDINGS.items():
        _python("exp.py", f"save_dir={folder}", f"ends={ends}", check=False)
    _python("exp.py", "save_dir=results/second-attempt")
    _python("exp.py", "--reuse", "results/finished")
    _python("-c", "import exp; exp.plain(); exp.second()")


def _expected() -> dict[str, dict[str, object]]:
    os.chdir(PROJECT)
    return {
        _place(run): {"status": STATUSES.get(_place(run), "finished"), "task": run.record.task}
        | {"attempt": run.record.attempt, "run_id": run.run_id}
        for run in naga.find_runs("results", archived=True)
    }


def _place(run: naga.Run) -> str:
    return str(run.save_dir.relative_to(PROJECT))


def _anonymous(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    if Path(entry.name).name == "__pycache__":
        return None
    entry.uid = entry.gid = 0
    entry.mtime -= 86_400  # a lost run is known by a heartbeat that is old
    entry.uname = entry.gname = ""
    return entry


def _git(*words: str) -> None:
    who = ("-c", "user.name=Ana", "-c", "user.email=ana@example.org")
    subprocess.run(["git", *who, *words], cwd=PROJECT, check=True)


def _python(*words: str, check: bool = True) -> None:
    """Run a script as its user would, on a machine called `corpus`."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    environment = {**kept, "NAGA_CACHE_DIR": str(PLACE / "cache"), "USER": "ana"}
    done = subprocess.run([str(PYTHON), *words], cwd=PROJECT, env=environment, check=False)
    if check and done.returncode:
        sys.exit(f"{words} ended with {done.returncode}")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
