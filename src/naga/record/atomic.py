"""Writing a file so that a reader, at any time, finds all of it or what was there before."""

import errno
import os
from collections.abc import Iterable
from pathlib import Path


def write_atomic(path: Path, data: bytes | Iterable[bytes]) -> None:
    """Put `data` at `path` in one step, on the disk when this returns.

    The bytes go to a new file in the same folder, which then takes the name. A failure or Ctrl-C on the way leaves
    `path` as it was and no other file behind.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_atomic(Path(folder) / "run.lock", b"schema: naga.run/1")
    ...     (Path(folder) / "run.lock").read_bytes()
    b'schema: naga.run/1'
    """
    # Not made from the final name, which may already be as long as names can be.
    new = path.with_name(f".naga-{os.urandom(8).hex()}.tmp")
    try:
        # `open` asks for mode 666 and lets the umask decide, which `tempfile` does not.
        with new.open("xb") as file:
            file.writelines([data] if isinstance(data, bytes) else data)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # some network filesystems cannot sync a folder
            raise
    finally:
        os.close(descriptor)
