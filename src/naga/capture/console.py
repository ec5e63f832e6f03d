"""What a run prints: on the terminal as usual, and in ``console.log``.

File descriptors 1 and 2 are led through a small process of their own (`naga.capture.console_tee`), so that what C code
and children print is logged, too. A terminal is replaced by a pseudoterminal, so that colours and progress bars stay.
"""

import fcntl
import os
import select
import signal
import stat
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

# Not that of `os`, which debuggers replace to attach to children of Python: this one is no child of the user's.
from posix import posix_spawn
from typing import Any, BinaryIO

from naga import secrets
from naga.capture import console_tee as tee
from naga.frozen import dataclass
from naga.terminal import say

_READY_S, _DRAINED_S = 5, 30  # for what hangs
_KERNEL_READS_S = 0.1  # until a kernel has what children have written
_BLOCK = 1 << 24
_ABOVE = 10  # numbers that no standard stream has
# They are meant for the run, not for who passes its last words on.
_NOT_HEARD = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGTSTP, signal.SIGTTOU)

# Imported, not run as a script: of a script Python keeps no byte code. Its folder comes last, as it has a `code`, too.
_PROGRAM = "import sys; sys.path.append(sys.argv[1]); import console_tee; console_tee.main(*sys.argv[2:])"

_owners: list[int] = []


@dataclass(frozen=True, slots=True)
class _Channel:
    """A stream of the process: its descriptors, where it led, and the two ends of the pipe that replaces it."""

    numbers: tuple[int, ...]
    sink: int
    source: int
    is_terminal: bool


def _redact_file(log: BinaryIO) -> None:
    """Redact a log in place and in parts: it may be larger than the memory."""
    read, written, clean, block = 0, 0, b"", b"more"
    while block or clean:
        if read == written and not clean:  # nothing was moved yet: what holds no data stays as it is
            read = written = _next_data(log, read)
        log.seek(read)
        block = log.read(_BLOCK) + log.readline(_BLOCK)  # a secret that is all in one line is never divided
        read += len(block)
        clean += secrets.redact_text(block.decode(errors="surrogateescape")).encode(errors="surrogateescape")
        if read - written == len(block) and clean == block:
            written, clean = read, b""
            continue
        log.seek(written)
        # What is longer than what it stands for must not overwrite what has not been read.
        count = log.write(clean[: read - written] if block else clean)
        written, clean = written + count, clean[count:]
    log.truncate(written)


def _next_data(log: BinaryIO, place: int) -> int:
    try:
        return os.lseek(log.fileno(), place, os.SEEK_DATA)
    except OSError:  # up to the end there is none
        return os.fstat(log.fileno()).st_size


