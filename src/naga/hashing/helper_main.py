"""The program that `naga.hashing.helper` starts: it hashes large files on all cores, through memory maps.

It imports nothing of Naga and little else, so that it is ready after some 30 ms. Each message that comes through its
standard input is the size of a file, with the open file itself; it answers one ``.`` for each window that it has
hashed, then ``=`` and the digest.
"""

import contextlib
import mmap
import os
import socket
import sys
from typing import Any

WINDOW = 1 << 27


def will_need(descriptor: int, start: int, length: int) -> None:
    """Ask the disk for a part of a file that is about to be read, where the system and the file know such a thing."""
    with contextlib.suppress(AttributeError, OSError):
        os.posix_fadvise(descriptor, start, length, os.POSIX_FADV_WILLNEED)


def serve(channel: socket.socket, blake3: Any) -> None:
    """Hash what comes, until the other side hangs up."""
    while True:
        message, descriptors, *_ = socket.recv_fds(channel, 8, 1)
        if not message:
            return
        _hash_mapped(descriptors[0], int.from_bytes(message), channel, blake3(max_threads=blake3.AUTO))
        os.close(descriptors[0])


def _hash_mapped(descriptor: int, size: int, channel: socket.socket, hasher: Any) -> None:
    for start in range(0, size, WINDOW):
        will_need(descriptor, start + WINDOW, WINDOW)
        with mmap.mmap(descriptor, min(WINDOW, size - start), prot=mmap.PROT_READ, offset=start) as window:
            hasher.update(window)
        channel.sendall(b".")
    channel.sendall(b"=" + hasher.digest())


if __name__ == "__main__":
    sys.path.append(sys.argv[1])
    from blake3 import blake3

    with socket.socket(fileno=os.dup(0)) as standard_input:
        serve(standard_input, blake3)
