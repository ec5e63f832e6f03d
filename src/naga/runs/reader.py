"""Reading the run.locks of many runs: this process from the beginning of the list, another one from the end."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from naga.errors import LockError
from naga.hashing.progress import Progress
from naga.record.lockfile import read_hashed_lock
from naga.runs.find import Run
from naga.runs.summary import Summary, summary_of

_MANY = 500  # some tenths of a second, which another process takes to begin
_PROGRAM = "import sys; sys.path.insert(0, sys.argv[1]); from naga.runs.reader import serve; serve()"
_NONE = b"\n"  # the line of a run that is going on, or whose run.lock cannot be read: who asks looks again


def read_all(folders: Sequence[str], found: dict[str, Run | LockError]) -> None:
    """Read the run.locks of folders into a table; where that takes long, with another process and a progress bar."""
    if len(folders) < _MANY:
        for folder in folders:
            found[folder] = _read(folder)
        return
    with _beside(folders) as lines, Progress("reading", len(folders), counted="runs") as progress:
        done = 0
        for folder in folders:
            if len(found) + len(lines) >= len(folders):
                break
            found[folder] = _read(folder)
            progress.advance(len(found) + len(lines) - done)
            done = len(found) + len(lines)
        theirs = dict(zip(reversed(folders), list(lines), strict=False))
    for folder in folders[len(found) :]:
        line = theirs[folder]
        found[folder] = _read(folder) if line == _NONE else Run(folder, summary=Summary.from_bytes(line))


def _read(folder: str) -> Run | LockError:
    try:
        record, own_hash = read_hashed_lock(Path(folder))
    except LockError as error:
        return error
    summary = summary_of(Path(folder), record, own_hash)
    # Whole records of ten thousand runs are a quarter of a gigabyte; whether a running one lives, its record says.
    return Run(folder, record if record.status == "running" else None, summary=summary)


@contextmanager
def _beside(folders: Sequence[str]) -> Iterator[list[bytes]]:
    """Start another process that reads from the end; yield the list that its lines are added to."""
    lines: list[bytes] = []
    words = [sys.executable, "-I", "-c", _PROGRAM, str(Path(__file__).parents[2])]
    try:
        child = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    except (OSError, ValueError):
        yield lines
        return
    with child:
        listener = threading.Thread(target=_listen, args=(child, folders, lines), name="naga-reader")
        listener.start()
        try:
            yield lines
        finally:
            child.kill()
            listener.join()


def _listen(child: "subprocess.Popen[bytes]", folders: Sequence[str], lines: list[bytes]) -> None:
    assert child.stdin and child.stdout  # noqa: S101  # both are pipes
    with suppress(OSError, ValueError):
        with child.stdin as names:
            names.write(b"\0".join(map(os.fsencode, folders)))
        lines.extend(line for line in child.stdout if line.endswith(b"\n"))


def serve() -> None:
    """Read the names of folders from standard input, and write a line for each, the last one first."""
    names = sys.stdin.buffer.read().split(b"\0")
    for name in reversed(names):
        found = _read(os.fsdecode(name))
        is_known = isinstance(found, Run) and found.summary.status != "running"
        sys.stdout.buffer.write(found.summary.to_bytes() + b"\n" if is_known else _NONE)  # type: ignore[union-attr]
        sys.stdout.buffer.flush()
