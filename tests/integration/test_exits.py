"""Every way in which a process can end: the status, the recorded cause, and a process that ends as without Naga."""

import os
import signal
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from workbench import check_table

from naga import Run, load_run

PREAMBLE = "import os, sys, signal, threading, time, multiprocessing, resource\nfrom pathlib import Path\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exit:
    """A way to end: the body of main, what runs before it, what the test sends, and what is to be recorded."""

    body: str
    before: str = ""
    send: int | None = None
    status: str
    cause: str = ""
    code: int = 0


WAIT = "Path(place, 'ready').touch()\ntime.sleep(60)"
KILL = "os.kill(os.getpid(), signal.SIG{})"
EXITS = {
    "returns": Exit(body="return 1", status="finished"),
    "raises an exception": Exit(body="raise ValueError('no')", status="failed", cause="ValueError: no", code=1),
    "`sys.exit(0)`": Exit(body="sys.exit(0)", status="finished"),
    "`sys.exit(3)`": Exit(body="sys.exit(3)", status="failed", cause="SystemExit: 3, exit code 3", code=3),
    "`sys.exit('no data')`": Exit(
        body="sys.exit('no data')", status="failed", cause="SystemExit: no data, exit code 1", code=1
    ),
    "`os._exit(4)`": Exit(body="os._exit(4)", status="lost", code=4),
    "Ctrl-C": Exit(
        body=WAIT, send=signal.SIGINT, status="killed", cause="KeyboardInterrupt: , SIGINT", code=-signal.SIGINT
    ),
    "SIGTERM": Exit(
        body=WAIT, send=signal.SIGTERM, status="killed", cause="Signalled: SIGTERM, SIGTERM", code=-signal.SIGTERM
    ),
    "SIGHUP": Exit(
        body=WAIT, send=signal.SIGHUP, status="killed", cause="Signalled: SIGHUP, SIGHUP", code=-signal.SIGHUP
    ),
    "SIGHUP under `nohup`": Exit(
        before="signal.signal(signal.SIGHUP, signal.SIG_IGN)", body=KILL.format("HUP"), status="finished"
    ),
    "SIGTERM, `except Exception` around": Exit(
        body=f"try:\n    {KILL.format('TERM')}\nexcept Exception:\n    pass\ntime.sleep(60)",
        status="killed", cause="Signalled: SIGTERM, SIGTERM", code=-signal.SIGTERM,
    ),
    "SIGTERM, swallowed by `finally: return`": Exit(
        body=f"try:\n    {KILL.format('TERM')}\n    time.sleep(60)\nfinally:\n    return 1",
        status="killed", cause="Signalled: SIGTERM, which the task did not let end it, SIGTERM", code=-signal.SIGTERM,
    ),
    "SIGTERM, the script's handler exits": Exit(
        before="signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))", body=KILL.format("TERM") + "; time.sleep(60)",
        status="killed", cause="SystemExit: 7, SIGTERM, exit code 7", code=7,
    ),
    "SIGTERM, the script's handler goes on": Exit(
        before="signal.signal(signal.SIGTERM, lambda *_: Path(sys.argv[1], 'handled').touch())",
        body=KILL.format("TERM") + "; assert Path(place, 'handled').exists()", status="finished",
    ),
    "SIGTERM, main's own handler goes on": Exit(
        body=f"signal.signal(signal.SIGTERM, lambda *_: None); {KILL.format('TERM')}", status="finished"
    ),
    "SIGKILL": Exit(body=KILL.format("KILL"), status="lost", code=-signal.SIGKILL),
    "power (SIGKILL of all its processes)": Exit(
        body="multiprocessing.get_context('fork').Process(target=time.sleep, args=(60,)).start()\n"
        "os.killpg(0, signal.SIGKILL)",
        status="lost", code=-signal.SIGKILL,
    ),
    "out of memory (`MemoryError`)": Exit(
        body="resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30)); bytearray(4 << 30)",
        status="failed", cause="MemoryError: ", code=1,
    ),
    "exception swallowed by `finally: return`": Exit(
        body="try:\n    raise ValueError\nfinally:\n    return 1", status="finished"
    ),
    "`naga.fail('diverged')`": Exit(body="naga.fail('diverged')", status="failed", cause="naga.fail: diverged"),
    "`naga.fail` in a thread": Exit(
        body="thread = threading.Thread(target=naga.fail, args=('diverged',)); thread.start(); thread.join()",
        status="failed", cause="naga.fail: diverged",
    ),
    "`naga.fail`, then an exception": Exit(
        body="naga.fail('diverged'); raise ValueError('no')", status="failed", cause="ValueError: no", code=1
    ),
    "changes directory": Exit(body="os.chdir('/')", status="finished"),
    "forks; the child returns": Exit(body="os.fork() or time.sleep(0.2)", status="finished"),
    "forks; the child raises": Exit(
        body="if os.fork() == 0: raise ValueError('of the child')\nos.wait()", status="finished"
    ),
    "forks; the child is terminated": Exit(
        body="child = multiprocessing.get_context('fork').Process(target=time.sleep, args=(60,))\n"
        "child.start(); child.terminate(); child.join(); assert child.exitcode == -15, child.exitcode",
        status="finished",
    ),
    "leaves threads behind": Exit(
        body="[threading.Thread(target=time.sleep, args=(0.1,)).start() for _ in range(20)]", status="finished"
    ),
    "an exception whose text cannot be shown": Exit(
        body="raise type('Odd', (Exception,), {'__str__': lambda self: 1 / 0})()",
        status="failed", cause="Odd: <its text cannot be shown>", code=1,
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, int, int]]:
    """End a process in every way, with Naga and without; two at a time."""
    root = tmp_path_factory.mktemp("exits")
    with ThreadPoolExecutor(2) as pool:
        return dict(
            zip(EXITS, pool.map(lambda number: _end(root / str(number), number), range(len(EXITS))), strict=True)
        )


