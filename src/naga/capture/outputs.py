"""The manifest of a run's folder: what lies in it when the run ends."""

import os
import stat
from pathlib import Path

from naga.capture.manifest import write_outputs
from naga.capture.tree_hash import hash_path
from naga.record.schema import Outputs

__all__ = ["capture_outputs"]


def capture_outputs(save_dir: Path) -> Outputs:
    """Hash what a run left in its folder, and list it in ``.naga/outputs.json``.

    Naga's own files are left out, and so are fifos, sockets and devices, which hold nothing, and every folder below
    that has a run.lock of its own: it is another run, with a manifest of its own, and may be running still.

    Parameters
    ----------
    save_dir : Path
        The folder of the run.

    Raises
    ------
    DataError
        Something in it cannot be read, or keeps changing.
    """

    def leave_out(path: bytes, mode: int) -> bool:
        if path in (b"run.lock", b".naga") or (path.startswith(b".naga-") and path.endswith(b".tmp")):
            return True
        if stat.S_ISDIR(mode):
            return (save_dir / os.fsdecode(path) / "run.lock").exists()
        return not (stat.S_ISREG(mode) or stat.S_ISLNK(mode))

    tree = hash_path(save_dir, leave_out=leave_out)
    own = save_dir / ".naga"
    own.mkdir(exist_ok=True)
    write_outputs(own / "outputs.json", tree.entries())
    return Outputs(hash=tree.hash, size_bytes=tree.size_bytes, files=tree.files)
