"""What a sweep that is killed in every way is held to, by looking at its files without Naga."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from workbench import check_table

from naga import find_runs

HEAD = ["200 points, short ones", "Killed on the way", "In the end", "`naga status`, asked all the time"]


def naga_status() -> dict[str, int]:
    """Ask `naga status`."""
    command = [str(Path(sys.executable).with_name("naga")), "status", "results", "--format", "json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    found: dict[str, int] = json.loads(done.stdout)
    return found


def finished() -> int:
    """Count the points whose run.lock says that they have finished."""
    locks = Path("results").glob("s/*/run.lock")
    return sum(b"\nstatus: finished\n" in lock.read_bytes() for lock in locks)


@contextmanager
def asked_all_the_time(points: int, slots: int) -> Iterator[None]:
    """Ask `naga status` again and again, and hold what it says against the locks; then hold that all is done, once."""
    wrong: list[str] = []
    times = 0
    is_over = threading.Event()

    def ask() -> None:
        nonlocal times
        while not is_over.wait(0.2):
            before = finished()
            said = naga_status()
            is_right = before <= said["finished"] <= finished() and said["total"] == points
            if not is_right or said["running"] > slots:
                wrong.append(f"{before} had finished: {said}")
            times += 1

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    try:
        yield
    finally:
        is_over.set()
        asking.join()
    assert wrong == [], wrong
    assert times > 1
    said = naga_status()
    assert said == {**dict.fromkeys(said, 0), "total": points, "finished": points}
    _none_twice(points)


def _none_twice(points: int) -> None:
    """Hold that each point was computed to its end once, but where it was killed between that and its final lock.

    Points write their seed and process to ``pids.txt`` when they have computed.
    """
    ended: dict[str, set[str]] = {}
    for seed, pid in (line.split() for line in Path("pids.txt").read_text().splitlines()):
        ended.setdefault(seed, set()).add(pid)
    assert len(ended) == points
    for run in find_runs("results"):
        pids = ended[str(run.config.seed)]
        assert str(run.record.process.pid) in pids
        former = [lock.read_text() for lock in (run.save_dir / ".naga" / "attempts").glob("*")]
        for pid in pids - {str(run.record.process.pid)}:
            assert any(f" pid: {pid}\n" in text and "status: finished" not in text for text in former)


def write_row(launcher: str, killed: str) -> None:
    """Put what was held into the table of `docs/guarantees.md`."""

    def edit(rows: dict[str, list[str]]) -> list[list[str]]:
        rows[launcher] = [killed, "200 finished, none computed twice", "right"]
        return [HEAD, *([name, *cells] for name, cells in sorted(rows.items()) if name not in (HEAD[0], "---"))]

    check_table("kills", edit)