class Console:
    """Logs what is printed while it is entered, and what children print after that.

    It starts its process when it is made, in parallel with what is done before it is entered. What a notebook's kernel
    sends to its front end is logged on its way. Where the streams are others than the process's own (pytest), where
    another thread's run has them, or where no process can be started, it stands aside.
    """

    def __init__(self, log: Path | None) -> None:
        self._log = log
        self._end = b"\0naga " + os.urandom(16) + b"\0"
        self._channels: list[_Channel] = []
        self._written = -1
        self._child = self._answer = self._control = -1
        me = threading.get_ident()
        mine = log is not None and (not _owners or _owners[-1] == me)
        streams = _own_streams() if mine else []
        self._sent = _sent_by_kernel() if mine and not streams else []
        if streams or self._sent:
            try:
                self._start(streams)
            except (OSError, termios.error) as error:
                self._stand_aside(str(error))

    def _start(self, streams: list[int]) -> None:
        if "python" not in Path(sys.executable or "").name or hasattr(sys, "frozen"):
            raise OSError("the program that embeds this interpreter is not one that can be started")
        self._channels = [_open(numbers) for numbers in _grouped(streams)] or [_unseen()]
        with ExitStack() as theirs:
            self._answer, answer = _pipe()
            control, self._control = _pipe()
            log = _open_log(self._log or Path())
            self._written = fcntl.fcntl(log, fcntl.F_DUPFD_CLOEXEC, _ABOVE)
            for number in (answer, control, log, *(channel.source for channel in self._channels)):
                theirs.callback(os.close, number)
            words = [
                f"{5 + place}:{(channel.numbers or (1,))[0]}:{channel.is_terminal:d}"
                for place, channel in enumerate(self._channels)
            ]
            given = dict(enumerate((answer, log, *(channel.source for channel in self._channels)), 3)) | {0: control}
            actions = [(os.POSIX_SPAWN_DUP2, ours, number) for number, ours in given.items()]
            unused = {1, 2} - {number for channel in self._channels for number in channel.numbers[:1]}
            actions += [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_WRONLY, 0) for number in unused]  # type: ignore[misc]
            command = [sys.executable, "-I", "-S", "-c", _PROGRAM, str(Path(tee.__file__).parent), secrets.__file__]
            command += [self._end.hex(), *words]
            self._child = posix_spawn(sys.executable, command, os.environ, file_actions=actions, setsigmask=_NOT_HEARD)

    def __enter__(self) -> None:
        """Redirect the streams to the other process."""
        if not self._channels:
            return
        self._pid = os.getpid()
        ready = self._wait(_READY_S) == tee.READY
        with suppress(ChildProcessError):  # where SIGCHLD is ignored, the system has reaped it
            os.waitpid(self._child, 0 if ready else os.WNOHANG)
        if not ready:
            self._stand_aside("the process for it did not start")
            return
        self._known = secrets.known_in_texts()
        self._report("", *self._known)
        os.set_blocking(self._control, False)
        os.environ.__class__ = _reporting(type(os.environ), self._report)
        self._redirect()
        _owners.append(threading.get_ident())

    def _redirect(self) -> None:
        _flush()
        self._former = {}
        for channel in self._channels:
            for number in channel.numbers:
                self._former[number] = fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, _ABOVE)
                os.dup2(channel.sink, number)
        for stream in self._sent:
            stream.write = _noting(stream.write, self._channels[0].sink)

    def __exit__(self, *_: object) -> None:
        """Undo the redirection, and wait until everything has arrived; a forked child leaves that to its parent."""
        if not self._channels or os.getpid() != self._pid:
            return
        _owners.pop()
        os.environ.__class__ = os.environ.__class__.__base__  # type: ignore[assignment]  # as it was
        try:
            self._lead_back()
        except (OSError, ValueError) as error:  # the function has closed what it did not open: no fault of the run
            say(f"warning: '{self._log}' may lack its end: {getattr(error, 'strerror', None) or error}")

    def _lead_back(self) -> None:
        _flush()
        if self._sent:
            time.sleep(_KERNEL_READS_S)
        for stream in self._sent:
            del stream.write
        for channel in self._channels:
            for number in channel.numbers:
                if os.path.sameopenfile(number, channel.sink):  # the function may have led it elsewhere
                    os.dup2(self._former[number], number)
                os.close(self._former[number])
            _write_soon(channel.sink, self._end)
            os.close(channel.sink)
        if self._wait(_DRAINED_S) is None:
            say(f"warning: the terminal does not take what was printed; '{self._log}' may lack its end")
        os.close(self._answer)
        os.close(self._control)

    def redact_again(self) -> None:
        """Take out of the log what became known as a secret while the function ran or after it."""
        if self._written < 0:
            return
        with suppress(OSError), os.fdopen(self._written, "r+b") as log:
            self._written = -1
            if set(secrets.known_in_texts()) - set(getattr(self, "_known", ())):
                _redact_file(log)

    def _report(self, *values: str) -> None:
        """Say what the log must leave out from now on, before it can be printed."""
        with suppress(OSError):
            os.write(self._control, b"".join(value.encode(errors="surrogateescape") + b"\0" for value in values))

    def _wait(self, seconds: float) -> bytes | None:
        """Return the other process's next message; nothing where it has died, None where it is silent."""
        poll = select.poll()
        poll.register(self._answer, select.POLLIN)
        return os.read(self._answer, 1) if poll.poll(seconds * 1000) else None

    def _stand_aside(self, reason: str) -> None:
        say(f"warning: output is not being logged in '{self._log}': {reason}")
        for number in (self._answer, self._control, *(channel.sink for channel in self._channels)):
            if number >= 0:
                os.close(number)
        self._channels = []

    @contextmanager
    def abandoned(self) -> Iterator[None]:
        """Stop the other process if what comes before the function fails."""
        try:
            yield
        except BaseException:
            self._close_unused()
            raise

    def _close_unused(self) -> None:
        for number in (self._answer, self._control, *(channel.sink for channel in self._channels)):
            with suppress(OSError):
                os.close(number)
        if self._channels:
            with suppress(ChildProcessError):
                os.waitpid(self._child, 0)
        self._channels = []