def _end(place: Path, number: int) -> tuple[Path, int, int]:
    one = [*EXITS.values()][number]
    codes = []
    for kind in ("run", "bare"):
        (place / kind).mkdir(parents=True)
        decorators, imported = ("@naga.runlock\n@naga.clicfg\n", "import naga\n") if kind == "run" else ("", "")
        if kind == "bare" and "naga." in one.body:
            imported = "class naga:\n    fail = print\n"
        body = textwrap.indent(f"place = sys.argv[1]\n{one.body}", "    ")
        call = f"main(dict(save_dir={str(place / 'run' / 'results')!r}))"
        task = f"{decorators}def main(cfg={{'save_dir': ''}}):\n{body}\n"
        script = place / kind / "exits.py"
        script.write_text(
            f"{PREAMBLE}{imported}{task}if __name__ == '__main__':\n    {one.before or 'pass'}\n    {call}\n"
        )
        codes.append(_code(script, one.send))
    return place / "run" / "results", codes[0], codes[1]


def _code(script: Path, send: int | None) -> int:
    words = [sys.executable, str(script), str(script.parent)]
    with subprocess.Popen(
        words, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL, cwd=script.parent, start_new_session=True
    ) as child:
        while send and not (script.parent / "ready").exists() and child.poll() is None:
            os.sched_yield()
        if send:
            child.send_signal(send)
        return child.wait()


@pytest.mark.parametrize("name", EXITS)
def test_how_a_process_ends(name: str, ended: dict[str, tuple[Path, int, int]]) -> None:
    """Status and cause are true; the exit code is that of the bare script."""
    save_dir, code, bare = ended[name]
    one, run = EXITS[name], load_run(save_dir)
    assert (run.status, _cause(run), code, bare) == (one.status, one.cause, one.code, one.code)
    failure = run.record.error
    if failure and failure.type not in ("naga.fail", "Signalled"):
        assert failure.traceback
    assert sorted(path.name for path in save_dir.iterdir()) == [".naga", "console.log", "run.lock"]
    _write_row(name, run, code)


def _cause(run: Run) -> str:
    failure = run.record.error
    if failure is None:
        return ""
    code = f"exit code {failure.exit_code}" if failure.exit_code is not None else ""
    return ", ".join(part for part in (f"{failure.type}: {failure.message}", failure.signal, code) if part)


HEAD = ["main", "Status", "Recorded cause", "Exit code"]


def _write_row(name: str, run: Run, code: int) -> None:
    def edit(rows: dict[str, list[str]]) -> list[list[str]]:
        rows[name] = [run.status, _cause(run) or "-", str(code)]
        return [HEAD, *([known, *rows[known]] for known in EXITS if known in rows)]

    check_table("exits", edit)
