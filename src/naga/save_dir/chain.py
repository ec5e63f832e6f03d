"""The owners of a save_dir, as a chain of small files in ``.naga/claims``.

``first`` is followed by ``after-<run_id>`` of the owner before. Each is created by linking a finished file to its name,
which one process at most can do, on network filesystems too, where advisory locks do not hold. Because a claim names
its predecessor, one that was made for a folder that has meanwhile been replaced by another does not belong to the new
folder's chain, and its maker starts again.
"""

import json
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from naga.errors import LockError, SaveDirError
from naga.frozen import dataclass
from naga.layout import claims_folder
from naga.record.opener import MAX_LOCK_BYTES, make_inside, read_inside, read_json
from naga.record.schema import Process, from_plain, to_plain
from naga.save_dir import kernel_lock

_WRITTEN_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """Who wrote a claim."""

    run_id: str
    process: Process


def owners(save_dir: Path) -> Iterator[tuple[Path, Owner]]:
    """Return the claims of a folder and their owners, the present owner last."""
    claims, name, seen = claims_folder(save_dir), "first", set[str]()
    while name not in seen and (owner := _read_owner(claims / name)):
        yield claims / name, owner
        seen.add(name)
        name = f"after-{owner.run_id}"


def tail_of(save_dir: Path) -> Owner | None:
    """Return the present owner of a folder."""
    return next((owner for _, owner in reversed(list(owners(save_dir)))), None)


def _read_owner(file: Path) -> Owner | None:
    try:
        # `.naga` itself may be a link that leads out: the folder that must not be left is the save_dir.
        return from_plain(Owner, read_json(file.parents[2], file, MAX_LOCK_BYTES), where="claim")
    except FileNotFoundError:
        return None
    except LockError as error:
        problem = f"the claim '{file}' is broken ({error.message})"
        raise SaveDirError(problem, hint=f"naga doctor; or, if no run uses it: rm '{file}'") from error


def append(save_dir: Path, tail: Owner | None, owner: Owner) -> int | None:
    """Add an owner; return its open and locked claim, None where another was first or the folder was replaced."""
    claims = claims_folder(save_dir)
    try:
        make_inside(save_dir, claims)
    except FileExistsError:
        # `mkdir` looks whether it is a folder after it was there: another may have moved the run away in between.
        if os.path.lexists(claims) and not claims.is_dir():
            raise
        return None
    name = claims / (f"after-{tail.run_id}" if tail else "first")
    descriptor = _create(name, json.dumps(to_plain(owner)).encode(), claims / f".{owner.run_id}")
    # Between our look at the chain and our claim, another may have moved the folder away and a third begun a new one.
    if descriptor is not None and ((last := tail_of(save_dir)) is None or last.run_id != owner.run_id):
        kernel_lock.let_go(descriptor)
        name.unlink(missing_ok=True)
        return None
    return descriptor


def _create(name: Path, content: bytes, draft: Path) -> int | None:
    descriptor = None
    try:
        descriptor = _write(draft, content)
        try:
            os.link(draft, name)
        except (FileExistsError, FileNotFoundError):
            raise
        except OSError:
            # No hard links here (exFAT, some network mounts): created exclusively, a moment without its content.
            kernel_lock.let_go(descriptor)
            descriptor = _write(name, content)
    except (FileExistsError, FileNotFoundError):
        if descriptor is not None:
            kernel_lock.let_go(descriptor)
        return None
    finally:
        draft.unlink(missing_ok=True)
    return descriptor


def _write(file: Path, content: bytes) -> int:
    """Create a new file, locked before anything is in it, and flush it to disk; on failure leave none behind."""
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
    kernel_lock.hold(descriptor)
    try:
        # A full disk may take half of it; and one that lost its power before the bytes were written keeps the name.
        while content:
            content = content[os.write(descriptor, content) :]
        os.fsync(descriptor)
    except BaseException:
        kernel_lock.let_go(descriptor)
        file.unlink(missing_ok=True)
        raise
    return descriptor


def remove(save_dir: Path, run_id: str) -> None:
    """Remove the claim of a run from the chain: it owned the folder for a moment only."""
    with suppress(OSError, SaveDirError):
        for file, owner in owners(save_dir):
            if owner.run_id == run_id:
                file.unlink()


def clear_torn(save_dir: Path) -> Iterator[Path]:
    """Remove incomplete claims of a folder, as a full disk or a loss of power leaves them."""
    for file in claims_folder(save_dir).glob("[!.]*"):
        with suppress(OSError, LockError):
            # A young one may be about to be written.
            if time.time() - file.stat().st_mtime > _WRITTEN_S and not kernel_lock.is_held(file):
                content = read_inside(save_dir, file)
                try:
                    json.loads(content)
                except ValueError:
                    file.unlink()
                    yield file
