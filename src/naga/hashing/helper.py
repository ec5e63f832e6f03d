"""Hashing large files on all cores, in another process.

Mapping a file into memory is the fastest way to read it, but a file that shrinks meanwhile kills whoever reads the map.
That must not be the process of the user, so it is a child of it, which nobody else notices. Being another process it
also leaves the user's without threads, which would make it dangerous to fork.
"""

import os
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from naga.hashing import helper_main as mapped

_DIGEST = 32


class Mapper:
    """The other process: started for the first file, stopped by `close`."""

    def __init__(self) -> None:
        self._channel: socket.socket | None = None
        self._child = 0

    def hash(self, descriptor: int, size: int, hashed: Callable[[int], object]) -> bytes | None:
        """Hash the first `size` bytes of an open file."""
        try:
            if self._channel is None:
                self._channel, self._child = _start()
            answer = _ask(self._channel, descriptor, size, hashed)
        except OSError:
            answer = b""
        if len(answer) == 1 + _DIGEST:
            return answer[1:]
        self.close()
        return None

    def close(self) -> None:
        """Stop the other process, whatever it is doing."""
        if self._channel:
            self._channel.close()
            with suppress(ProcessLookupError, ChildProcessError):  # a user may have told the system to reap children
                os.kill(self._child, signal.SIGKILL)
                os.waitpid(self._child, 0)
        self._channel = None


def _start() -> tuple[socket.socket, int]:
    """Start the program; give the way to it and its process id."""
    import blake3

    if "python" not in Path(sys.executable or "").name or hasattr(sys, "frozen"):
        raise OSError("the program that embeds this interpreter is not one that can be started")
    command = [sys.executable, "-I", "-S", mapped.__file__, str(Path(blake3.__file__).parent.parent)]
    ours, theirs = socket.socketpair()
    with theirs:
        streams = (
            (os.POSIX_SPAWN_DUP2, theirs.fileno(), 0),
            (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
            (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
        )
        try:
            return ours, os.posix_spawn(sys.executable, command, os.environ, file_actions=streams)
        except OSError:
            ours.close()
            raise


def _ask(channel: socket.socket, descriptor: int, size: int, hashed: Callable[[int], object]) -> bytes:
    socket.send_fds(channel, [size.to_bytes(8)], [descriptor])
    for start in range(0, size, mapped.WINDOW):
        if channel.recv(1) != b".":
            return b""
        hashed(min(mapped.WINDOW, size - start))
    return channel.recv(1 + _DIGEST, socket.MSG_WAITALL)
