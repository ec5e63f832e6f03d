"""Points in processes of this machine, one each, so that killing one ends no other.

Where that is safe, a process is forked from the one that has imported the script, which takes milliseconds. It is not
safe beside threads (a lock that another thread holds stays locked in the child for ever), with a GPU in use or a
connection to a server, nor on macOS, whose own libraries do not survive it: there, each process starts anew.
"""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from importlib import import_module
from pathlib import Path
from typing import Any

Function = Callable[[dict[str, Any]], dict[str, Any]]

_RANKS = (
    "RANK",
    "LOCAL_RANK",
    "WORLD_SIZE",
    "NAGA_RANK",
    "NAGA_WORLD_SIZE",
    "OMPI_COMM_WORLD_RANK",
    "PMI_RANK",
    "PMIX_RANK",
)
_UNSAFE = ("tensorflow", "jax")  # their own threads are there as soon as they are used
_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG


def why_not_fork() -> str:
    """Say why a fork of this process would be unsafe; empty where it is safe."""
    if sys.platform != "linux":
        return f"{sys.platform} does not fork safely"
    others = [thread.name for thread in threading.enumerate() if not thread.name.startswith(("MainThread", "naga-"))]
    if others:
        return f"a thread is running: {others[0]}"
    if loaded := next((name for name in _UNSAFE if name in sys.modules), None):
        return f"{loaded} is imported"
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        return "the GPU is in use"
    return _why_open()


def _why_open() -> str:
    """Name a connection or a database that is open: two processes that use one would corrupt its messages."""
    for place in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            target = str(place.readlink())
            if int(place.name) > 2 and target.startswith("socket:"):
                return "a connection is open"
            if target.endswith((".db", ".sqlite", ".sqlite3")):
                return f"the database '{target}' is open"
    return ""


class Local(Executor):
    """An executor whose processes end with this one; `submit` starts one at once, and ``timeout`` seconds end it."""

    def __init__(self, *, forks: bool, timeout: float | None = None) -> None:
        self._forks, self._timeout = forks, timeout
        self._children: dict[int, Future[dict[str, Any]]] = {}

    def submit(self, fn: Function, point: dict[str, Any], /) -> "Future[dict[str, Any]]":  # type: ignore[override]  # a point is all there is
        """Start a process for a point."""
        start = _fork if self._forks else _spawn
        pid, answer, wait = start(fn, point)
        future: Future[dict[str, Any]] = Future()
        future.set_running_or_notify_cancel()
        future.job = f"local:{pid}"  # type: ignore[attr-defined]  # what `cancel` and the sweep's file name it by
        self._children[pid] = future
        watch = threading.Thread(target=self._watch, args=(pid, answer, wait, future), name="naga-child", daemon=True)
        watch.start()
        return future

    def _watch(self, pid: int, answer: int, wait: Callable[[], int], future: "Future[dict[str, Any]]") -> None:
        timer = threading.Timer(self._timeout, self._end, (pid,)) if self._timeout else None
        if timer:
            timer.name, timer.daemon = "naga-timeout", True
            timer.start()
        with os.fdopen(answer, "rb") as pipe:
            said = pipe.read()
        code = wait()
        self._children.pop(pid, None)
        if timer:
            timer.cancel()
        future.set_result(json.loads(said) if said else {"died": _cause(code)})

    def _end(self, pid: int) -> None:
        """End a process as a scheduler does: by SIGTERM, and half a minute later by SIGKILL."""
        for number, patience in ((signal.SIGTERM, 30.0), (signal.SIGKILL, 0.0)):
            if pid not in self._children:
                return
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
            with contextlib.suppress(TimeoutError, KeyError):
                self._children[pid].result(patience)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Wait for the running points, after ending them if asked to."""
        for pid in list(self._children) if cancel_futures else ():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        for future in list(self._children.values()) if wait else ():
            future.result()


def _fork(fn: Function, point: dict[str, Any]) -> tuple[int, int, Callable[[], int]]:
    end_with_parent = death_signal()
    answer, write = os.pipe()
    parent = os.getpid()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of threads: those here only wait
        pid = os.fork()
    if pid:
        os.close(write)
        return pid, answer, lambda: os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    code = 1
    try:
        os.close(answer)
        end_with_parent()
        if os.getppid() == parent:  # else it died before it could be watched
            _fresh_process()
            _report(fn(point), write)
            code = 0
    finally:
        os._exit(code)  # not a return: the frames above are those of the parent


def death_signal() -> Callable[[], object]:
    """Return a function that makes a process end with its parent; made before the fork: a child should load nothing."""
    import ctypes

    set_option = ctypes.CDLL(None).prctl
    return lambda: set_option(_DEATH_SIGNAL, signal.SIGTERM)


def _fresh_process() -> None:
    """Make a fork like a new process: with random numbers of its own, and no rank of a job."""
    for name in _RANKS:
        os.environ.pop(name, None)
    random.seed()
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _spawn(fn: Function, point: dict[str, Any]) -> tuple[int, int, Callable[[], int]]:
    answer, write = os.pipe()
    words = [
        sys.executable,
        "-m",
        "naga.launch.local",
        f"{fn.__module__}:{fn.__qualname__}",
        str(write),
        str(os.getpid()),
    ]
    without_ranks = {name: value for name, value in os.environ.items() if name not in _RANKS}
    process = subprocess.Popen(words, stdin=subprocess.PIPE, pass_fds=(write,), env=without_ranks)
    os.close(write)
    if process.stdin:
        process.stdin.write(json.dumps(point).encode())
        process.stdin.close()
    return process.pid, answer, process.wait


def _report(result: dict[str, Any], write: int) -> None:
    data = json.dumps(result).encode()
    while data:
        data = data[os.write(write, data) :]


def _cause(code: int) -> str:
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"its process ended with {code}"


def main(function: str, write: str, parent: str) -> None:
    """Run one point in this process: read it from standard input, and answer."""
    point = json.loads(sys.stdin.buffer.read())
    with contextlib.suppress(AttributeError, OSError):  # elsewhere than on Linux
        death_signal()()
    if os.getppid() == int(parent):
        module, _, name = function.partition(":")
        _report(getattr(import_module(module), name)(point), int(write))


@contextlib.contextmanager
def local(*, forks: bool, timeout: float | None = None) -> Iterator[Local]:
    """Open the executor; leaving the block in any way ends its processes."""
    executor = Local(forks=forks, timeout=timeout)
    try:
        yield executor
    finally:
        executor.shutdown(cancel_futures=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
