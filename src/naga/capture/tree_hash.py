"""The hash of a file or folder: BLAKE3 of every byte, of names and of structure, and of nothing else.

`docs/hashing.md` writes the format down so that anyone can compute it again. Users keep these hashes: nothing here may
ever change what a given file or folder hashes to.
"""

import os
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from struct import Struct

from naga.capture.content import Unreadable, hash_file
from naga.capture.scan import Folder, LeaveOut, ignored, kind_of, open_below, scan
from naga.errors import DataError

__all__ = ["Entry", "Tree", "combine", "fold", "hash_path"]

FILE, FOLDER, LINK = b"f", b"d", b"l"
_CONTEXT = "naga.tree/1"
_HEAD = Struct("<cQ")  # what an entry of a folder begins with: its type, the length of its name
_KINDS = {FILE: "file", FOLDER: "folder", LINK: "link"}

Item = tuple[bytes, bytes, bytes]  # name, type, digest
Part = tuple[bytes, Sequence[tuple[bytes, bytes, int, bytes]]]  # folder; name, type, size, digest


@dataclass(frozen=True, slots=True)
class Entry:
    """One file, link or empty folder of a `Tree`."""

    path: str
    kind: str
    size_bytes: int
    hash: str


@dataclass(frozen=True, slots=True)
class Tree:
    """What lay at a path, or at several: the hash, and all that it was made from."""

    kind: str
    digest: bytes
    size_bytes: int
    files: int
    parts: tuple[Part, ...]

    @property
    def hash(self) -> str:
        """As it stands in a run.lock.

        Examples
        --------
        >>> Tree("folder", bytes(32), 0, 0, ()).hash
        'blake3:0000000000000000000000000000000000000000000000000000000000000000'
        """
        return written(self.digest)

    def entries(self, known_as: str = "") -> Iterator[Entry]:
        """List every file, link and empty folder; the tree itself is known by the name given."""
        for folder, items in self.parts:
            for name, kind, size, digest in items:
                path = join(os.fsencode(known_as), folder, name)
                yield Entry(os.fsdecode(path), _KINDS[kind], size, written(digest))


def written(digest: bytes) -> str:
    """Write a digest as users keep it."""
    return f"blake3:{digest.hex()}"


def join(*names: bytes) -> bytes:
    """Join the parts of a path, empty ones left out.

    Examples
    --------
    >>> join(b"a", b"", b"b")
    b'a/b'
    """
    return b"/".join(name for name in names if name)


def fold(items: Iterable[Item]) -> bytes:
    """Compute the digest of a folder from what lies in it.

    Parameters
    ----------
    items : iterable of (name, type, digest)
        The type is ``b"f"`` for a file, ``b"d"`` for a folder, ``b"l"`` for a link; a link's digest is that of the text
        it holds. The order does not matter.

    Examples
    --------
    >>> fold([]).hex()[:16]
    '1d49aacf731a1c65'
    """
    from blake3 import blake3

    parts: list[bytes] = []
    for name, kind, digest in sorted(items):
        parts += (_HEAD.pack(kind, len(name)), name, digest)
    return bytes(blake3(b"".join(parts), derive_key_context=_CONTEXT).digest())


def combine(kind: str, trees: Mapping[str, Tree]) -> Tree:
    """Hash several trees as though a folder held them under these names."""
    named = {os.fsencode(name): tree for name, tree in trees.items()}
    items = [(name, FILE if tree.kind == "file" else FOLDER, tree.digest) for name, tree in named.items()]
    return Tree(
        kind,
        fold(items),
        sum(tree.size_bytes for tree in trees.values()),
        sum(tree.files for tree in trees.values()),
        tuple((join(name, folder), part) for name, tree in named.items() for folder, part in tree.parts),
    )


