"""The manifest of a run's folder: what lies in it when the run ends."""

import os
import stat
from collections.abc import Sequence
from pathlib import Path

from naga.capture.data.manifest import write_outputs
from naga.hashing.format import Tree
from naga.hashing.hash_tree import Listed, hash_listed, list_path
from naga.layout import CONSOLE_LOG, DIAG, LOCK_NAME, OUTPUTS_LIST, OWN_FOLDER, diag_marks, naga_folder
from naga.record.schema import Outputs

_OWN = frozenset(map(os.fsencode, (LOCK_NAME, OWN_FOLDER, CONSOLE_LOG)))


def capture_outputs(save_dir: Path) -> Outputs:
    """Hash what a run left in its folder, and list it in ``.naga/outputs.json``."""
    tree = hash_outputs(save_dir)
    naga_folder(save_dir).mkdir(exist_ok=True)
    write_outputs(naga_folder(save_dir) / OUTPUTS_LIST, tree.entries())
    return Outputs(hash=tree.hash, size_bytes=tree.size_bytes, files=tree.files)


def hash_outputs(save_dir: Path) -> Tree:
    """Hash what lies in a run's folder now, reading all of it.

    Naga's own files are left out, and so are those that diags have made, fifos, sockets and devices, which hold
    nothing, and every folder below that has a run.lock of its own: it is another run, with a manifest of its own, and
    may be running still.
    """
    return hash_listed(list_outputs(save_dir), fresh=True)


def list_outputs(save_dir: Path) -> Listed:
    """List what `hash_outputs` hashes."""
    of_diags = _diag_folders(save_dir)

    def leave_out(path: bytes, mode: int) -> bool:
        if path in _OWN or (path.startswith(b".naga-") and path.endswith(b".tmp")):
            return True
        if stat.S_ISDIR(mode):
            return path in of_diags or (save_dir / os.fsdecode(path) / LOCK_NAME).exists()
        return not (stat.S_ISREG(mode) or stat.S_ISLNK(mode))

    return list_path(save_dir, leave_out=leave_out)


def _diag_folders(save_dir: Path) -> frozenset[bytes]:
    """Find the folders that diags were given: not a run's own results that happen to lie in the same place."""
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
