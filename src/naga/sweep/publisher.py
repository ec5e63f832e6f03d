"""Publishing the points of a sweep as they end: one process at a time, as a store takes one writer at a time."""

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO

from naga.errors import NagaError
from naga.terminal import say

_PROGRAM = "import sys; from naga.cli import main; sys.exit(main())"


class Publisher:
    """Runs ``naga diag`` on the points that have ended since it was last started."""

    def __init__(self, script: Path) -> None:
        self._script = script
        self._pending: list[Path] = []
        self._process: subprocess.Popen[bytes] | None = None
        self._said: IO[bytes] | None = None
        self._failed = False

    def add(self, save_dir: Path) -> None:
        """Publish a run soon."""
        self._pending.append(save_dir)
        self.go_on()

    def go_on(self) -> None:
        """Start to publish what waits, unless something is being published."""
        if self._process is not None and self._process.poll() is None:
            return
        self._collect()
        if self._pending:
            self._said = tempfile.TemporaryFile()  # noqa: SIM115  # it stays open while the process writes
            words = [sys.executable, "-c", _PROGRAM, "diag", str(self._script), *map(str, self._pending), "--stale"]
            self._process = subprocess.Popen(words, stdout=self._said, stderr=subprocess.STDOUT)
            self._pending = []

    def finish(self) -> bool:
        """Wait until everything is published, and return whether all of it was."""
        while self._process is not None or self._pending:
            if self._process is not None:
                self._process.wait()
            self.go_on()
        return not self._failed

    def _collect(self) -> None:
        if self._process is None or self._said is None:
            return
        self._failed = self._failed or self._process.returncode != 0
        self._said.seek(0)
        for line in self._said.read().decode(errors="replace").splitlines():
            say(line.removeprefix("naga: "))
        self._said.close()
        self._process = self._said = None


def publisher_of(script: Path | None) -> Publisher:
    """Return the publisher for the diag of a script."""
    if script is None:
        raise NagaError("--diag: the task is of no script whose diag could be called", hint="write it to a file")
    return Publisher(script)
