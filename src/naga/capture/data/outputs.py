"""The manifest of a run's folder: what is in it when the run ends."""

import os
import re
import stat
from collections.abc import Callable, Sequence
from itertools import chain
from pathlib import Path

from naga.capture.data.manifest import write_outputs
from naga.hashing.format import HashedFile, Tree
from naga.hashing.hash_tree import Listed, hash_listed, list_path
from naga.hashing.listing import ignored_by_patterns, join, name_of, size_of
from naga.layout import CONSOLE_LOG, DIAG, LOCK_NAME, OUTPUTS_LIST, OWN_FOLDER, diag_marks, naga_folder
from naga.record.opener import make_inside
from naga.record.schema import Outputs
from naga.wording import first_of

_OWN = frozenset(map(os.fsencode, (LOCK_NAME, OWN_FOLDER, CONSOLE_LOG)))
_TEMPORARY = re.compile(rb"\.naga-[^/]*\.tmp", re.DOTALL)  # of Naga's writers, at the top


def capture_outputs(
    save_dir: Path, *, limit: int | None = None, may_write: Callable[[], bool] = lambda: True
) -> Outputs:
    """Hash what a run left in its folder, and list it in ``.naga/outputs.json``; larger files by size alone."""
    listed = list_outputs(save_dir)
    large = _take_large(listed, limit)
    tree = hash_listed(listed, fresh=True)
    if may_write():  # the hash may have taken hours
        own = make_inside(save_dir, naga_folder(save_dir))
        # A folder that only holds large files would look like an empty one.
        emptied = {os.path.dirname(file.path) for file in large}  # noqa: PTH120
        small = (file for file in tree.entries() if file.kind != "folder" or file.path not in emptied)
        write_outputs(own / OUTPUTS_LIST, chain(small, large))
    size, files = tree.size_bytes + sum(file.size_bytes for file in large), tree.files + len(large)
    if not large:
        return Outputs(hash=tree.hash, size_bytes=size, files=files)
    names = first_of((file.path for file in large), 3)
    return Outputs(size_bytes=size, files=files, reason=f"not hashed, larger than {limit} bytes: {names}")


def _take_large(listed: Listed, limit: int | None) -> list[HashedFile]:
    """Take the files that exceed a size out of a listing."""
    large = []
    for folder in listed.folders if limit is not None else ():
        rows = [row for row in folder.rows if size_of(row) > (limit or 0)]
        large += [HashedFile(os.fsdecode(join(folder.path, name_of(row))), "file", size_of(row), "") for row in rows]
        if rows:
            folder.rows[:] = [row for row in folder.rows if size_of(row) <= (limit or 0)]
            folder.size_bytes -= sum(map(size_of, rows))
    return large


def hash_outputs(save_dir: Path, *, fresh: bool = True) -> Tree:
    """Hash what is in a run's folder now, reading all of it, or believing the cache.

    Naga's own files are left out, and so are those that diags have made, fifos, sockets and devices, which hold
    nothing, and every folder below that has a run.lock of its own: it is another run, with a manifest of its own, and
    may be running still.
    """
    return hash_listed(list_outputs(save_dir), fresh=fresh)


def list_outputs(save_dir: Path, ignore: Sequence[str] = ()) -> Listed:
    """List what `hash_outputs` hashes, without what some patterns name."""
    of_diags, ignored = _diag_folders(save_dir), ignored_by_patterns(ignore)

    def leave_out(path: bytes, mode: int) -> bool:
        if path in _OWN or _TEMPORARY.fullmatch(path) or (ignored and ignored(path, mode)):
            return True
        if stat.S_ISDIR(mode):
            return path in of_diags or (save_dir / os.fsdecode(path) / LOCK_NAME).exists()
        return not (stat.S_ISREG(mode) or stat.S_ISLNK(mode))

    return list_path(save_dir, leave_out=leave_out)


def _diag_folders(save_dir: Path) -> frozenset[bytes]:
    """Find the folders that Naga made for diags, not a run's own results in a place of that name."""
    marks, folder = diag_marks(save_dir), save_dir / DIAG
    if not marks.is_dir() or not folder.is_dir():
        return frozenset()
    own, found = {mark.name for mark in marks.iterdir()}, {entry.name for entry in folder.iterdir()}
    names = [f"{DIAG}/{name}" for name in own & found] + ([DIAG] if found <= own else [])
    return frozenset(map(os.fsencode, names))


def missing_outputs(save_dir: Path, declared: Sequence[str]) -> tuple[str, ...]:
    """Name the declared outputs that a run did not leave in its folder.

    Examples
    --------
    >>> missing_outputs(Path("/nowhere"), ["model.pkl"])
    ('model.pkl',)
    """
    return tuple(name for name in declared if not (save_dir / name).exists())
