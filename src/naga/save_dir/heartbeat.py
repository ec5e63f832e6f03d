"""Signs of life of a run, for hosts that cannot see its process.

A thread sets the time of ``.naga/heartbeat`` every half minute. On the owner's own host no one looks at it: there the
lock of its claim and the process itself answer. Elsewhere a run is taken for dead when none of its files has been
touched for five minutes; until the first beat, the run.lock and the claim stand for it. Only ages count, so that hosts
need no common clock.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from naga.errors import SaveDirError
from naga.layout import LOCK_NAME, claims_folder, heartbeat_file, naga_folder
from naga.process.identity import is_alive, is_here
from naga.record.opener import make_inside
from naga.record.schema import Process
from naga.save_dir import chain
from naga.save_dir.kernel_lock import is_held
from naga.terminal import say

BEAT_S = 30.0
STALE_S = 300.0


def is_living(save_dir: Path, run_id: str, owner: Process, clock: Callable[[], float] = time.time) -> bool:
    """Return whether the owner of a run that says running still lives."""
    # A host of the same name that was booted at another time may be another host: its heartbeat is asked.
    if is_here(owner):
        with suppress(OSError, SaveDirError):
            if any(is_held(file) for file, each in chain.owners(save_dir) if each.run_id == run_id):
                return True
        # The lock is gone with the process, or the function has closed descriptors that it did not open.
        if (alive := is_alive(owner)) is not None:
            return alive
    return clock() - last_sign(save_dir) < STALE_S


def last_sign(save_dir: Path) -> float:
    """Return the time of the last sign of life in a folder, by the clock of its filesystem."""
    signs = [save_dir / LOCK_NAME, heartbeat_file(save_dir), *claims_folder(save_dir).glob("[!.]*")]
    times = [0.0]
    for sign in signs:
        with suppress(OSError):
            times.append(sign.stat().st_mtime)
    return max(times)


def filesystem_time(save_dir: Path) -> float:
    """Read the clock of a run's filesystem by touching a file there; this host's clock where that fails."""
    try:
        probe = make_inside(save_dir, naga_folder(save_dir)) / f".clock-{os.urandom(4).hex()}"
        probe.touch()
        now = probe.stat().st_mtime
        probe.unlink()
    except OSError:
        return time.time()
    return now


@contextmanager
def beating(save_dir: Path, is_mine: Callable[[], bool]) -> Iterator[None]:
    """Update the heartbeat while a run computes, for the first time after half a minute."""
    file, stop, pid = heartbeat_file(save_dir), threading.Event(), os.getpid()
    thread = threading.Thread(target=_beat, args=(file, is_mine, stop), name="naga-heartbeat", daemon=True)
    with suppress(RuntimeError):  # no more threads: other hosts will not know; that is no reason not to compute
        thread.start()
    try:
        yield
    finally:
        # A forked child that leaves the function has no such thread, and its parent's run goes on.
        if os.getpid() == pid:
            stop.set()
            with suppress(RuntimeError):
                thread.join(1.0)  # the filesystem may hang
            with suppress(OSError):
                if is_mine():
                    file.unlink(missing_ok=True)


def _beat(file: Path, is_mine: Callable[[], bool], stop: threading.Event) -> None:
    while not stop.wait(BEAT_S):
        if not is_mine():
            # This process was stopped for so long that another host took the run for dead. A beat would keep the
            # successor's folder taken after its end.
            say(f"warning: another run has taken '{file.parent.parent}' over while this one was stopped")
            return
        with suppress(OSError):  # the function may have removed the folder; the next beat tries again
            if not file.is_symlink():
                make_inside(file.parents[1], file.parent)
                file.touch()
