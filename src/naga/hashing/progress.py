"""Showing the progress of hashing at the terminal."""

import os
import sys
import threading
import time
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

_AFTER_S = 1.0


class Progress:
    """A bar for what takes longer than a second; silent where no one would see it."""

    def __init__(
        self, label: str, count: int | None = None, size_bytes: int | None = None, *, counted: str = "files"
    ) -> None:
        self._label, self._counted, self._count = label, counted, count
        self._size_bytes = size_bytes
        self._done = [0, 0]
        self._next = time.monotonic() + _AFTER_S if _is_watched() else float("inf")
        self._bar: Bar | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar:
            self._bar.stop()

    def advance(self, count: int, size_bytes: int = 0) -> None:
        """Count what was done since the last call."""
        self._done[0] += count
        self._done[1] += size_bytes
        if time.monotonic() > self._next:
            self._next = time.monotonic() + 0.1
            self._bar = self._bar or self._start()
            of = "" if self._count is None else f" of {self._count:,}"
            done = self._done[self._counted == "files"]
            shown = f"{self._done[0]:,}{of} {self._counted}"
            self._bar.update(self._bar.task_ids[0], completed=done, count=shown, refresh=True)

    def _start(self) -> "Bar":
        from rich import progress as rich
        from rich.console import Console

        columns = (
            rich.TextColumn("naga: {task.description}", markup=False),
            rich.BarColumn(),
            rich.TextColumn("{task.fields[count]}"),
            *((rich.DownloadColumn(), rich.TransferSpeedColumn()) if self._counted == "files" else ()),
            rich.TimeRemainingColumn(),
        )
        # rich must not replace sys.stdout and sys.stderr: they are the user's.
        console = Console(stderr=True)
        bar = rich.Progress(
            *columns, console=console, transient=True, auto_refresh=False, redirect_stdout=False, redirect_stderr=False
        )
        bar.start()
        bar.add_task(self._label, total=self._size_bytes if self._counted == "files" else self._count, count="")
        return bar


def _is_watched() -> bool:
    """Return whether a person watches: not in a job, nor beside a function that may write to the same terminal."""
    if "SLURM_JOB_ID" in os.environ or threading.current_thread() is not threading.main_thread():
        return False
    try:
        return sys.stderr.isatty()
    except Exception:  # noqa: BLE001  # it is missing, closed, or an object of the user's own
        return False
