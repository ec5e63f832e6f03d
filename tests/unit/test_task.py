"""The decorators mark, in any order; the call does the rest."""

import importlib
import inspect
import itertools
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from omegaconf import DictConfig, OmegaConf
from workbench import Script, git

from naga import clicfg, load_run, load_stage, runlock, snapshot, track_data
from naga.errors import ConfigError, DataError, SaveDirError, UsageError
from naga.record.schema import Record


@dataclass
class Config:
    save_dir: str = "results/run"
    input_data: str = "data/raw.csv"
    learning_rate: float = 0.01


MODULE = """
from dataclasses import dataclass
from omegaconf import OmegaConf

@dataclass
class Config:
    save_dir: str = "results/run"
    input_data: str = "data/raw.csv"
    learning_rate: float = 0.01

def plain(cfg: Config = OmegaConf.structured(Config)):
    '''Train a model.'''
    return cfg
"""


@pytest.fixture
def plain(project: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """An undecorated function of a module of the project, so that its code is the project's."""
    Path("module.py").write_text(MODULE)
    git("add", "module.py", cwd=project)
    git("commit", "-qm", "Add a task", cwd=project)
    monkeypatch.syspath_prepend(project)
    function: Callable[..., Any] = importlib.import_module("module").plain
    yield function
    del sys.modules["module"]  # or later tests would find its code among what was imported


@pytest.fixture
def whole(plain: Callable[..., Any]) -> Any:
    """The same with the decorators of the specification."""
    return runlock(snapshot(track_data("input_data")(clicfg(plain))))


DECORATORS: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "runlock": (runlock, runlock()),
    "snapshot": (snapshot, snapshot()),
    "track_data": (track_data("input_data"), track_data("input_data")),
    "clicfg": (clicfg, clicfg()),
}


def unchanging(record: Record) -> Record:
    """A record without what differs between any two runs: its id, times, process and ref."""
    code = tuple(replace(entry, ref="") for entry in record.code)
    return replace(
        record, run_id="", started="", ended="", duration_s=0, process=replace(record.process, pid=1), code=code
    )


@pytest.mark.parametrize("called", [False, True], ids=["bare", "called"])
@pytest.mark.parametrize("order", list(itertools.permutations(DECORATORS)), ids="-".join)
def test_every_order_writes_the_same_lock(
    project: Path, order: tuple[str, ...], called: bool, plain: Callable[..., Any], whole: Any
) -> None:
    """The same as the order of the specification does."""
    task = plain
    for name in order:
        task = DECORATORS[name][called](task)
    whole()
    expected = load_run("results/run").record
    assert task().save_dir == str(project / "results" / "run")
    record = load_run("results/run").record
    assert record.run_id != expected.run_id
    assert unchanging(record) == unchanging(expected)
    assert [entry.ref for entry in record.code] == [f"refs/naga/runs/{record.run_id}"]
    assert list(record.data) == ["input_data"]


def test_clicfg_alone_gives_a_function_a_configuration(project: Path, plain: Callable[..., Any]) -> None:
    """No folder, no commit: only a configuration."""
    assert clicfg(plain)(learning_rate=0.5).learning_rate == 0.5
    assert not Path("results").exists()
    assert git("for-each-ref", "refs/naga", cwd=project) == ""


def test_runlock_alone_records_a_run(project: Path, plain: Callable[..., Any]) -> None:
    """Configuration, environment and outputs, but no code and no data."""
    runlock(plain)()
    record = load_run("results/run").record
    assert record.status == "finished"
    assert (record.code, record.data) == ((), {})


def test_snapshot_alone_commits_the_code(
    project: Path, capfd: pytest.CaptureFixture[str], plain: Callable[..., Any]
) -> None:
    """The ref is there, and the terminal says where."""
    Path("new.py").write_text("x = 1\n")
    snapshot(plain)()
    ref = git("for-each-ref", "--format=%(refname)", "refs/naga", cwd=project).strip()
    assert git("show", f"{ref}:new.py", cwd=project) == "x = 1\n"
    assert ref in capfd.readouterr().err
    assert not Path("results").exists()


def test_track_data_alone_finds_and_names_its_inputs(
    project: Path, capfd: pytest.CaptureFixture[str], plain: Callable[..., Any]
) -> None:
    """The hash is said; a missing input stops the call before it starts."""
    track_data("input_data")(plain)()
    assert "data: input_data is blake3:" in capfd.readouterr().err
    with pytest.raises(DataError, match=r"nothing\.csv"):
        track_data("input_data")(plain)(input_data="nothing.csv")


def test_load_stage_alone_asks_for_a_finished_run(project: Path, plain: Callable[..., Any]) -> None:
    """What is no run, or has not finished, stops the call."""
    stage = load_stage("input_data")(plain)
    with pytest.raises(DataError, match="is not a run"):
        stage()
    runlock(plain)(save_dir="results/prep")
    assert stage(input_data="results/prep").input_data == "results/prep"


