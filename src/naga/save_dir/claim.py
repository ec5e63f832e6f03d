"""Taking ownership of a save_dir, so that no run overwrites another.

A folder's owners form a chain of small files in ``.naga/claims``: ``first``, then ``after-<run_id>`` of the owner
before. Each is created by linking a finished file to its name, which one process at most can do, on network
filesystems too (where advisory locks are not kept). Because a claim names its predecessor, one that was made for a
folder that has meanwhile been replaced by another does not belong to the new folder's chain, and its maker starts
again.
"""

import json
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from naga.declarations import Existing
from naga.errors import ClaimError, LockError, SaveDirError
from naga.layout import LOCK_NAME, attempt_lock, attempts_folder, claims_folder, naga_folder
from naga.record.atomic import write_atomic
from naga.record.lockfile import read_lock
from naga.record.opener import MAX_LOCK_BYTES, read_inside, read_json
from naga.record.schema import FINAL, Process, Record, from_plain, to_plain
from naga.save_dir.archive import check_movable, check_spared, move_to_archive
from naga.save_dir.heartbeat import filesystem_time, is_living

_ROUNDS = 100
_DRAFT_S = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """Who wrote a claim."""

    run_id: str
    process: Process


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A folder that belongs to one run.

    ``attempt`` counts the runs in this folder since it was last empty; ``archived`` is where a finished run was moved.
    """

    save_dir: Path
    attempt: int
    archived: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _State:
    tail: Owner | None
    record: Record | None


def claim_folder(
    save_dir: Path, run_id: str, process: Process, *, existing: Existing = "archive", needs: Iterable[Path] = ()
) -> Claim:
    """Make ``save_dir`` the folder of a new run, or refuse.

    A folder that does not exist is made; one without a run.lock is used as it is. A finished run is moved aside to
    ``<parent>/.archive/<name>~<run_id>``. After a failed, killed or lost run the folder is used again as it lies
    (checkpoints stay), and the old lock is kept under ``.naga/attempts``.
    """
    owner = Owner(run_id=run_id, process=process)
    archived = None
    try:
        for _ in range(_ROUNDS):
            state = _inspect(save_dir)
            _refuse_live(save_dir, state)
            if state.record and state.record.status == "finished":
                check_spared(save_dir, needs, existing)
                archived = _move_aside(save_dir, state, owner, existing) or archived
            elif _append(save_dir, state.tail, owner):
                _sweep(save_dir)
                return Claim(save_dir=save_dir, attempt=_begin_attempt(save_dir, state.record), archived=archived)
    except OSError as error:
        raise SaveDirError(
            f"save_dir '{save_dir}' cannot be used: {error.strerror or error}", hint="save_dir=<a folder you can write>"
        ) from error
    raise ClaimError(f"save_dir '{save_dir}' is being claimed by many runs at once", hint="give each its own save_dir")


def release_folder(save_dir: Path, run_id: str) -> None:
    """Give a folder back that was taken, where nothing could be written there."""
    with suppress(OSError, SaveDirError):
        claims = claims_folder(save_dir)
        before = [owner.run_id for owner in _chain(claims) if owner.run_id != run_id]
        mine = claims / (f"after-{before[-1]}" if before else "first")
        if (owner := _read_owner(mine)) and owner.run_id == run_id:
            mine.unlink()


def _inspect(save_dir: Path) -> _State:
    try:
        record = read_lock(save_dir / LOCK_NAME)
    except LockError:
        if os.path.lexists(save_dir / LOCK_NAME):
            raise
        record = None
    return _State(tail=_tail(save_dir), record=record)


def _tail(save_dir: Path) -> Owner | None:
    owners = list(_chain(claims_folder(save_dir)))
    return owners[-1] if owners else None


def _chain(claims: Path) -> Iterator[Owner]:
    name, seen = "first", set[str]()
    while name not in seen and (owner := _read_owner(claims / name)):
        yield owner
        seen.add(name)
        name = f"after-{owner.run_id}"


def _read_owner(file: Path) -> Owner | None:
    try:
        # `.naga` itself may be a link that leads out: the folder that must not be left is the save_dir.
        return from_plain(Owner, read_json(file.parents[2], file, MAX_LOCK_BYTES), where="claim")
    except FileNotFoundError:
        return None
    except LockError as error:
        problem = f"the claim '{file}' is broken ({error.message})"
        raise SaveDirError(problem, hint=f"if no run uses it: rm '{file}'") from error


def _refuse_live(save_dir: Path, state: _State) -> None:
    owner = state.tail
    if state.record and (owner is None or owner.run_id == state.record.run_id):
        if state.record.status in FINAL:
            return
        owner = Owner(run_id=state.record.run_id, process=state.record.process)
    if owner is None or not is_living(save_dir, owner.process, partial(filesystem_time, save_dir)):
        return
    raise ClaimError(
        f"save_dir '{save_dir}' is in use by run {owner.run_id}, which is still running "
        f"(process {owner.process.pid} on {owner.process.host})",
        hint="wait for it, or give this run another save_dir",
    )


def _append(save_dir: Path, tail: Owner | None, owner: Owner) -> bool:
    """Add an owner to the chain; False where another was first or the folder was replaced meanwhile."""
    claims = claims_folder(save_dir)
    claims.mkdir(parents=True, exist_ok=True)
    name = claims / (f"after-{tail.run_id}" if tail else "first")
    if not _create(name, json.dumps(to_plain(owner)).encode(), claims / f".{owner.run_id}"):
        return False
    if (last := _tail(save_dir)) and last.run_id == owner.run_id:
        return True
    name.unlink(missing_ok=True)
    return False


def _create(name: Path, content: bytes, draft: Path) -> bool:
    try:
        draft.write_bytes(content)
        os.link(draft, name)
    except (FileExistsError, FileNotFoundError):
        return False
    except OSError as error:
        if not os.path.lexists(draft) or name.exists():
            raise
        return _create_without_links(name, content, error)
    finally:
        draft.unlink(missing_ok=True)
    return True


def _create_without_links(name: Path, content: bytes, error: OSError) -> bool:
    """Create exclusively where the filesystem has no hard links (exFAT, some network mounts)."""
    try:
        with name.open("xb") as file:
            file.write(content)
    except FileExistsError:
        return False
    except OSError:
        raise error from None
    return True


def _sweep(save_dir: Path) -> None:
    """Remove what killed writers have left; whoever owns the folder is the only one to write there."""
    own = naga_folder(save_dir)
    left = [
        file
        for folder in (save_dir, own, attempts_folder(save_dir))
        for file in folder.glob(".naga-*.tmp")
        if file.is_file()
    ]
    now = time.time()
    # A draft that is young may be that of another process, which is about to find that it was too late.
    for file in (*left, *own.glob("claims/.*")):
        with suppress(OSError):
            if file in left or now - file.stat().st_mtime > _DRAFT_S:
                file.unlink()


def _begin_attempt(save_dir: Path, former: Record | None) -> int:
    if former is None:
        return 1
    attempts = attempts_folder(save_dir)
    attempts.mkdir(exist_ok=True)
    kept = attempt_lock(save_dir, former.attempt, former.run_id)
    write_atomic(kept, read_inside(save_dir, save_dir / LOCK_NAME))
    return former.attempt + 1


def _move_aside(save_dir: Path, state: _State, owner: Owner, existing: Existing) -> Path | None:
    """Move a finished run to the archive; None where another process is doing so."""
    finished = state.record
    assert finished is not None  # noqa: S101  # the caller has just looked
    if existing != "archive":
        raise SaveDirError(
            f"save_dir '{save_dir}' holds the finished run {finished.run_id}",
            hint="--existing archive moves it aside; or give this run another save_dir",
        )
    check_movable(save_dir)
    if not _append(save_dir, state.tail, owner):
        return None
    mine = f"after-{state.tail.run_id}" if state.tail else "first"
    if _inspect(save_dir).record != finished:
        # Another process moved it between our two looks: what is claimed now is not what was to be moved.
        (claims_folder(save_dir) / mine).unlink(missing_ok=True)
        return None
    target = move_to_archive(save_dir, finished.run_id)
    (claims_folder(target) / mine).unlink(missing_ok=True)
    return target
