"""Sweeps beside those of other tools: seconds a point, and what the same command does after SIGKILL half way."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks.overhead import ENVIRONMENT, other_python

POINTS, JOBS = 12, 2
SEEDS = ",".join(map(str, range(POINTS)))
WORK = """
import os, time
from pathlib import Path

def compute(seed, folder="."):
    with open(os.environ["COUNT"], "a") as file:
        file.write(f"{seed}\\n")
    time.sleep(float(os.environ.get("TAKES", "0")))
    Path(folder, f"result-{seed}.txt").write_text(str(seed))
    with open(os.environ["COUNT"].replace("count", "ended"), "a") as file:
        file.write(f"{seed}\\n")
"""
NAGA = """
from dataclasses import dataclass
from naga import clicfg, runlock, snapshot
from work import compute
PATH

@dataclass
class Config:
    save_dir: str = "results/naga"
    seed: int = 0

@runlock
@snapshot
@clicfg
def main(cfg: Config):
    compute(cfg.seed, cfg.save_dir)

if __name__ == "__main__":
    main()
"""
HYDRA = """
from dataclasses import dataclass
import hydra
from hydra.core.config_store import ConfigStore
from work import compute

@dataclass
class Config:
    seed: int = 0

ConfigStore.instance().store(name="config", node=Config)

@hydra.main(version_base=None, config_name="config")
def main(cfg):
    compute(cfg.seed)

if __name__ == "__main__":
    main()
"""
FLEXLOCK = """
from flexlock import flexcli
from work import compute

@flexcli
def main(seed=0, save_dir="results/flexlock"):
    compute(seed, save_dir)

if __name__ == "__main__":
    main()
"""
EXCA = f"""
import exca
import pydantic
from work import compute

class Task(pydantic.BaseModel):
    seed: int = 0
    infra: exca.TaskInfra = exca.TaskInfra(version="1")

    @infra.apply
    def run(self) -> int:
        compute(self.seed)
        return self.seed

if __name__ == "__main__":
    task = Task(infra=dict(folder="results", cluster="local"))
    with task.infra.job_array(max_workers={JOBS}) as tasks:
        tasks.extend(task.infra.clone_obj(seed=seed) for seed in range({POINTS}))
    for one in tasks:
        one.run()
"""
SIGNAC = f"""
from concurrent.futures import ProcessPoolExecutor
import signac
from work import compute

def one(job):
    if not job.isfile(f"result-{{job.sp.seed}}.txt"):
        compute(job.sp.seed, job.path)

if __name__ == "__main__":
    project = signac.init_project()
    jobs = [project.open_job(dict(seed=seed)) for seed in range({POINTS})]
    for job in jobs:
        job.init()
    with ProcessPoolExecutor({JOBS}) as pool:
        list(pool.map(one, jobs))
"""
DVC = "import sys; from work import compute; compute(open('params.yaml').read().split()[1])\n"
DVC_STAGE = "stages: {one: {cmd: python one.py, deps: [one.py, work.py], params: [seed]}}\n"


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """A tool's script, how it is swept, and what has to be installed for it; nothing for Naga itself."""

    name: str
    code: str
    words: tuple[str, ...]
    needs: tuple[str, ...] = ()


def _naga(name: str, *words: str, path: str = "") -> Sweep:
    listed = ("--sweep", f"seed=range({POINTS})", "--jobs", str(JOBS), *words)
    return Sweep(name=f"Naga, {name}", code=NAGA.replace("PATH", path), words=listed)


def _hydra(launcher: str, *words: str) -> Sweep:
    needs = ("hydra-core==1.3.2", "hydra-joblib-launcher==1.2.0", "hydra-submitit-launcher==1.2.0")
    listed = ("--multirun", f"hydra/launcher={launcher}", *words, f"seed={SEEDS}", "hydra.sweep.dir=results")
    return Sweep(name=f"Hydra, {launcher}", code=HYDRA, words=listed, needs=needs)


SWEEPS = [
    _naga("local, forked"),
    _naga("local, a process each", path="HERE = __file__"),
    _naga("Dask", "--launcher", "dask"),
    _naga("Slurm", "--launcher", "slurm"),
    _hydra("basic"),
    _hydra("joblib", f"hydra.launcher.n_jobs={JOBS}"),
    _hydra("submitit_local"),
    Sweep(
        name="FlexLock",
        code=FLEXLOCK,
        needs=("flexlock==0.10.0",),
        words=("--sweep", SEEDS, "--sweep-target", "seed", "--n_jobs", str(JOBS)),
    ),
    Sweep(name="exca", code=EXCA, words=(), needs=("exca",)),
    Sweep(name="signac", code=SIGNAC, words=(), needs=("signac",)),
    Sweep(name="DVC exp", code=DVC, words=(), needs=("dvc",)),
]


