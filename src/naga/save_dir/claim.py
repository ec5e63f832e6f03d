"""Claiming a save_dir, so that no run overwrites another; `chain` decides the race itself."""

import os
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path

from naga.declarations import Existing
from naga.errors import ClaimError, LockError, SaveDirError
from naga.frozen import dataclass
from naga.layout import CONSOLE_LOG, LOCK_NAME, attempt_lock, attempts_folder, naga_folder
from naga.process.identity import is_here
from naga.record.atomic import write_atomic
from naga.record.lockfile import read_lock
from naga.record.opener import make_inside, read_inside
from naga.record.schema import FINAL, Process, Record
from naga.save_dir import chain, kernel_lock
from naga.save_dir.archive import check_movable, check_spared, move_to_archive
from naga.save_dir.chain import Owner
from naga.save_dir.heartbeat import STALE_S, filesystem_time, is_living, last_sign

_ROUNDS = 100
_DRAFT_S = 3600.0


class TakenError(ClaimError):
    """A folder that was to be unused has a run, or had one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A folder that belongs to one run, until the run ends or another host takes that run for dead.

    ``attempt`` counts the runs in this folder since it was last empty; ``former`` is the last of them, ``archived``
    where a finished run was moved.
    """

    save_dir: Path
    run_id: str
    attempt: int
    former: Record | None
    archived: Path | None
    descriptor: int
    claimed_ns: int

    def is_mine(self) -> bool:
        """Return whether the folder still belongs to this run; asked before every write there.

        A run that was stopped (a suspended laptop, SIGSTOP) may find another one's files here when it wakes. What
        decides is the chain, never the clocks of the hosts.
        """
        with suppress(OSError, SaveDirError):
            claims = list(chain.owners(self.save_dir))
            if self.run_id in [owner.run_id for _, owner in claims]:
                return claims[-1][1].run_id == self.run_id
            # No claim at all, or older ones: the function has emptied its folder, or copied another run's there. Both
            # times are of the filesystem.
            return not claims or claims[-1][0].stat().st_mtime_ns <= self.claimed_ns
        return True

    def place(self) -> Path:
        """Return the folder, wherever a successor has moved it."""
        with suppress(OSError, IndexError):
            folder = Path(f"/proc/self/fd/{self.descriptor}").readlink().parents[2]
            if naga_folder(folder).is_dir():
                return folder
        return self.save_dir

    def release(self) -> None:
        """Release the lock: the run has ended."""
        kernel_lock.let_go(self.descriptor)

    def undo(self) -> None:
        """Give the folder back, if nothing could be written there."""
        chain.remove(self.save_dir, self.run_id)
        self.release()


def claim_folder(
    save_dir: Path,
    run_id: str,
    process: Process,
    *,
    existing: Existing = "archive",
    needs: Iterable[Path] = (),
    unused: bool = False,
) -> Claim:
    """Make ``save_dir`` the folder of a new run, or refuse.

    A folder that does not exist is made; one without a run.lock is used as it is. A finished run is moved aside to
    ``<parent>/.archive/<name>~<run_id>``. After a failed, killed or lost run the folder is used again as it is
    (checkpoints stay), and the old lock goes to ``.naga/attempts``. With ``unused``, a folder that any run has or
    had is left to it: `TakenError`.
    """
    owner = Owner(run_id=run_id, process=process)
    archived = None
    try:
        for _ in range(_ROUNDS):
            # The lock before the chain: its writer has claimed before it wrote, so that a lock is never seen without
            # the claim that it belongs to.
            record, tail = _lock_in(save_dir), chain.tail_of(save_dir)
            if unused and (record or tail):
                raise TakenError(f"save_dir '{save_dir}' is taken", hint="another save_dir")
            _refuse_live(save_dir, record, tail)
            if record and record.status == "finished":
                check_spared(save_dir, needs, existing)
                archived = _move_aside(save_dir, record, tail, owner, existing) or archived
            elif (descriptor := chain.append(save_dir, tail, owner)) is not None:
                return _begin(save_dir, owner, record, archived, descriptor)
    except OSError as error:
        raise SaveDirError(
            f"save_dir '{save_dir}' cannot be used: {error.strerror or error}", hint="save_dir=<a folder you can write>"
        ) from error
    raise ClaimError(f"save_dir '{save_dir}' is being claimed by many runs at once", hint="give each its own save_dir")


def _lock_in(save_dir: Path) -> Record | None:
    try:
        return read_lock(save_dir / LOCK_NAME)
    except LockError as error:
        # What was not there may be there by now: another run has just begun, and its claim is seen next.
        if (
            isinstance(error.__cause__, FileNotFoundError | NotADirectoryError)
            and not (save_dir / LOCK_NAME).is_symlink()
        ):
            return None
        raise


