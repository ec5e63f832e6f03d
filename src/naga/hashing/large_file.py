"""Hashing large files on all cores, in another process.

Mapping a file into memory is the fastest way to read it, but a file that shrinks meanwhile kills whoever reads the map.
That must not be the process of the user, so it is a child of it, which nothing else notices. Being another process it
also leaves the user's without threads, which would make it dangerous to fork.

The child runs this file as a program. It imports nothing of Naga and little else, so that it is ready after some 30 ms.
Each message that comes through its standard input is the size of a file, with the open file itself; it answers one
``.`` for each window that it has hashed, then ``=`` and the digest.
"""

import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress

# Not that of `os`, which debuggers replace to attach to children of Python: this one is no child of the user's.
from posix import posix_spawn
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import socket  # few files are so large

WINDOW = 1 << 27
_DIGEST = 32


class OtherProcess:
    """The process that hashes: started for the first file, stopped by `close`."""

    def __init__(self) -> None:
        self._channel: socket.socket | None = None
        self._child = 0

    def hash(self, descriptor: int, size: int, hashed: Callable[[int], object]) -> bytes | None:
        """Hash the first `size` bytes of an open file; None where this process has to do it by itself."""
        answer = b""
        with suppress(OSError):
            if self._channel is None:
                self._channel, self._child = _start()
            answer = _ask(self._channel, descriptor, size, hashed)
        if len(answer) == 1 + _DIGEST:
            return answer[1:]
        self.close()
        return None

    def close(self) -> None:
        """Kill the process, whatever it is doing."""
        if self._channel:
            self._channel.close()
            with suppress(ProcessLookupError, ChildProcessError):  # a user may have asked the system to reap children
                os.kill(self._child, signal.SIGKILL)
                os.waitpid(self._child, 0)
        self._channel = None


def _start() -> "tuple[socket.socket, int]":
    """Start the program; return the socket to it and its process id."""
    import socket

    import blake3

    if "python" not in os.path.basename(sys.executable or "") or hasattr(sys, "frozen"):  # noqa: PTH119  # light
        raise OSError("the program that embeds this interpreter is not one that can be started")
    packages = os.path.dirname(os.path.dirname(blake3.__file__))  # noqa: PTH120
    command = [sys.executable, "-I", "-S", __file__, packages]
    ours, theirs = socket.socketpair()
    with theirs:
        streams = (
            (os.POSIX_SPAWN_DUP2, theirs.fileno(), 0),
            (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
            (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
        )
        try:
            return ours, posix_spawn(sys.executable, command, os.environ, file_actions=streams)
        except OSError:
            ours.close()
            raise


def _ask(channel: "socket.socket", descriptor: int, size: int, hashed: Callable[[int], object]) -> bytes:
    import socket

    socket.send_fds(channel, [size.to_bytes(8)], [descriptor])
    for start in range(0, size, WINDOW):
        if channel.recv(1) != b".":
            return b""
        hashed(min(WINDOW, size - start))
    return channel.recv(1 + _DIGEST, socket.MSG_WAITALL)


def will_need(descriptor: int, start: int, length: int) -> None:
    """Ask the disk for a part of a file that is about to be read, where the system and the file know such a thing."""
    with suppress(AttributeError, OSError):
        os.posix_fadvise(descriptor, start, length, os.POSIX_FADV_WILLNEED)


def _serve(channel: "socket.socket", blake3: Any) -> None:
    """Hash what is sent, until the other side hangs up."""
    import socket

    while True:
        message, descriptors, *_ = socket.recv_fds(channel, 8, 1)
        if not message:
            return
        _hash_mapped(descriptors[0], int.from_bytes(message), channel, blake3(max_threads=blake3.AUTO))
        os.close(descriptors[0])


def _hash_mapped(descriptor: int, size: int, channel: "socket.socket", hasher: Any) -> None:
    import mmap

    for start in range(0, size, WINDOW):
        will_need(descriptor, start + WINDOW, WINDOW)
        with mmap.mmap(descriptor, min(WINDOW, size - start), prot=mmap.PROT_READ, offset=start) as window:
            hasher.update(window)
        channel.sendall(b".")
    channel.sendall(b"=" + hasher.digest())


if __name__ == "__main__":
    import socket

    sys.path.append(sys.argv[1])
    from blake3 import blake3

    with socket.socket(fileno=os.dup(0)) as standard_input:
        _serve(standard_input, blake3)
