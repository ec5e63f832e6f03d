"""A task that is sent to a worker is there what it is at home: same name, same code, same folder, and no words."""

import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from workbench import EXPERIMENT, Script, check_table, git

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

@runlock
@snapshot
def number(cfg: Config = OmegaConf.structured(Config)):
    return cfg.learning_rate

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
    "gives a number": number,
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
        got = Config(learning_rate=got) if name == "gives a number" else got
        kind = OmegaConf.get_type(got) if isinstance(got, DictConfig) else type(got)
        assert kind is (siblings.Config if name == "module" else Config), (name, kind)
        assert got.learning_rate == 0.5
"""
TASK_OF = {
    "task": "exp.main", "function that calls it": "exp.main", "lambda around it": "exp.main", "partial": "exp.main",
    "closure": "exp.factory.<locals>.inner", "method": "exp.Laboratory.work", "static method": "exp.Laboratory.alone",
    "another name": "exp.<lambda>", "module": "siblings.main", "calls a task": "exp.outer",
    "gives a number": "exp.number",
}  # fmt: skip
BY_CLOUDPICKLE = ("joblib", "submitit", "dask")
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
HEAD = ["Sent by", "From a script", "From a notebook"]
EXPERIMENT_TEXT = EXPERIMENT.partition("if __name__")[0].replace("import OmegaConf", "import DictConfig, OmegaConf")


@pytest.fixture
def workers(project: Path) -> Path:
    """A project of which everything is committed, so that all of its runs have the same tree."""
    (project / "siblings.py").write_text(EXPERIMENT_TEXT)
    (project / "exp.py").write_text(EXPERIMENT_TEXT + TASKS + TOOLS + GO)
    git("add", ".", cwd=project)
    git("commit", "-qm", "Send", cwd=project)
    return project


def check(folder: Path, names: list[str], tasks: dict[str, str]) -> None:
    """Look at the locks of what was sent: as if it had run at home."""
    for name in names:
        record = load_run(folder / "results" / name).record
        assert (record.status, record.task, record.save_dir) == ("finished", tasks[name], f"results/{name}")
        (code,) = record.code
        assert code.path == str(folder)
        # A fork of a notebook's kernel has its cells at hand, and they are code.
        assert git("diff", "--name-only", "HEAD", str(code.commit), cwd=folder) in ("", ".naga-notebook/cells.py\n")


def write_row(tool: str, column: int, names: list[str]) -> None:
    """Say in the guarantees what arrived from where."""

    def edit(rows: dict[str, list[str]]) -> list[list[str]]:
        row = rows.setdefault(TOOL_NAMES[tool], ["-", "-"])
        row[column] = ", ".join(names)
        return [HEAD, *([known, *rows[known]] for known in TOOL_NAMES.values() if known in rows)]

    check_table("workers", edit)


@pytest.mark.parametrize("tool", TOOL_NAMES)
def test_it_is_the_same_task_there(workers: Path, script: Script, tool: str) -> None:
    """Its name in the lock, its script's snapshot, its data, its folder; and none of the words that were typed."""
    names = [name for name in TASK_OF if tool in BY_CLOUDPICKLE or name not in NOT_PICKLED]
    done = script("exp.py", tool, ",".join(names))
    assert "naga: " not in done.stderr
    check(workers, names, TASK_OF)
    write_row(tool, 0, names)


@pytest.mark.parametrize("tool", TOOL_NAMES)
def test_it_is_the_same_task_of_a_notebook(workers: Path, monkeypatch: pytest.MonkeyPatch, tool: str) -> None:
    """Its cells go along."""
    monkeypatch.setenv("IPYTHONDIR", str(workers.parent / "ipython"))
    names = [name for name in TASK_OF if tool in BY_CLOUDPICKLE or name in ("module", "gives a number")]
    sends = (
        f"for name in {names}:\n    print(name, {tool}(SENT[name], learning_rate=0.5, save_dir=f'results/{{name}}'))\n"
    )
    cells = [EXPERIMENT_TEXT + TASKS, TOOLS, sends, "main(save_dir='results/home')"]
    notebook = nbformat.from_dict(  # type: ignore[no-untyped-call]
        {"nbformat": 4, "nbformat_minor": 4, "metadata": {}}
        | {"cells": [{"cell_type": "code", "metadata": {}, "source": cell, "outputs": []} for cell in cells]}
    )
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(workers)}}).execute()
    home = load_run("results/home").record.task.rpartition("main")[0]
    check(workers, names, {name: task.replace("exp.", home) for name, task in TASK_OF.items()})
    write_row(tool, 1, names)


def test_a_worker_that_works_elsewhere(workers: Path, script: Script) -> None:
    """Relative paths mean the folder that the task was sent from, also for a worker that others have started."""
    (workers / "send.py").write_text(
        "import os, subprocess, sys\nfrom exp import *\nfrom distributed import Client, LocalCluster\n"
        "@runlock\n@track_data('input_data')\ndef near(cfg=Config()):\n"
        "    return os.getcwd(), len(Path(cfg.input_data).read_text())\n"
        "if __name__ == '__main__':\n"
        "    with LocalCluster(n_workers=0, dashboard_address=None) as own, Client(own) as client:\n"
        "        words = ['-m', 'distributed.cli.dask_worker', own.scheduler_address, '--no-dashboard', '--no-nanny']\n"
        "        worker = subprocess.Popen([sys.executable, *words, '--nthreads', '2'], cwd='/')\n"
        "        for n in (1, 2):\n"
        "            print(*client.submit(near, save_dir=f'results/{n}').result(timeout=60))\n"
        "            print(client.submit(lambda: near(save_dir='results/3')).result(timeout=60)[0])\n"
        "    worker.wait(30)\n"
    )
    done = script("send.py", "learning_rate=7", "--nonsense")
    assert done.stdout.split("\n")[:4] == [f"{workers} 4", str(workers)] * 2, done.stderr
    record = load_run(workers / "results/1").record
    assert (record.task, record.config["learning_rate"], record.data["input_data"].files) == ("send.near", 0.01, 1)


@pytest.mark.parametrize("words", [["-c"], ["-"]])
def test_code_without_a_file_goes_by_value(workers: Path, words: list[str]) -> None:
    """From `python -c` and from a pipe."""
    text = (workers / "exp.py").read_text().replace("sys.argv[1]", "'joblib'").replace("sys.argv[2]", "'task'")
    subprocess.run([sys.executable, *words, *([text] if words == ["-c"] else [])], check=True, text=True, input=text)
    assert load_run("results/task").record.task == "__main__.main"


def test_a_script_that_does_it_all_at_once(workers: Path, script: Script) -> None:
    """A worker that runs it to find the task would send again: it is one line, and nothing was computed there."""
    (workers / "eager.py").write_text(
        "from joblib import Parallel, delayed\nfrom exp import *\n@runlock\ndef own(cfg=Config()):\n    pass\n"
        "Parallel(n_jobs=2)([delayed(own)(save_dir='results/a'), delayed(own)(save_dir='results/b')])\n"
    )
    done = script("eager.py", check=False)
    assert done.returncode != 0
    assert 'if __name__ == "__main__": own()' in done.stderr
    assert not (workers / "results").exists()
