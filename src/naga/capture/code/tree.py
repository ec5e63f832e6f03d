"""Writing a tree that differs from another in some paths, at a cost that grows with the changes alone.

git's own way, through a whole index, costs as much as walking the worktree.
"""

import os
from collections.abc import Mapping

from naga.capture.code.git import GitError, Repository, Talk
from naga.capture.code.worktree import TreeEntry

_FOLDER = "040000"
_KINDS = {_FOLDER: "tree", "160000": "commit"}


def edited_tree(repository: Repository, base: str | None, changes: Mapping[str, TreeEntry | None]) -> str:
    """Write a tree and return its name."""
    by_bytes = {os.fsencode(path): entry for path, entry in changes.items()}
    mktree = ("mktree", "-z", "--batch", "--missing")
    with repository.talk("cat-file", "--batch") as reader, repository.talk(*mktree) as writer:
        return _edited(reader, writer, base, by_bytes) or _write(writer, {})


def _edited(reader: Talk, writer: Talk, base: str | None, changes: Mapping[bytes, TreeEntry | None]) -> str | None:
    """Return the name of the new tree, None where nothing is left in it."""
    entries = _read(reader, base) if base is not None else {}
    deeper: dict[bytes, dict[bytes, TreeEntry | None]] = {}
    here: dict[bytes, TreeEntry | None] = {}
    for path, entry in changes.items():
        name, slash, rest = path.partition(b"/")
        if slash:
            deeper.setdefault(name, {})[rest] = entry
        else:
            here[name] = entry
    for name, entry in here.items():
        entries.pop(name, None)
        if entry is not None:
            entries[name] = entry
    for name, below in deeper.items():
        old = entries.get(name, ("", ""))
        tree = _edited(reader, writer, old[1] if old[0] == _FOLDER else None, below)
        if tree is not None:
            entries[name] = (_FOLDER, tree)
        elif old[0] == _FOLDER:  # and not a file that has taken the place of a folder
            del entries[name]
    return _write(writer, entries) if entries else None


def _read(reader: Talk, tree: str) -> dict[bytes, TreeEntry]:
    header = reader.line(f"{tree}\n".encode()).split(b" ")
    if header[1:2] != [b"tree"]:
        raise GitError(f"the tree {tree} is missing")
    rest, width = reader.content(int(header[2])), len(tree) // 2
    entries = {}
    while rest:
        mode, _, rest = rest.partition(b" ")
        name, _, rest = rest.partition(b"\0")
        entries[name] = (mode.decode().zfill(6), rest[:width].hex())
        rest = rest[width:]
    return entries


def _write(writer: Talk, entries: Mapping[bytes, TreeEntry]) -> str:
    lines = (f"{mode} {_KINDS.get(mode, 'blob')} {name}\t".encode() + path for path, (mode, name) in entries.items())
    return writer.line(b"".join(line + b"\0" for line in lines) + b"\0").decode()