def _refuse_live(save_dir: Path, record: Record | None, tail: Owner | None) -> None:
    owner, what = tail, "still running"
    if record and (tail is None or tail.run_id == record.run_id):
        if record.status in FINAL:
            if not record.is_being_hashed:
                return
            what = "still recording its outputs"
        owner = Owner(run_id=record.run_id, process=record.process)
    clock = partial(filesystem_time, save_dir)
    if owner is None or not is_living(save_dir, owner.run_id, owner.process, clock):
        return
    seen = f", last seen {max(0, clock() - last_sign(save_dir)):.0f} s ago" if not is_here(owner.process) else ""
    raise ClaimError(
        f"save_dir '{save_dir}' is in use by run {owner.run_id}, which is {what} "
        f"(process {owner.process.pid} on {owner.process.host}{seen})",
        hint="wait for it, or give this run another save_dir"
        + (f"; not seen for {STALE_S:.0f} s, it is taken for dead" if seen else ""),
    )


def _begin(save_dir: Path, owner: Owner, former: Record | None, archived: Path | None, descriptor: int) -> Claim:
    """Prepare the folder for its new owner, the only one who writes there now; give it back on failure."""
    try:
        _sweep(save_dir)
        attempt = 1
        if former is not None:
            attempt = former.attempt + 1
            make_inside(save_dir, attempts_folder(save_dir))
            aside = attempt_lock(save_dir, former.attempt, former.run_id)
            write_atomic(aside, read_inside(save_dir, save_dir / LOCK_NAME))
            if former.status not in FINAL and not is_here(former.process):
                _detach(save_dir / CONSOLE_LOG)
    except BaseException:
        chain.remove(save_dir, owner.run_id)
        kernel_lock.let_go(descriptor)
        raise
    return Claim(
        save_dir=save_dir,
        run_id=owner.run_id,
        attempt=attempt,
        former=former,
        archived=archived,
        descriptor=descriptor,
        claimed_ns=os.fstat(descriptor).st_mtime_ns,
    )


def _detach(log: Path) -> None:
    """Replace a log by a copy: a run that is suspended, not dead, writes into the old file when it wakes."""
    with suppress(FileNotFoundError):
        if log.is_file() and not log.is_symlink():
            with log.open("rb") as file:
                write_atomic(log, iter(lambda: file.read(2**20), b""))


def _sweep(save_dir: Path) -> None:
    """Remove what killed writers have left."""
    own = naga_folder(save_dir)
    folders = (save_dir, own, attempts_folder(save_dir))
    left = [file for folder in folders for file in folder.glob(".naga-*.tmp") if file.is_file()]
    now = time.time()
    # A draft that is young may be that of another process, which is about to find that it was too late.
    for file in (*left, *own.glob("claims/.*")):
        with suppress(OSError):
            if file in left or now - file.stat().st_mtime > _DRAFT_S:
                file.unlink()


def _move_aside(save_dir: Path, finished: Record, tail: Owner | None, owner: Owner, existing: Existing) -> Path | None:
    """Move a finished run to the archive; None where another process is doing so."""
    if existing != "archive":
        raise SaveDirError(
            f"save_dir '{save_dir}' holds the finished run {finished.run_id}",
            hint="--existing archive moves it aside; or give this run another save_dir",
        )
    check_movable(save_dir)
    # Only who is next in the chain may move the folder: of many that have seen the finished run, one does.
    if (descriptor := chain.append(save_dir, tail, owner)) is None:
        return None
    kernel_lock.let_go(descriptor)
    if _lock_in(save_dir) != finished:
        # Another process moved it between our two looks: what is claimed now is not what was to be moved.
        chain.remove(save_dir, owner.run_id)
        return None
    target = move_to_archive(save_dir, finished.run_id)
    chain.remove(target, owner.run_id)
    return target


def set_aside(
    save_dir: Path, process: Process, *, run_id: str, move: Callable[[Path, str], Path] = move_to_archive
) -> Path:
    """Move a run that has ended to the archive, or elsewhere, on request; return its new folder."""
    for _ in range(_ROUNDS):
        record, tail = _lock_in(save_dir), chain.tail_of(save_dir)
        if record is None or record.run_id != run_id:
            raise SaveDirError(f"'{save_dir}' does not hold run {run_id} any more", hint=f"naga ls '{save_dir.parent}'")
        _refuse_live(save_dir, record, tail)
        check_movable(save_dir)
        owner = Owner(run_id=f"{record.run_id}-rm", process=process)
        # As for a new run: only who is next in the chain may move the folder.
        if (descriptor := chain.append(save_dir, tail, owner)) is None:
            continue
        kernel_lock.let_go(descriptor)
        if _lock_in(save_dir) != record:
            chain.remove(save_dir, owner.run_id)
            continue
        target = move(save_dir, run_id)
        chain.remove(target, owner.run_id)
        return target
    raise ClaimError(f"save_dir '{save_dir}' is being claimed by many runs at once", hint="try again")
