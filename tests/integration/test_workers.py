"""A task that is sent to a worker is there what it is at home: same name, same code, same folder, and no words."""

from pathlib import Path

import pytest
from workbench import EXPERIMENT, Script, git

from naga import load_run

TASKS = """
from functools import partial
import siblings

def calls(**keys):
    return main(**keys)

def factory():
    @runlock
    @snapshot
    @track_data("input_data")
    @clicfg
    def inner(cfg: Config = OmegaConf.structured(Config)):
        return cfg
    return inner

@dataclass
class Laboratory:
    rate: float

    @runlock
    @snapshot
    @clicfg
    def work(self, cfg: Config = OmegaConf.structured(Config)):
        cfg.epochs = int(self.rate * 10)
        return cfg

    @runlock
    @snapshot
    @staticmethod
    def alone(cfg: Config = OmegaConf.structured(Config)):
        return cfg

@runlock
@snapshot
def outer(cfg: Config = OmegaConf.structured(Config)):
    return main(cfg, save_dir=cfg.save_dir + "/within")

other = runlock(snapshot(lambda cfg=Config(): cfg))

class Other(Config):
    pass

SENT = {
    "task": main,
    "function that calls it": calls,
    "lambda around it": lambda **keys: main(**keys),
    "partial": partial(main, epochs=10),
    "closure": factory(),
    "method": Laboratory(1.0).work,
    "static method": Laboratory.alone,
    "another name": other,
    "module": siblings.main,
    "calls a task": outer,
}
"""
# How each tool is given a function and the keys that it is called with.
TOOLS = """
def joblib(fn, **keys):
    from joblib import Parallel, delayed
    return Parallel(n_jobs=2)([delayed(fn)(**keys)])[0]

def submitit(fn, **keys):
    import submitit
    executor = submitit.LocalExecutor("../logs")
    executor.update_parameters(timeout_min=1)
    return executor.submit(fn, **keys).result()

def dask(fn, **keys):
    from distributed import Client, LocalCluster
    with LocalCluster(n_workers=1, dashboard_address=None, local_directory="../dask") as own, Client(own) as client:
        return client.submit(fn, **keys).result()

def pool(fn, how, keys):
    import multiprocessing
    with multiprocessing.get_context(how).Pool(1) as pool:
        return pool.apply(fn, (), keys)

def spawn(fn, **keys):
    return pool(fn, "spawn", keys)

def forkserver(fn, **keys):
    return pool(fn, "forkserver", keys)

def fork(fn, **keys):
    return pool(fn, "fork", keys)

def futures(fn, **keys):
    from concurrent.futures import ProcessPoolExecutor
    with ProcessPoolExecutor(1) as pool:
        return pool.submit(fn, **keys).result()
"""
GO = """
if __name__ == "__main__":
    import sys
    send = globals()[sys.argv[1]]
    for name in sys.argv[2].split(","):
        got = send(SENT[name], learning_rate=0.5, save_dir=f"results/{name}")
        kind = OmegaConf.get_type(got) if isinstance(got, DictConfig) else type(got)
        assert kind is (siblings.Config if name == "module" else Config), (name, kind)
        assert got.learning_rate == 0.5
"""
TASK_OF = {
    "task": "exp.main", "function that calls it": "exp.main", "lambda around it": "exp.main", "partial": "exp.main",
    "closure": "exp.factory.<locals>.inner", "method": "exp.Laboratory.work", "static method": "exp.Laboratory.alone",
    "another name": "exp.<lambda>", "module": "siblings.main", "calls a task": "exp.outer",
}  # fmt: skip
NOT_PICKLED = ("lambda around it", "closure")  # nor are their likes without Naga
TOOL_NAMES = {
    "joblib": "joblib (loky)",
    "submitit": "submitit (local)",
    "dask": "dask.distributed",
    "spawn": "multiprocessing, spawn",
    "forkserver": "multiprocessing, forkserver",
    "fork": "multiprocessing, fork",
    "futures": "ProcessPoolExecutor",
}


@pytest.fixture
def workers(project: Path) -> Path:
    """A project of which everything is committed, so that all of its runs have the same tree."""
    experiment = EXPERIMENT.partition("if __name__")[0].replace("import OmegaConf", "import DictConfig, OmegaConf")
    (project / "siblings.py").write_text(experiment)
    (project / "exp.py").write_text(experiment + TASKS + TOOLS + GO)
    git("add", ".", cwd=project)
    git("commit", "-qm", "Send", cwd=project)
    return project


@pytest.mark.parametrize("tool", TOOL_NAMES)
def test_it_is_the_same_task_there(workers: Path, script: Script, tool: str) -> None:
    """Its name in the lock, its script's snapshot, its data, its folder; and none of the words that were typed."""
    tree = git("rev-parse", "HEAD^{tree}", cwd=workers).strip()
    names = [name for name in TASK_OF if tool in ("joblib", "submitit", "dask") or name not in NOT_PICKLED]
    done = script("exp.py", tool, ",".join(names))
    assert "naga: " not in done.stderr
    for name in names:
        record = load_run(workers / "results" / name).record
        assert (record.status, record.task, record.save_dir) == ("finished", TASK_OF[name], f"results/{name}")
        assert [(code.path, code.tree, code.dirty) for code in record.code] == [(str(workers), tree, False)]
        assert record.process.argv[1:3] != ("exp.py", tool) or tool in ("fork", "futures")