def test_a_task_is_called_in_four_ways(project: Path, whole: Any) -> None:
    """Defaults, a configuration, single keys, and the bare function."""
    assert whole().learning_rate == 0.01
    assert whole(OmegaConf.create({"learning_rate": 2.0})).learning_rate == 2.0
    assert whole(learning_rate=3.0).learning_rate == 3.0
    before = load_run("results/run").run_id
    assert whole.fn(OmegaConf.structured(Config(learning_rate=4.0))).learning_rate == 4.0
    assert load_run("results/run").run_id == before


@pytest.mark.parametrize(
    ("default", "kind"), [(OmegaConf.structured(Config), DictConfig), (Config(), Config), ({"a": [1]}, dict)]
)
def test_the_function_gets_what_it_declares(default: Any, kind: type) -> None:
    """A DictConfig, a dataclass or a dict; each call gets a copy of its own."""

    @clicfg
    def task(cfg: Any = default) -> Any:
        return cfg

    first: Any = task()
    assert (type(first), first is default) == (kind, False)
    if kind is dict:
        first["a"].append(2)
    else:
        first.learning_rate = 9.0
    again: Any = task()
    assert again["a"] == [1] if kind is dict else again.learning_rate == 0.01


def test_further_arguments_reach_the_function(project: Path) -> None:
    """Only the first parameter is the configuration."""

    @clicfg
    def task(cfg: Config = OmegaConf.structured(Config), *extra: int, verbose: bool = False) -> Any:
        return cfg.learning_rate, extra, verbose

    assert task(OmegaConf.structured(Config), 1, 2, verbose=True, learning_rate=5.0) == (5.0, (1, 2), True)


def test_a_function_without_parameters_can_be_a_task(project: Path) -> None:
    """Not every task has a configuration; but a run.lock needs a folder."""
    assert clicfg(lambda: 7)() == 7
    with pytest.raises(ConfigError, match="save_dir is missing"):
        runlock(lambda: 7)()


@pytest.mark.parametrize(
    ("task", "hint"),
    [
        (lambda cfg={"power": 1}: cfg, "give the configuration a field: save_dir: str = "),
        (lambda cfg={"power": 1, "save_dir": None}: cfg, "save_dir=results/my_run"),
        (lambda cfg: cfg, "save_dir=results/my_run"),
    ],
)
def test_the_hint_for_a_missing_save_dir_can_be_typed(task: Callable[..., Any], hint: str, project: Path) -> None:
    """Where the configuration has no such key, none is taken from the command line."""
    with pytest.raises(ConfigError) as refused:
        runlock(clicfg(task))({})
    assert str(refused.value.hint).startswith(hint)


def test_a_task_looks_like_its_function(plain: Callable[..., Any], whole: Any) -> None:
    """Name, docstring, signature and module."""
    assert (whole.__name__, whole.__doc__, whole.__module__) == (plain.__name__, plain.__doc__, plain.__module__)
    assert inspect.signature(whole) == inspect.signature(plain)