def commands(sweep: Sweep) -> list[list[str]] | None:
    """Give what is typed for a sweep, in order; None where the tool cannot be had."""
    python = other_python(*sweep.needs) if sweep.needs else sys.executable
    if python is None:
        return None
    if sweep.name != "DVC exp":
        return [[python, "one.py", *sweep.words]]
    queued = [[python, "-m", "dvc", "exp", "run", "--queue", "-S", f"seed={seed}"] for seed in range(POINTS)]
    return [*queued, [python, "-m", "dvc", "exp", "run", "--run-all", "-j", str(JOBS)]]


def project(folder: Path, sweep: Sweep) -> None:
    """Make a repository with the script of a sweep."""
    files = {
        "work.py": WORK,
        "one.py": sweep.code,
        ".gitignore": "results/\nworkspace/\n.signac/\n*.txt\n__pycache__/\n",
    }
    if sweep.name == "DVC exp":
        files |= {"params.yaml": "seed: 0\n", "dvc.yaml": DVC_STAGE}
    for name, text in files.items():
        (folder / name).write_text(text)
    git = ["git", "-c", "user.name=n", "-c", "user.email=n@x"]
    for words in ([*git, "init", "-q"], [*git, "add", "-A"], [*git, "commit", "-qm", "one"]):
        subprocess.run(words, cwd=folder, check=True)
    if sweep.name == "DVC exp" and (typed := commands(sweep)):
        for words in ([*typed[0][:3], "init", "-q"], [*git, "add", "-A"], [*git, "commit", "-qm", "dvc"]):
            subprocess.run(words, cwd=folder, check=True)


def run(folder: Path, typed: list[list[str]], takes: float, kill_at: int = 0) -> str:
    """Type the commands one after the other; kill the last when so many points have begun. Give its last line."""
    path = f"{Path(typed[0][0]).parent}:{os.environ['PATH']}"  # DVC calls python
    environment = {**ENVIRONMENT, "COUNT": str(folder / "count.txt"), "TAKES": str(takes), "PATH": path}
    for words in typed:
        with (folder / "said.txt").open("w+") as said:
            process = subprocess.Popen(words, cwd=folder, env=environment, stdout=said, stderr=said)
            try:
                until = time.monotonic() + 120
                while process.poll() is None and time.monotonic() < until:
                    time.sleep(0.02)
                    if kill_at and counted(folder).total() >= kill_at:
                        break
            finally:
                process.kill()
                process.wait()
            said.seek(0)
            lines = [line.strip() for line in said.read().splitlines() if line.strip()]
    return lines[-1] if lines else ""


def counted(folder: Path, what: str = "count") -> Counter[str]:
    """Count how often each point was begun, or ended."""
    file = folder / f"{what}.txt"
    return Counter(file.read_text().split()) if file.exists() else Counter()


def row(sweep: Sweep) -> str:
    """Measure a sweep, and kill another; each in a new repository."""
    with ExitStack() as stack:
        folders = [Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))) for _ in range(2)]
        for folder in folders:
            project(folder, sweep)
        typed = commands(sweep)
        if typed is None:
            return f"| {sweep.name} | could not be installed | | |"
        began = time.perf_counter()
        run(folders[0], typed, 0)
        seconds = (time.perf_counter() - began) / POINTS
        complete = len(counted(folders[0]))
        run(folders[1], typed, 1, kill_at=POINTS // 2)
        time.sleep(3)  # for what goes on without its driver
        before, ended = counted(folders[1]), counted(folders[1], "ended")
        said = run(folders[1], typed[-1:], 1)
        after = counted(folders[1])
        again = sum(after[seed] > before[seed] for seed in ended)
        cells = (
            f"{seconds:.2f} s" if complete == POINTS else f"{complete} of {POINTS} computed",
            f"{len(ended)} had ended, {again} of them computed again, {len(counted(folders[1], 'ended'))} in the end",
            said[-100:].replace("|", "\\|"),
        )
        for folder in folders:
            end_what_is_left(folder)
        return f"| {sweep.name} | {' | '.join(cells)} |"


def end_what_is_left(folder: Path) -> None:
    """Kill the workers that a tool has left, which know the folder from their environment."""
    for place in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if f"COUNT={folder}/".encode() in (place / "environ").read_bytes():
                os.kill(int(place.name), signal.SIGKILL)


def main() -> None:
    """Print the table."""
    sys.path.append(str(Path(__file__).parents[1] / "tests"))
    import slurm_cluster

    print(f"| {POINTS} points, {JOBS} at once | a point | SIGKILL after half, the same command | its last line |")
    print("| --- | --- | --- | --- |")
    for sweep in SWEEPS:
        with ExitStack() as stack:
            if sweep.name == "Naga, Slurm":
                if reason := slurm_cluster.why_not():
                    print(f"| {sweep.name} | {reason} | | |")
                    continue
                stack.enter_context(slurm_cluster.cluster(Path(stack.enter_context(tempfile.TemporaryDirectory()))))
            cache = stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
            ENVIRONMENT["NAGA_CACHE_DIR"] = cache
            print(row(sweep), flush=True)
