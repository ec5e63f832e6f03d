"""The final lock of a run, which must not be lost: written to its folder, or elsewhere if that fails."""

import json
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from naga.cache_dir import cache_folder
from naga.errors import LockError
from naga.layout import LOCK_NAME, attempt_lock
from naga.record.atomic import write_atomic
from naga.record.lockfile import lock_text, parse_lock, read_lock
from naga.record.opener import make_inside
from naga.record.schema import FINAL, Record
from naga.terminal import say
from naga.wording import Unrepaired


def write_final_lock(save_dir: Path, record: Record, *, superseded: bool = False) -> None:
    """Write the final run.lock; if that fails (a full disk), print it to stderr and store it for `put_back_all`.

    Where a later run has taken the folder over, because this one seemed dead to another host, its run.lock is left
    alone, and this one's goes to its attempts.
    """
    target = attempt_lock(save_dir, record.attempt, record.run_id) if superseded else save_dir / LOCK_NAME
    try:
        make_inside(save_dir, target.parent)
        write_atomic(target, lock_text(record).encode())
    except OSError as error:
        _store_elsewhere(save_dir, record, error)
        return
    if superseded:
        say(f"warning: a later run has taken '{save_dir}' over: the run.lock of this one is '{target}'")


def _store_elsewhere(save_dir: Path, record: Record, error: OSError) -> None:
    text = lock_text(record)
    say(f"'{save_dir / LOCK_NAME}' cannot be written ({error.strerror or error}); this would be its content:")
    with suppress(Exception):  # closed, or an object of the user's own
        sys.stderr.write(f"{text}\n")
    try:
        file = cache_folder() / "spool" / f"{record.run_id}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(file, json.dumps({"save_dir": str(save_dir), "lock": text}).encode())
    except (OSError, RuntimeError) as second:  # no home either
        say(f"nor can it be stored elsewhere ({second}): keep the lines above as '{save_dir / LOCK_NAME}'")
    else:
        say(f"it is stored as '{file}'; once the folder can be written again: naga doctor")


def put_back_all() -> Iterator[str]:
    """Write the run.locks that could not be written before to their folders."""
    try:
        files = sorted((cache_folder() / "spool").glob("*.json"))
    except RuntimeError:
        return
    for file in files:
        try:
            spooled = json.loads(file.read_bytes())
            save_dir, text = Path(spooled["save_dir"]), str(spooled["lock"])
            record = parse_lock(text)
            yield f"run {record.run_id}: {_put_back(save_dir, text, record)}"
            file.unlink()
        except OSError as error:
            yield Unrepaired(f"run {file.stem}: its run.lock is still stored as '{file}': {error.strerror or error}")
        except (LockError, ValueError, KeyError, TypeError) as error:
            yield Unrepaired(f"'{file}' holds no run.lock: {error}")


def _put_back(save_dir: Path, text: str, record: Record) -> str:
    there = read_lock(save_dir / LOCK_NAME) if (save_dir / LOCK_NAME).exists() else None
    if there and there.run_id == record.run_id and there.status in FINAL and not there.is_being_hashed:
        return f"'{save_dir / LOCK_NAME}' is there already"
    own = there is None or there.run_id == record.run_id
    target = save_dir / LOCK_NAME if own else attempt_lock(save_dir, record.attempt, record.run_id)
    if not own:
        make_inside(save_dir, target.parent)
    write_atomic(target, text.encode())
    return f"'{target}' was put back ({record.status})"