def test_a_task_can_be_pickled(tmp_path: Path) -> None:
    """By name, in this process and in another."""
    (tmp_path / "tasks.py").write_text(
        "import naga, pickle\n@naga.clicfg\ndef main(cfg={'a': 1}):\n    return cfg\n"
        "class Lab:\n    scale = 3\n"
        "    @naga.clicfg\n    def work(self, cfg={'a': 1}):\n        return cfg['a'] * self.scale\n"
    )
    program = (
        "import pickle, tasks; assert pickle.loads(pickle.dumps(tasks.main)) is tasks.main\n"
        "assert pickle.loads(pickle.dumps(tasks.Lab.work)) is tasks.Lab.work\n"
        "assert pickle.loads(pickle.dumps(tasks.Lab().work))(a=2) == 6\n"
        "from concurrent.futures import ProcessPoolExecutor\n"
        "if __name__ == '__main__':\n"
        "    with ProcessPoolExecutor(1) as pool: assert pool.submit(tasks.main, a=4).result() == {'a': 4}\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=tmp_path)


class Laboratory:
    """A class whose methods are tasks."""

    def __init__(self, scale: float) -> None:
        self.scale = scale

    @runlock
    @clicfg
    def work(self, cfg: Config = OmegaConf.structured(Config)) -> float:  # as users write it
        return cfg.learning_rate * self.scale

    @runlock
    @staticmethod
    def alone(cfg: Config = OmegaConf.structured(Config)) -> float:
        return cfg.learning_rate

    @clicfg
    @classmethod
    def of_class(cls, cfg: Config = OmegaConf.structured(Config)) -> tuple[str, float]:
        return cls.__name__, cfg.learning_rate


def test_methods_are_tasks(project: Path) -> None:
    """Bound to their instance or class, with the configuration as their first argument after it."""
    assert Laboratory(3).work(learning_rate=2.0) == 6.0
    assert load_run("results/run").record.task.endswith("Laboratory.work")
    assert Laboratory(3).alone(save_dir="results/two", learning_rate=1.5) == 1.5
    assert Laboratory.of_class(learning_rate=1.0) == ("Laboratory", 1.0)


async def coroutine(cfg: Any = None) -> None:
    """Nothing has been computed when its call returns."""


def generator(cfg: Any = None) -> Any:
    """Likewise."""
    yield cfg


@pytest.mark.parametrize("fn", [coroutine, generator])
def test_what_computes_after_its_call_is_refused(fn: Any) -> None:
    """Its run would be over before it began."""
    with pytest.raises(UsageError, match="async or a generator"):
        runlock(fn)


NO_FUNCTION: Any = 3


@pytest.mark.parametrize(
    "wrong", [lambda: track_data(NO_FUNCTION), track_data, load_stage, lambda: runlock(NO_FUNCTION)]
)
def test_a_decorator_that_is_used_wrongly_says_so(wrong: Callable[..., Any]) -> None:
    """At the decoration, with an example to type."""
    with pytest.raises(UsageError, match="@"):
        wrong()


def test_a_wrong_existing_is_refused() -> None:
    """The choices are named."""
    with pytest.raises(UsageError, match="archive, refuse, reuse"):
        runlock(existing="overwrite")  # type: ignore[call-overload]  # it is what is tested


def test_reuse_computes_nothing_for_the_same_configuration(project: Path) -> None:
    """The finished run's configuration comes back; another configuration is refused, with the keys that differ."""
    calls: list[float] = []

    @runlock(existing="reuse")
    def task(cfg: Config = OmegaConf.structured(Config)) -> Any:
        calls.append(cfg.learning_rate)
        return cfg

    first = task()
    assert task() == first
    assert calls == [0.01]
    with pytest.raises(SaveDirError, match="learning_rate"):
        task(learning_rate=1.0)
    assert calls == [0.01]


def test_an_imported_task_never_reads_the_command_line(project: Path, script: Script) -> None:
    """Imported by a script that has arguments of its own."""
    Path("driver.py").write_text("import exp\nprint(exp.main().learning_rate)\n")
    assert script("driver.py", "learning_rate=7", "--nonsense").stdout.strip() == "0.01"


def test_a_test_never_reads_the_command_line(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not even one that runs a script as `__main__` in its own process."""
    import runpy

    monkeypatch.setattr(sys, "argv", ["pytest", "learning_rate=7"])
    assert runpy.run_path("exp.py", run_name="__main__")["main"]
    assert load_run("results/run").config.learning_rate == 0.01


def test_a_child_process_never_reads_the_command_line(project: Path, script: Script) -> None:
    """Neither a spawned nor a forked one, whose `__main__` is the script."""
    Path("pool.py").write_text(
        "import multiprocessing, sys\nfrom exp import *\n"
        "@clicfg\ndef small(cfg={'a': 1}):\n    return cfg['a']\n"
        "def work(_):\n    return small()\n"
        "if __name__ == '__main__':\n"
        "    for how in ('spawn', 'fork'):\n"
        "        with multiprocessing.get_context(how).Pool(1) as pool: print(pool.map(work, [0]))\n"
        "    print(small())\n"
    )
    assert script("pool.py", "a=5").stdout.split() == ["[1]", "[1]", "5"]


def test_an_interactive_session_never_reads_the_command_line(project: Path) -> None:
    """What is typed at a prompt is not the script."""
    typed = "from exp import *\n@clicfg\ndef small(cfg={'a': 1}):\n    return cfg['a']\n\nprint('got', small())\n"
    done = subprocess.run([sys.executable, "-i", "-", "a=5"], input=typed, capture_output=True, text=True, check=False)
    assert "got 1" in done.stdout


def test_a_module_run_with_m_reads_the_command_line(project: Path, script: Script) -> None:
    """`python -m exp` is a script too; so is one that a profiler starts."""
    script("-m", "exp", "learning_rate=7")
    assert load_run("results/run").config.learning_rate == 7
    script("-m", "cProfile", "-o", "profile.out", "exp.py", "learning_rate=8")
    assert load_run("results/run").config.learning_rate == 8


def test_an_entry_point_reads_the_command_line(project: Path, whole: Any) -> None:
    """`main.cli()` returns what the task returns."""
    assert whole.cli(["learning_rate=6"]).learning_rate == 6
    assert load_run("results/run").config.learning_rate == 6
    with pytest.raises(SystemExit) as ended:
        whole.cli(["learning_rte=6"])
    assert ended.value.code == 2
