"""The program that `naga.capture.console` starts: it passes on what a run prints, and logs it.

It loads `naga.secrets` alone. Being a process of its own it loses nothing when the run's process is killed or leaves
without a word, and needs none of its locks. Arguments: the file of `naga.secrets`, the word that
ends a run's output, and for each stream ``<source>:<target>:<whether it is a terminal>``. Descriptor 0 says which
secrets the log leaves out, 3 is for answers, and 4 is the log.
"""

import contextlib
import fcntl
import importlib.util
import os
import re
import select
import struct
import termios
from collections.abc import Callable

READY, DRAINED = b"r", b"d"
ROWS = 16  # how far above the last line a progress bar may still change
LONGEST = 1 << 16  # bytes of a line without an end that are held back while another stream prints
BEGUN = 1 << 13  # and of one that is logged before its end: for a secret that has begun
TICK_MS = 250  # how soon a resized terminal is noticed

_CONTROL = re.compile(rb"(\n|\r|\x08|\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[@-Z\\^_])")
_MOVING = re.compile(rb"[\r\x08\x1b]")
_MOVE = re.compile(rb"\x1b\[(\d{0,4})([AB])")


class Log:
    """A file that holds what was printed: of a line that is written again and again, its last state."""

    def __init__(self, file: int, redact: Callable[[bytes], bytes]) -> None:
        self._file = file
        self._begin = self._end = os.lseek(file, 0, os.SEEK_END)  # the rows that may still change
        self._rows, self._at, self._fresh = [b""], 0, False
        self._redact = redact

    def feed(self, data: bytes) -> None:
        """Add some more output; a log that cannot be written must not stop it."""
        if self._at == len(self._rows) - 1 and not (self._fresh and self._rows[-1]) and not _MOVING.search(data):
            begun, *rows = data.split(b"\n")  # lines, as most output is
            self._rows[-1] += begun
            self._rows += rows
            self._at += len(rows)
            self._fresh = False
        else:
            for piece in filter(None, _CONTROL.split(data)):
                self._show(piece)
        with contextlib.suppress(OSError):
            self._write()

    def _show(self, piece: bytes) -> None:
        if piece == b"\n":
            self._go(1)
        elif move := _MOVE.fullmatch(piece):
            self._go(int(move[1] or 1) * (-1 if move[2] == b"A" else 1))
        elif piece == b"\r":
            self._fresh = True
        elif piece == b"\x1b[2K":
            self._rows[self._at] = b""
        elif piece[0] not in b"\x1b\x08":
            self._rows[self._at] = piece if self._fresh else self._rows[self._at] + piece
            self._fresh = False

    def _go(self, count: int) -> None:
        self._at = max(self._at + min(count, ROWS), 0)
        self._rows += [b""] * (self._at + 1 - len(self._rows))
        self._fresh = True

    def _write(self) -> None:
        if os.fstat(self._file).st_size != self._end:  # somebody else writes here, too
            self._begin = self._end = os.lseek(self._file, 0, os.SEEK_END)
        self._begin += os.pwrite(self._file, self._settled(), self._begin)
        text = self._redact(b"\n".join(self._rows))
        end = self._begin + os.pwrite(self._file, text, self._begin)
        if end < self._end:
            os.ftruncate(self._file, end)
        self._end = end

    def _settled(self) -> bytes:
        """Release, redacted, what nothing can change any more, so that the rest stays short however much is printed."""
        done = max(len(self._rows) - ROWS, 0)
        text = self._redact(b"\n".join([*self._rows[:done], b""]))
        del self._rows[:done]
        self._at = max(self._at - done, 0)
        if len(self._rows[-1]) > 2 * BEGUN:
            cut, rest = self._cut(b"\n".join(self._rows))
            text += cut
            self._rows, self._at = [rest], 0
        return text

    def _cut(self, row: bytes) -> tuple[bytes, bytes]:
        """Cut a long line outside of any secret, and redact its first part; the rest may hold the start of one."""
        clean = self._redact(row)
        if clean == row:
            return row[:-BEGUN], row[-BEGUN:]
        for held in range(BEGUN, 2 * BEGUN, BEGUN // 8):
            done = self._redact(row[:-held])
            if done + self._redact(row[-held:]) == clean:
                return done, row[-held:]
        return clean[:-BEGUN], clean[-BEGUN:]


class Stream:
    """One way from the run to a terminal, pipe or file."""

    def __init__(self, source: int, target: int, *, is_terminal: bool) -> None:
        self.source, self.target, self.is_terminal = source, target, is_terminal
        self.is_open, self.is_done, self._is_wanted = True, False, True
        self.pending, self._held, self._begun, self._size = b"", b"", b"", b""

    def read(self, end: bytes) -> bytes:
        """Read what is there, without the word that ends the run's output."""
        try:
            data = os.read(self.source, 1 << 16)
        except OSError:  # of a pseudoterminal that no process has open any more
            data = b""
        self.is_open = bool(data)
        data, self._held = self._held + data, b""
        if end in data:
            self.is_done = True
            data = data.replace(end, b"")
        start = data.rfind(end[:1], max(0, len(data) - len(end)))
        if self.is_open and start >= 0 and end.startswith(data[start:]):
            data, self._held = data[:start], data[start:]
        self.pending = data if self._is_wanted else b""
        return data

    def whole(self, data: bytes, *, alone: bool) -> bytes:
        """Hold back a line that is incomplete, so that another stream's lines do not end up inside it."""
        data, self._begun = self._begun + data, b""
        if not (alone or self.is_done) and self.is_open:
            begun = max(data.rfind(b"\n"), data.rfind(b"\r")) + 1
            if len(data) - begun <= LONGEST:
                data, self._begun = data[:begun], data[begun:]
        return data

    def write(self) -> None:
        """Pass on as much as a ready pipe takes without blocking."""
        try:
            self.pending = self.pending[os.write(self.target, self.pending[: select.PIPE_BUF]) :]
        except OSError:  # its reader has gone; the run goes on
            self.pending, self._is_wanted = b"", False

    def resize(self) -> None:
        """Return the run's terminal the size of the real one."""
        with contextlib.suppress(OSError):
            size = fcntl.ioctl(self.target, termios.TIOCGWINSZ, struct.pack("HHHH", 0, 0, 0, 0))
            if size != self._size:
                fcntl.ioctl(self.source, termios.TIOCSWINSZ, size)
                self._size = size


class Secrets:
    """What is redacted in the log: what the run knows as secrets, also those that it meets while it runs."""

    def __init__(self, source: int, module: str) -> None:
        spec = importlib.util.spec_from_file_location("naga_secrets", module)
        self._module = importlib.util.module_from_spec(spec)  # type: ignore[arg-type]  # the file is there
        spec.loader.exec_module(self._module)  # type: ignore[union-attr]  # as it has a loader
        self._source, self._begun = source, b""
        self.begins = bool(self.hear())  # at least the word that all is well
        os.set_blocking(source, False)

    def hear(self) -> bytes:
        """Read the secrets that the run has met by now."""
        data = b""
        with contextlib.suppress(BlockingIOError):
            data = os.read(self._source, 1 << 20)
        *whole, self._begun = (self._begun + data).split(b"\0")
        self._module.remember_for_texts(value.decode(errors="surrogateescape") for value in whole if value)
        return data

    def redact(self, text: bytes) -> bytes:
        """Take the secrets out of some output."""
        while self.hear():
            pass
        clean: str = self._module.redact_text(text.decode(errors="surrogateescape"))
        return clean.encode(errors="surrogateescape")


def serve(streams: list[Stream], log: Log, end: bytes, answer: int) -> None:
    """Pass on and log, until no process is left that could write."""
    timeout = TICK_MS if any(stream.is_terminal for stream in streams) else None
    while waiting := [stream for stream in streams if stream.is_open or stream.pending]:
        poll = select.poll()
        for stream in waiting:
            poll.register(*((stream.target, select.POLLOUT) if stream.pending else (stream.source, select.POLLIN)))
        ready = {descriptor for descriptor, _ in poll.poll(timeout)}
        for stream in waiting:
            if stream.is_terminal:
                stream.resize()
            if stream.pending and stream.target in ready:
                stream.write()
            elif not stream.pending and stream.source in ready:
                log.feed(stream.whole(stream.read(end), alone=len(streams) == 1))
        if answer >= 0 and all((stream.is_done or not stream.is_open) and not stream.pending for stream in streams):
            with contextlib.suppress(OSError):
                os.write(answer, DRAINED)
            os.close(answer)
            answer = -1


def main(module: str, end: str, *words: str) -> None:
    """Leave the run's process group, say that all is ready, and serve."""
    if os.fork():
        os._exit(0)  # an orphan: a run that waits for all of its children does not wait for it
    os.setsid()
    os.chdir("/")
    numbers = [list(map(int, word.split(":"))) for word in words]
    os.closerange(5 + len(words), os.sysconf("SC_OPEN_MAX"))
    os.write(3, READY)
    secrets = Secrets(0, module)
    if secrets.begins:
        streams = [Stream(source, target, is_terminal=bool(terminal)) for source, target, terminal in numbers]
        serve(streams, Log(4, secrets.redact), bytes.fromhex(end), 3)
