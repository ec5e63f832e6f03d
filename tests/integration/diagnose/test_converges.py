"""Exactly one active publication, whatever runs beside it or crashes in between, on every kind of store."""

import random
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import mlflow
import pytest
from integration.diagnose.forks import start
from integration.diagnose.publications import MakeRun, Store, copy_store
from integration.diagnose.publisher import (
    Crash,
    CrashError,
    count_calls,
    publish_in_threads,
    publish_many,
    publish_whatever_is_there,
)
from integration.diagnose.server import mlflow_server, postgres, require_postgres
from mlflow.entities import RunTag
from workbench import check_table

from naga import load_run
from naga.tracking.tags import Status, Tag

BACKENDS = ("SQLite", "server on SQLite", "server on PostgreSQL")
FAULTS = (
    "8 processes, 10 diags each, of one run",
    "the same, their clocks an hour apart",
    "the same, some killed (SIGKILL) at random",
    "the process exits before or after any single call of MLflow",
    "any single call of MLflow raises, done or not done",
    "the active publication is deleted by hand",
    "tags are edited by hand: none active, two active, links to nowhere",
    "MLFLOW_ENABLE_ASYNC_LOGGING=true, with buffering",
    "threads and processes that start together (SQLite: no store is there yet)",
    "two hosts share a folder that is removed and computed again",
    "a new run takes the folder while diags of the former read it",
)

SERVERS = {"server on SQLite": "sqlite_server", "server on PostgreSQL": "postgres_server"}
SHORT = [pytest.param((name, False), id=name) for name in BACKENDS]
LONG = [pytest.param((name, True), id=f"{name}, long", marks=pytest.mark.stress) for name in BACKENDS]
short_and_long = pytest.mark.parametrize("backend", [*SHORT, *LONG], indirect=True)
short_on_sqlite = pytest.mark.parametrize("backend", [SHORT[0], *LONG], indirect=True)
only_long = pytest.mark.parametrize("backend", LONG, indirect=True)


@dataclass(frozen=True)
class Backend:
    """A kind of store, and whether it meets the whole load."""

    name: str
    uri: str
    long: bool