def _reporting(kind: type, report: Callable[[str], None]) -> type:
    """Make environment variables that report a secret when they are set, as `load_dotenv` does."""
    parent: Any = kind.__dict__["__setitem__"]

    def set_item(variables: Any, name: str, value: str) -> None:
        parent(variables, name, value)
        if secrets.is_secret(name, value):
            report(value)

    return type("Reporting", (kind,), {"__setitem__": set_item})


def _own_streams() -> list[int]:
    """List the standard streams that are what Python prints to."""
    numbers = []
    for number, stream in ((1, sys.stdout), (2, sys.stderr)):
        with suppress(Exception):
            os.fstat(number)
            if stream.fileno() == number:  # a stream that was closed is None, and its number may be in use again
                numbers.append(number)
    return numbers


def _sent_by_kernel() -> list[Any]:
    """List the streams by which ipykernel sends what is printed, by C code and children too, to the front end."""
    streams = (sys.stdout, sys.stderr) if "ipykernel" in sys.modules else ()
    return [stream for stream in streams if type(stream).__module__.startswith("ipykernel.")]


def _noting(write: Callable[[str], Any], sink: int) -> Callable[[str], Any]:
    """Let what is written to a stream be logged, too."""

    def both(text: str) -> Any:
        data = text.encode(errors="backslashreplace")
        while data:
            data = data[os.write(sink, data) :]
        return write(text)

    return both


def _grouped(numbers: list[int]) -> list[tuple[int, ...]]:
    """Group streams that lead to one place, so that the order of their lines stays."""
    if len(numbers) == 2 and os.path.samestat(os.fstat(numbers[0]), os.fstat(numbers[1])):
        return [tuple(numbers)]
    return [(number,) for number in numbers]


def _open(numbers: tuple[int, ...]) -> _Channel:
    if not os.isatty(numbers[0]):
        source, sink = _pipe()
        return _Channel(numbers, sink, source, is_terminal=False)
    source, sink = map(_above, os.openpty())
    attributes = termios.tcgetattr(numbers[0])
    attributes[1] &= ~termios.OPOST  # the real terminal does what is to be done
    termios.tcsetattr(sink, termios.TCSANOW, attributes)
    size = os.get_terminal_size(numbers[0])
    termios.tcsetwinsize(sink, (size.lines, size.columns))
    return _Channel(numbers, sink, source, is_terminal=True)


def _open_log(file: Path) -> int:
    """Open the log, which must be a file: a fifo in its place would have no reader."""
    number = _above(os.open(file, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666))
    if not stat.S_ISREG(os.fstat(number).st_mode):
        os.close(number)
        raise OSError("it is not a file")
    return number


def _unseen() -> _Channel:
    """Make a channel to the log alone."""
    source, sink = _pipe()
    return _Channel((), sink, source, is_terminal=False)


def _pipe() -> tuple[int, int]:
    source, sink = map(_above, os.pipe())
    return source, sink


def _above(number: int) -> int:
    """Move a descriptor above those of the standard streams."""
    moved = fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, _ABOVE)
    os.close(number)
    return moved


def _write_soon(sink: int, data: bytes) -> None:
    poll = select.poll()
    poll.register(sink, select.POLLOUT)
    with suppress(OSError):
        if poll.poll(_DRAINED_S * 1000):
            os.write(sink, data)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):  # what the function has put there may raise anything
            stream.flush()
    if ctypes := sys.modules.get("ctypes"):  # what C code has not written yet; loading it would take too long
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).fflush(None)
