"""The format of the hash, and the tree that a hash was made from.

`docs/hashing.md` writes the format down so that anyone can compute it again. Users keep these hashes: nothing here may
ever change what a given file or folder hashes to.
"""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from heapq import merge
from itertools import repeat
from struct import Struct
from typing import NamedTuple

from naga.frozen import dataclass
from naga.hashing.listing import Folder, join, name_of, size_of

_CONTEXT = "naga.tree/1"
_HEAD = Struct("<cQ")  # what the record of a name begins with: its type, the length of the name
_FILE, _FOLDER, _LINK = b"f", b"d", b"l"
_KINDS = {_FILE: "file", _FOLDER: "folder", _LINK: "link"}
_DIGEST = 32
_BATCH = 1 << 16

Item = tuple[bytes, bytes, bytes]  # name, type, digest


class HashedFile(NamedTuple):
    """One file, link or empty folder of a `Tree`; `run_id` is the run that left it there, where one is known."""

    path: str
    kind: str
    size_bytes: int
    hash: str
    run_id: str | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """The files and links directly in one folder, or that folder if it is empty."""

    known_as: bytes  # before the folder's own path
    folder: Folder
    digest: bytes  # of the folder
    digests: bytes  # of its files, one after the other
    run_id: str | None = None

    def entries(self) -> Iterator[HashedFile]:
        """List what is here, sorted by name."""
        here = os.fsdecode(join(self.known_as, self.folder.path))
        below = f"{here}/" if here else ""
        sizes = map(size_of, self.folder.rows)
        for name, kind, digest in self.items():
            path = below + os.fsdecode(name) if name else here  # a file that is a tree by itself has no name in it
            yield HashedFile(path, _KINDS[kind], next(sizes) if kind == _FILE else 0, written(digest), self.run_id)
        if here and not self.folder.rows and not self.folder.links:
            yield HashedFile(here, "folder", 0, written(self.digest), self.run_id)

    def items(self, inside: Iterable[Item] = ()) -> Iterator[Item]:
        """List what is here, and what is known of the folders in it, sorted by name."""
        from blake3 import blake3

        digests = (self.digests[start : start + _DIGEST] for start in range(0, len(self.digests), _DIGEST))
        files = zip(map(name_of, self.folder.rows), repeat(_FILE), digests, strict=False)
        others = [*inside, *((name, _LINK, blake3(target).digest()) for name, target in self.folder.links)]
        return merge(files, sorted(others)) if others else files


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """The content of a path, or of several: the hash, and all that it was made from.

    ``source`` is ``cached`` where a digest was known from before, else ``fresh``. ``changed`` names files that were
    hashed in another state than they were listed in; ``leads_out`` names links to what the hash does not cover.
    """

    kind: str
    digest: bytes
    size_bytes: int
    files: int
    source: str = "fresh"
    changed: tuple[bytes, ...] = ()
    leads_out: tuple[bytes, ...] = ()
    parts: tuple[Part, ...] = field(default=(), repr=False, compare=False)

    @property
    def hash(self) -> str:
        """As it stands in a run.lock."""
        return written(self.digest)

    def entries(self) -> Iterator[HashedFile]:
        """List every file, link and empty folder; the path of the tree itself is empty."""
        for part in self.parts:
            yield from part.entries()

    def known_as(self, name: str, run_id: str | None = None) -> "Tree":
        """Put a name before all paths, and set the run that left them."""
        first = os.fsencode(name)
        parts = (
            replace(part, known_as=join(first, part.known_as), run_id=run_id or part.run_id) for part in self.parts
        )
        return replace(self, parts=tuple(parts))


def written(digest: bytes) -> str:
    """Write a digest as it stands in a run.lock."""
    return f"blake3:{digest.hex()}"


def fold(items: Iterable[Item]) -> bytes:
    """Compute the digest of a folder from what is in it."""
    from blake3 import blake3

    hasher = blake3(derive_key_context=_CONTEXT)
    records = bytearray()
    for name, kind, digest in items:
        records += _HEAD.pack(kind, len(name)) + name + digest
        if len(records) > _BATCH:
            hasher.update(records)
            records.clear()
    return bytes(hasher.update(records).digest())


def one_file(row: bytes, digest: bytes) -> Tree:
    """Make the tree of a single file."""
    part = Part(b"", Folder(b"", 0, rows=[row]), b"", digest)
    return Tree(kind="file", digest=digest, size_bytes=size_of(row), files=1, parts=(part,))


def assemble(folders: Sequence[Folder], digests: Sequence[bytes]) -> Tree:
    """Make the tree of a listing from the digests of each folder's files: the last and deepest folder first."""
    inside: dict[int, list[Item]] = {}  # what is known of the folders in each folder
    parts = []
    digest = b""
    for place in reversed(range(len(folders))):
        folder = folders[place]
        deeper = inside.pop(place, [])
        empty = not (folder.rows or folder.links or deeper)
        if place and empty and folder.hides:
            folders[folder.parent].hides = True
            continue  # nothing in it counts, so neither does it
        part = Part(b"", folder, b"", digests[place])
        digest = fold(part.items(deeper))
        if empty or folder.rows or folder.links:
            parts.append(replace(part, digest=digest))
        if place:
            inside.setdefault(folder.parent, []).append((folder.path.rpartition(b"/")[2], _FOLDER, digest))
    parts.sort(key=lambda part: part.folder.path)
    size, files = sum(folder.size_bytes for folder in folders), sum(len(folder.rows) for folder in folders)
    return Tree(kind="folder", digest=digest, size_bytes=size, files=files, parts=tuple(parts))


def combine(kind: str, trees: Mapping[str, Tree]) -> Tree:
    """Hash several trees as if one folder held them under these names."""
    named = sorted((os.fsencode(name), tree) for name, tree in trees.items())
    return Tree(
        kind=kind,
        digest=fold((name, _FILE if tree.kind == "file" else _FOLDER, tree.digest) for name, tree in named),
        size_bytes=sum(tree.size_bytes for _, tree in named),
        files=sum(tree.files for _, tree in named),
        source="cached" if any(tree.source == "cached" for _, tree in named) else "fresh",
        changed=tuple(join(name, path) for name, tree in named for path in tree.changed),
        leads_out=tuple(join(name, path) for name, tree in named for path in tree.leads_out),
        parts=tuple(part for name, tree in named for part in tree.known_as(os.fsdecode(name)).parts),
    )