def hash_path(path: Path, *, ignore: Sequence[str] = (), leave_out: LeaveOut | None = None) -> Tree:
    """Hash a file or folder, or what a link there leads to.

    Parameters
    ----------
    path : Path
        The file or folder.
    ignore : sequence of str
        Patterns of what to leave out, as in a .gitignore file in that folder.
    leave_out : callable, optional
        Says of a path below the folder, and its ``st_mode``, if it is left out.

    Raises
    ------
    DataError
        It is missing, cannot be read, keeps changing, or is neither file nor folder. Nothing is hashed in part.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = (Path(folder) / "a.txt").write_bytes(b"")
    ...     hash_path(Path(folder) / "a.txt").hash
    'blake3:af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262'
    """
    try:
        status = path.stat()
        if stat.S_ISREG(status.st_mode):
            return _hash_one(path)
        if stat.S_ISDIR(status.st_mode):
            return _hash_folder(path, leave_out or ignored(ignore))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        raise DataError(f"no file or folder {str(path)!r}") from None
    except OSError as error:
        raise DataError(f"cannot read {str(path)!r}: {error.strerror}") from None
    raise DataError(f"{str(path)!r} is a {kind_of(status)}, not a file or folder")


def _hash_one(path: Path) -> Tree:
    try:
        size, digest = hash_file(path, None)
    except Unreadable as error:
        raise DataError(f"cannot read {str(path)!r}: {error}") from None
    return Tree("file", digest, size, 1, ((b"", [(b"", FILE, size, digest)]),))


def _hash_folder(path: Path, leave_out: LeaveOut | None) -> Tree:
    root = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        listing = scan(root, leave_out)
        hashed = _hash_files(root, listing.folders, listing.refused)
    finally:
        os.close(root)
    if listing.refused:
        raise _refusal(path, listing.refused)
    return _assemble(listing.folders, hashed)


def _hash_files(
    root: int, folders: Sequence[Folder], refused: list[tuple[bytes, str]]
) -> list[list[tuple[int, bytes]]]:
    hashed = []
    for folder in folders:
        results: list[tuple[int, bytes]] = []
        try:
            descriptor = open_below(root, folder.path, os.O_RDONLY | os.O_DIRECTORY)
        except OSError:
            hashed.append(results)
            continue
        try:
            for name in folder.names:
                try:
                    results.append(hash_file(name, descriptor))
                except Unreadable as error:
                    refused.append((join(folder.path, name), str(error)))
        finally:
            os.close(descriptor)
        hashed.append(results)
    return hashed


def _assemble(folders: Sequence[Folder], hashed: Sequence[Sequence[tuple[int, bytes]]]) -> Tree:
    """Fold each folder into its parent, the last and deepest first."""
    inside: list[list[Item]] = [[] for _ in folders]  # the folders in each folder
    parts = []
    digest = b""
    for place in reversed(range(len(folders))):
        folder = folders[place]
        items = [(name, FILE, size, digest) for name, (size, digest) in zip(folder.names, hashed[place], strict=True)]
        items += [(name, LINK, 0, fold_link(target)) for name, target in folder.links]
        if place and folder.hides and not items and not inside[place]:
            folders[folder.parent].hides = True
            continue  # nothing in it counts, so neither does it
        digest = fold([(name, kind, digest) for name, kind, _, digest in items] + inside[place])
        name = folder.path.rpartition(b"/")[2]
        if items:
            parts.append((folder.path, sorted(items)))
        elif place and not inside[place]:
            parts.append((folder.path.rpartition(b"/")[0], [(name, FOLDER, 0, digest)]))
        if place:
            inside[folder.parent].append((name, FOLDER, digest))
    sizes = [size for results in hashed for size, _ in results]
    return Tree("folder", digest, sum(sizes), len(sizes), tuple(sorted(parts)))


def fold_link(target: bytes) -> bytes:
    """Compute the digest of a link: that of the text that it holds."""
    from blake3 import blake3

    return bytes(blake3(target).digest())


def _refusal(path: Path, refused: Sequence[tuple[bytes, str]]) -> DataError:
    shown = ", ".join(f"{os.fsdecode(name) or '.'} ({why})" for name, why in refused[:10])
    more = f" and {len(refused) - 10} more" if len(refused) > 10 else ""
    return DataError(f"cannot hash {str(path)!r}: {shown}{more}")
