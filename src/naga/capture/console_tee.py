"""The program that `naga.capture.console` starts: it passes on what a run prints, and keeps it in a log.

It imports nothing of Naga. Being a process of its own it loses nothing when the run's process is killed or leaves
without a word, and needs none of its locks. Arguments: the word that ends a run's output, and for each stream
``<source>:<target>:<whether it is a terminal>``. Descriptor 0 holds the secrets that the log must not tell, 3 is for
answers, and 4 is the log.
"""

import contextlib
import fcntl
import os
import re
import select
import struct
import sys
import termios

READY, DRAINED = b"r", b"d"
MARK = b"<redacted>"
ROWS = 64  # the part of the log that cursor movements can still change
TICK_MS = 250  # how soon a resized terminal is noticed

_CONTROL = re.compile(rb"(\n|\r|\x08|\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[@-Z\\^_])")
_MOVE = re.compile(rb"\x1b\[(\d*)([AB])")


class Log:
    """A file that holds what a terminal would show: of a line that is written again and again, its last state."""

    def __init__(self, file: int, secrets: list[bytes]) -> None:
        self._file = file
        self._base = os.lseek(file, 0, os.SEEK_END)
        self._written = b""
        self._rows, self._at, self._fresh = [b""], 0, False
        self._secrets = re.compile(b"|".join(secrets)) if secrets else None

    def feed(self, data: bytes) -> None:
        """Show some more output; a log that cannot be written must not stop it."""
        for piece in _CONTROL.split(data):
            if piece:
                self._show(piece)
        with contextlib.suppress(OSError):
            self._write()

    def _show(self, piece: bytes) -> None:
        if piece == b"\n":
            self._go(1)
            self._fresh = True
        elif piece == b"\r":
            self._fresh = True
        elif piece[0] in b"\x1b\x08":
            self._obey(piece)
        else:
            self._rows[self._at] = piece if self._fresh else self._rows[self._at] + piece
            self._fresh = False

    def _obey(self, control: bytes) -> None:
        if move := _MOVE.fullmatch(control):
            count = min(int(move[1] or 1), ROWS)
            self._go(-count if move[2] == b"A" else count)
        elif control == b"\x1b[2K" or (control in (b"\x1b[K", b"\x1b[J") and self._fresh):
            self._rows[self._at] = b""

    def _go(self, count: int) -> None:
        self._at = max(self._at + count, 0)
        self._rows += [b""] * (self._at + 1 - len(self._rows))

    def _write(self) -> None:
        text = b"\n".join(self._rows)
        if self._secrets:
            text = self._secrets.sub(MARK, text)
        if os.fstat(self._file).st_size != self._base + len(self._written):  # somebody else writes here, too
            self._base, self._written = os.lseek(self._file, 0, os.SEEK_END), b""
        same = len(self._written)
        if not text.startswith(self._written):
            same = next((at for at, pair in enumerate(zip(self._written, text)) if pair[0] != pair[1]), len(text))  # noqa: B905  # the shorter counts
            same = min(same, len(self._written), len(text))
        if same < len(self._written):
            os.ftruncate(self._file, self._base + same)
        position = self._base + same
        for start in range(same, len(text), 1 << 20):
            position += os.pwrite(self._file, text[start : start + (1 << 20)], position)
        self._written = text
        self._settle(text)

    def _settle(self, text: bytes) -> None:
        """Let go of what no movement can reach any more."""
        done = len(self._rows) - ROWS
        lines = text.split(b"\n")
        if done > 0 and len(lines) == len(self._rows):
            settled = sum(len(line) + 1 for line in lines[:done])
            self._base += settled
            self._written = text[settled:]
            del self._rows[:done]
            self._at = max(self._at - done, 0)


class Stream:
    """One way from the run to a terminal, pipe or file."""

    def __init__(self, source: int, target: int, *, is_terminal: bool) -> None:
        self.source, self.target, self.is_terminal = source, target, is_terminal
        self.is_open, self.is_done, self._is_wanted = True, False, True
        self.pending, self._held, self._begun, self._size = b"", b"", b"", b""

    def read(self, end: bytes) -> bytes:
        """Take what is there; the word that ends the run's output is taken out."""
        try:
            data = os.read(self.source, 1 << 16)
        except OSError:  # of a pseudoterminal that nobody has open any more
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
        """Keep a line that has only begun, lest another stream's lines come into it."""
        data, self._begun = self._begun + data, b""
        if not (alone or self.is_done) and self.is_open:
            begun = max(data.rfind(b"\n"), data.rfind(b"\r")) + 1
            data, self._begun = data[:begun], data[begun:]
        return data

    def write(self) -> None:
        """Pass some of it on: as much as a pipe that is ready takes without blocking."""
        try:
            self.pending = self.pending[os.write(self.target, self.pending[: select.PIPE_BUF]) :]
        except OSError:  # nobody reads it any more; the run goes on
            self.pending, self._is_wanted = b"", False

    def resize(self) -> None:
        """Give the run's terminal the size of the real one."""
        with contextlib.suppress(OSError):
            size = fcntl.ioctl(self.target, termios.TIOCGWINSZ, struct.pack("HHHH", 0, 0, 0, 0))
            if size != self._size:
                fcntl.ioctl(self.source, termios.TIOCSWINSZ, size)
                self._size = size


def serve(streams: list[Stream], log: Log, end: bytes, answer: int) -> None:
    """Pass on and keep, until nobody is left who could write."""
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


def main(end: str, *words: str) -> None:
    """Leave the run's family, say that all is ready, and serve."""
    if os.fork():
        os._exit(0)  # an orphan is nobody's child: who waits for all of his children does not wait for it
    os.setsid()
    os.chdir("/")
    numbers = [list(map(int, word.split(":"))) for word in words]
    os.closerange(5 + len(words), os.sysconf("SC_OPEN_MAX"))
    os.write(3, READY)
    with open(0, "rb") as given:
        secrets = given.read()
    if secrets:  # at least the word that all is well
        streams = [Stream(source, target, is_terminal=bool(terminal)) for source, target, terminal in numbers]
        serve(streams, Log(4, secrets.split(b"\0")[1:]), bytes.fromhex(end), 3)


if __name__ == "__main__":
    main(*sys.argv[1:])
