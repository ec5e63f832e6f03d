"""Reading files for their hash: never a mixture of two contents, and always with the next read under way."""

import os
import stat
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from typing import Self

from naga.hashing.large_file import OtherProcess, will_need
from naga.hashing.listing import Advance, kind_of, name_of, pack_state, row_of, size_of, state_of

_SMALL = 1 << 20  # up to here a file is read at once
_CHUNK = 1 << 21  # and above it in pieces of this size
_LARGE = 1 << 26  # from here on all cores are worth another process
_AHEAD = 64  # so many files are asked of the disk before the first is read, and held open
_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC  # without O_NONBLOCK a fifo would hold us
_PAUSES_S = (0.0, 0.05, 0.25)  # before each attempt at a file that changes while it is read

Open = Callable[[bytes, int], int]  # (name, flags) -> descriptor


class Unreadable(Exception):  # noqa: N818  # never leaves this package
    """A file that could not be hashed, and why."""


class Reader:
    """Hashes the files of one tree; a context, because large files are hashed in another process."""

    def __init__(self, advance: Advance) -> None:
        from blake3 import blake3

        self._blake3 = blake3
        self._advance = advance
        self._other = OtherProcess()
        self._buffer = memoryview(bytearray(0))
        self._shared: dict[bytes, bytes] = {}
        self._failed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._other.close()

    def hash_rows(
        self, rows: Iterable[bytes], opener: Open, *, shares: bool
    ) -> Iterator[tuple[bytes, bytes | Unreadable]]:
        """Hash the files of a folder's rows, in their order."""
        for row, descriptor in _open_ahead(rows, opener):
            try:
                yield self._hash_row(row, descriptor, opener, shares)
            except Unreadable as error:
                self._failed = True
                yield row, error

    def _hash_row(self, row: bytes, descriptor: int | None, opener: Open, shares: bool) -> tuple[bytes, bytes]:
        """Hash a file in the state in which it was listed, or else in the one that it has now.

        Once there was one that cannot be read, nothing will come of the rest, and they are only opened.
        """
        if descriptor is not None:
            try:
                if self._failed:
                    return row, b""
                state, size = state_of(row), size_of(row)
                if shares and (known := self._shared.get(state)):
                    return row, known
                count, digest = self._content(descriptor, size)
                if count == size and pack_state(os.fstat(descriptor)) == state:
                    if shares:
                        self._shared[state] = digest
                    return row, digest
            except OSError:
                pass
            finally:
                os.close(descriptor)
        return self._hash_again(name_of(row), opener)

    def _hash_again(self, name: bytes, opener: Open) -> tuple[bytes, bytes]:
        for pause in _PAUSES_S:
            time.sleep(pause)
            try:
                if read := self._attempt(name, opener):
                    return read
            except FileNotFoundError:
                raise Unreadable("it was removed meanwhile") from None
            except OSError as error:
                raise Unreadable(str(error.strerror)) from None
        raise Unreadable("it changes while it is read")

    def _attempt(self, name: bytes, opener: Open) -> tuple[bytes, bytes] | None:
        descriptor = opener(name, _FLAGS)
        try:
            before = os.fstat(descriptor)
            if not stat.S_ISREG(before.st_mode):
                raise Unreadable(f"it became a {kind_of(before)}")
            count, digest = self._content(descriptor, before.st_size)
            same = count == before.st_size and pack_state(os.fstat(descriptor)) == pack_state(before)
            return (row_of(name, before), digest) if same else None
        finally:
            os.close(descriptor)

    def _content(self, descriptor: int, size: int) -> tuple[int, bytes]:
        """Hash what an open file of that size holds; return how much was read, and the digest."""
        if size <= _SMALL:
            data = os.read(descriptor, size + 1)
            self._advance(1, len(data))
            return len(data), self._blake3(data).digest()
        self._advance(1, 0)
        if size >= _LARGE and (digest := self._other.hash(descriptor, size, partial(self._advance, 0))):
            return size, digest
        return self._in_pieces(descriptor, size)

    def _in_pieces(self, descriptor: int, size: int) -> tuple[int, bytes]:
        self._buffer = self._buffer or memoryview(bytearray(_CHUNK))
        hasher = self._blake3()
        total = 0
        while total <= size and (count := os.readv(descriptor, [self._buffer])):  # a log may grow for ever
            hasher.update(self._buffer[:count])
            self._advance(0, count)
            total += count
        return total, hasher.digest()


def _open_ahead(rows: Iterable[bytes], opener: Open) -> Iterator[tuple[bytes, int | None]]:
    """Open files ahead of their reader, so that the disk always has something to do."""
    ahead: deque[tuple[bytes, int | None]] = deque()
    try:
        for row in rows:
            descriptor = None
            with suppress(OSError):  # whoever tries again learns why
                descriptor = opener(name_of(row), _FLAGS)
                will_need(descriptor, 0, _SMALL)
            ahead.append((row, descriptor))
            if len(ahead) > _AHEAD:
                yield ahead.popleft()
        while ahead:
            yield ahead.popleft()
    finally:
        for _, descriptor in ahead:
            if descriptor is not None:
                os.close(descriptor)
