"""Signs of life of a run, for those who cannot see its process.

A thread sets the time of ``.naga/heartbeat`` every half minute. On the owner's own host nobody looks at it: there the
process itself answers. Elsewhere a run is taken for dead when none of its files has been touched for five minutes;
until the first beat, the run.lock and the claim stand for it. Only ages count, so that hosts need no common clock.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from naga.layout import LOCK_NAME, claims_folder, heartbeat_file, naga_folder
from naga.process.identity import is_alive
from naga.record.schema import Process

BEAT_S = 30.0
STALE_S = 300.0


def is_living(save_dir: Path, owner: Process, clock: Callable[[], float] = time.time) -> bool:
    """Tell whether the owner of a run that says running still lives."""
    alive = is_alive(owner)
    if alive is not None:
        return alive
    return clock() - _last_sign(save_dir) < STALE_S


def _last_sign(save_dir: Path) -> float:
    signs = [save_dir / LOCK_NAME, heartbeat_file(save_dir), *claims_folder(save_dir).glob("[!.]*")]
    times = [0.0]
    for sign in signs:
        with suppress(OSError):
            times.append(sign.stat().st_mtime)
    return max(times)


def filesystem_time(save_dir: Path) -> float:
    """Ask the clock of the filesystem that a run lies on, by touching a file there; this host's where that fails."""
    probe = naga_folder(save_dir) / f".clock-{os.urandom(4).hex()}"
    try:
        probe.touch()
        now = probe.stat().st_mtime
        probe.unlink()
    except OSError:
        return time.time()
    return now


@contextmanager
def beating(save_dir: Path | None) -> Iterator[None]:
    """Give signs of life while a run computes; the first after half a minute."""
    if save_dir is None:
        yield
        return
    file, stop, pid = heartbeat_file(save_dir), threading.Event(), os.getpid()
    thread = threading.Thread(target=_beat, args=(file, stop), name="naga-heartbeat", daemon=True)
    with suppress(RuntimeError):  # no more threads: other hosts will not know; that is no reason not to compute
        thread.start()
    try:
        yield
    finally:
        if os.getpid() == pid:
            stop.set()
            with suppress(RuntimeError):
                thread.join(1.0)  # the filesystem may hang
            with suppress(OSError):
                file.unlink(missing_ok=True)


def _beat(file: Path, stop: threading.Event) -> None:
    while not stop.wait(BEAT_S):
        with suppress(OSError):  # the function may have removed the folder; the next beat tries again
            file.touch()