@pytest.fixture(scope="module")
def backend(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    """Start a store: for the long forms by the command that its users type."""
    name, long = request.param
    folder = tmp_path_factory.mktemp("backend")
    with ExitStack() as stack:
        if name == "SQLite":
            uri = copy_store(request.getfixturevalue("migrated"), folder)
        elif not long:
            uri = request.getfixturevalue(SERVERS[name])
        elif name == "server on SQLite":
            uri = stack.enter_context(mlflow_server(folder, copy_store(request.getfixturevalue("migrated"), folder)))
        else:
            require_postgres()
            uri = stack.enter_context(mlflow_server(folder, stack.enter_context(postgres(folder))))
        yield Backend(name, uri, long)


@pytest.fixture
def store(backend: Backend, project: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """Give each test an experiment of its own in the backend."""
    store = Store(backend.uri)
    where = (project / "mlruns").as_uri() if backend.name == "SQLite" else None
    store.experiment_id = store.client.create_experiment(str(project), where)
    for key, value in environment(store).items():
        monkeypatch.setenv(key, value)
    yield store
    store.client.delete_experiment(store.experiment_id)


def environment(store: Store) -> dict[str, str]:
    """What a publishing process needs to know."""
    return {"MLFLOW_TRACKING_URI": store.uri, "MLFLOW_EXPERIMENT_ID": store.experiment_id}


def check(store: Store, save_dir: str = "results/a", *, bodies: int | None = None, dead: bool = True) -> None:
    """Hold that one MLflow run is active, all chains lead to it, and nothing is lost or open in a dead process."""
    runs = store.runs(f"tags.`{Tag.LOGICAL_ID}` = '{save_dir}'")
    tags = {run.info.run_id: run.data.tags for run in runs}
    active = [run_id for run_id in tags if tags[run_id][Tag.STATUS] == Status.ACTIVE]
    assert len(active) == 1, [(run.info.run_name, run.data.tags[Tag.STATUS]) for run in runs]
    for run_id in tags:
        seen = set()
        while tags[run_id][Tag.STATUS] == Status.DEPRECATED:
            assert run_id not in seen
            seen.add(run_id)
            run_id = tags[run_id][Tag.SUPERSEDED_BY]  # noqa: PLW2901  # it walks the chain
        if run_id != active[0]:
            assert tags[run_id][Tag.STATUS] in (Status.FAILED, Status.ABANDONED if dead else Status.PENDING)
    if dead:
        assert {run.info.status for run in runs} <= {"FINISHED", "FAILED", "KILLED"}
    if bodies is not None:
        assert len({run.data.tags["token"] for run in runs if run.data.metrics.get("kept") == 1}) == bodies


@short_and_long
@pytest.mark.parametrize(
    "clock_h", [pytest.param(0, id="one clock", marks=pytest.mark.stress), pytest.param(1, id="clocks an hour apart")]
)
def test_at_once(backend: Backend, store: Store, make_run: MakeRun, clock_h: float) -> None:
    """Many processes that publish one run at once leave one active publication, and everything that they logged."""
    processes, diags = (8, 10) if backend.long else (3, 2)
    folder = make_run()
    started = [
        start(publish_many, folder, diags, clock_h=clock_h * (number - processes // 2), environment=environment(store))
        for number in range(processes)
    ]
    for process in started:
        process.join(600)
    assert [process.exitcode for process in started] == [0] * processes
    check(store, bodies=processes * diags)
    if backend.long:
        write_row(FAULTS[bool(clock_h)], backend.name)


@short_and_long
def test_killed_at_random(backend: Backend, store: Store, make_run: MakeRun) -> None:
    """Processes that are killed while they publish leave MLflow runs that the next diag settles."""
    processes, diags = (8, 10) if backend.long else (2, 4)
    folder = make_run()
    chance = random.Random(1)
    started = [start(publish_many, folder, diags, environment=environment(store)) for _ in range(processes)]
    for process in started[: processes // 2]:
        time.sleep(chance.uniform(0.1, 0.8))
        process.kill()
    for process in started:
        process.join(600)
    assert [process.exitcode for process in started[processes // 2 :]] == [0] * (processes - processes // 2)
    publish_many(folder, 1)
    check(store)
    if backend.long:
        write_row(FAULTS[2], backend.name)


@only_long
@pytest.mark.parametrize("exits", [True, False], ids=["exits", "raises"])
def test_crash_at_any_call(backend: Backend, store: Store, make_run: MakeRun, exits: bool) -> None:
    """A process that dies, or an error, before or after any call leaves one active, and the next diag leaves one."""
    folder = make_run("results/counted")
    publish_many(folder, 1)
    calls = count_calls(folder)
    assert calls > 8
    for number in range(calls):
        for before in (True, False):
            save_dir = f"results/{number}{before}"
            folder = make_run(save_dir, run_id=f"20260101T000000-{number:04}{before:04}")
            publish_many(folder, 1)
            crashing(store, folder, Crash(number, before, exits))
            actives = store.runs(f"tags.`{Tag.LOGICAL_ID}` = '{save_dir}' and tags.`{Tag.STATUS}` = 'active'")
            assert actives, f"none active after {number} {before}"
            publish_many(folder, 1)
            check(store, save_dir, dead=exits)
    write_row(FAULTS[3 if exits else 4], backend.name)


def crashing(store: Store, folder: Path, crash: Crash) -> None:
    """Publish and crash: in a process of its own, or by an error that leaves nothing open in this one."""
    if not crash.exits:
        with pytest.raises(CrashError):
            publish_many(folder, 1, crash=crash)
        assert mlflow.active_run() is None
        return
    process = start(publish_many, folder, 1, crash=crash, environment=environment(store))
    process.join(60)
    assert process.exitcode == 9


@short_on_sqlite
def test_deleted_by_hand(backend: Backend, store: Store, make_run: MakeRun) -> None:
    """Where somebody deletes the active publication, the next diag's takes its place in all chains."""
    folder = make_run()
    publish_many(folder, 3)
    store.client.delete_run(store.active()[0].info.run_id)
    publish_many(folder, 1)
    check(store)
    write_row(FAULTS[5], backend.name)


@short_on_sqlite
def test_edited_by_hand(backend: Backend, store: Store, make_run: MakeRun) -> None:
    """Whatever somebody writes into the tags, the next diag leaves one active publication at the end of all chains."""
    folder = make_run()
    publish_many(folder, 3)
    first, second, third = (run.info.run_id for run in store.runs())
    edits: list[dict[str, dict[str, str]]] = [
        {third: {Tag.STATUS: "deprecated"}},
        {first: {Tag.STATUS: "active"}, second: {Tag.STATUS: "active", Tag.GENERATION: "77"}},
        {first: {Tag.SUPERSEDED_BY: "nowhere"}, second: {Tag.SUPERSEDED_BY: first}},
        {third: {Tag.STATUS: "deprecated", Tag.SUPERSEDED_BY: third}},
    ]
    for edit in edits:
        for run_id, tags in edit.items():
            store.client.log_batch(run_id, tags=[RunTag(key, value) for key, value in tags.items()])
        publish_many(folder, 1)
        check(store)
    write_row(FAULTS[6], backend.name)


@short_on_sqlite
def test_asynchronous_logging(backend: Backend, store: Store, make_run: MakeRun) -> None:
    """What the environment says of writing later is not for what decides which publication is active."""
    folder = make_run()
    later = {"MLFLOW_ENABLE_ASYNC_LOGGING": "true", "MLFLOW_ASYNC_LOGGING_BUFFERING_SECONDS": "1"}
    started = [start(publish_many, folder, 2, environment=environment(store) | later) for _ in range(2)]
    for process in started:
        process.join(120)
    assert [process.exitcode for process in started] == [0, 0]
    check(store, bodies=4)
    write_row(FAULTS[7], backend.name)


@short_on_sqlite
def test_starting_together(backend: Backend, store: Store, make_run: MakeRun, project: Path) -> None:
    """No process waits for a store that another makes, or finds half of one."""
    folder = make_run()
    where = environment(store)
    if backend.name == "SQLite":
        store = Store(f"sqlite:///{project}/new.db")
        where = {"MLFLOW_TRACKING_URI": store.uri, "MLFLOW_EXPERIMENT_ID": "0"}
    said = project / "said"
    started = [start(publish_in_threads, folder, 3, environment=where, output=said) for _ in range(2)]
    for process in started:
        process.join(300)
    assert [process.exitcode for process in started] == [0, 0], said.read_text()
    check(store, bodies=6)
    write_row(FAULTS[8], backend.name)


@short_on_sqlite
def test_two_hosts(backend: Backend, store: Store, make_run: MakeRun) -> None:
    """One folder is one logical run on all hosts that share it, though nothing in it remembers the former run."""
    for number in range(3):
        shutil.rmtree("results", ignore_errors=True)
        folder = make_run(run_id=f"20260101T000000-{number:08}")
        hosts = (f"node{number}", f"node{number}-b")
        started = [start(publish_many, folder, 1, host=host, environment=environment(store)) for host in hosts]
        for process in started:
            process.join(120)
        assert {process.exitcode for process in started} == {0}
    check(store, bodies=2 * 3, dead=False)
    assert store.active()[0].data.tags[Tag.RUN_ID] == "20260101T000000-00000002"
    write_row(FAULTS[9], backend.name)


@short_on_sqlite
def test_taken_meanwhile(backend: Backend, store: Store, make_run: MakeRun) -> None:
    """Each publication is of one run alone, and the run that is in the folder at last has the active one."""
    folder = make_run()
    chance = random.Random(1)
    started = [start(publish_whatever_is_there, folder, 5, environment=environment(store)) for _ in range(2)]
    (folder.parent / ".archive").mkdir()
    for number in range(1, 4):
        time.sleep(chance.uniform(0.3, 0.6))
        folder.rename(folder.parent / f".archive/a~{load_run(folder).run_id}")
        make_run(run_id=f"20260102T000000-{number:08}")
    for process in started:
        process.join(120)
    assert {process.exitcode for process in started} == {0}
    publish_many(folder, 1)
    check(store, dead=False)
    for tags in [run.data.tags for run in store.runs() if "first" in run.data.tags and run.info.status == "FINISHED"]:
        assert tags["first"] == tags["last"] == tags[Tag.RUN_ID]
    assert store.active()[0].data.tags[Tag.RUN_ID] == "20260102T000000-00000003"
    write_row(FAULTS[10], backend.name)


# The page ------------------------------------------------------------------------------------------------------------


def write_row(fault: str, backend: str) -> None:
    """Put a result into the table of `docs/guarantees.md`."""

    def edit(rows: dict[str, list[str]]) -> list[list[str]]:
        row = dict(zip(BACKENDS, rows.get(fault, ["not run"] * 3), strict=True))
        rows[fault] = list((row | {backend: "1"}).values())
        return [["After", *BACKENDS], *([name, *rows[name]] for name in FAULTS if name in rows)]

    check_table("ledger", edit)
