"""Bringing a snapshot's objects into the repository: first written aside, moved in just before a ref protects them.

``git gc`` removes what no ref held when it began: beside one, the objects come as a pack that is marked to stay.
"""

import os
import time
from contextlib import suppress
from pathlib import Path

from naga.capture.code.git import GitError, Repository
from naga.process.identity import is_alive
from naga.record.schema import Process

_MARK = b"naga: needed by a run that began during a garbage collection\n"
_COPIES = 20  # a collection removes a copy under our hands, but not twenty
_UNMARKED_AFTER_S = 3600.0
_GC_LASTS_S = 12 * 3600.0  # git itself believes in its lock no longer


def bring(repository: Repository, aside: Repository, folder: Path, commit: str) -> None:
    """Bring the objects of a commit from ``folder``, which ``aside`` writes to, into the repository."""
    if not os.access(repository.objects, os.W_OK, effective_ids=True):
        raise GitError("the repository cannot be written")
    if is_collected(repository):
        _bring_pack(repository, aside, folder, commit)
    else:
        for path in folder.glob("??/*"):
            _copy(path, repository.objects / path.parent.name / path.name)


def secure(repository: Repository, aside: Repository, folder: Path, commit: str) -> None:
    """Bring them again if a garbage collection has begun meanwhile: it may have looked before the ref was there."""
    if is_collected(repository):
        _bring_pack(repository, aside, folder, commit)


def _bring_pack(repository: Repository, aside: Repository, folder: Path, commit: str) -> None:
    packs = repository.objects / "pack"
    _unmark(packs)
    wanted = f"{commit}\n^{commit}^@\n".encode()
    name = aside.text("pack-objects", "-q", "--revs", str(folder / "pack" / "pack"), stdin=wanted)
    packs.mkdir(exist_ok=True)
    (packs / f"pack-{name}.keep").write_bytes(_MARK)
    for kind in ("pack", "idx"):  # git sees a pack by its index
        _copy(folder / "pack" / f"pack-{name}.{kind}", packs / f"pack-{name}.{kind}")


def _copy(source: Path, target: Path) -> None:
    """Copy an object or a pack as git does: read-only, whole or not at all, with the repository's permissions."""
    if target.exists():
        return
    if not target.parent.exists():
        target.parent.mkdir(exist_ok=True)
        target.parent.chmod(target.parent.parent.stat().st_mode & 0o7777)
    beside = target.with_name(f"tmp_obj_naga_{os.getpid()}_{target.name}")  # git removes one that was left
    for _ in range(_COPIES):
        with suppress(FileNotFoundError):  # ... and one that was not
            beside.write_bytes(source.read_bytes())
            beside.chmod(source.stat().st_mode & 0o7777)
            beside.rename(target)
            return
    raise GitError(f"{beside} is removed each time it is written")


def _unmark(packs: Path) -> None:
    """Let later collections handle the packs that refs protect by now."""
    for mark in packs.glob("*.keep"):
        with suppress(OSError):
            if mark.read_bytes() == _MARK and time.time() - mark.stat().st_mtime > _UNMARKED_AFTER_S:
                mark.unlink()


def is_collected(repository: Repository) -> bool:
    """Return whether a garbage collection of the repository is running."""
    lock = repository.common_dir / "gc.pid"
    try:
        pid, host = lock.read_text().split()
        alive = is_alive(Process(argv=(), cwd="", host=host, pid=int(pid)))
        return time.time() - lock.stat().st_mtime < _GC_LASTS_S if alive is None else alive
    except (OSError, ValueError):
        return False
