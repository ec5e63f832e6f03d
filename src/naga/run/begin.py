"""The beginning of a run: take the folder, and record what the function is about to meet."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from naga.capture.data.inputs import Beside, capture_beside, capture_data
from naga.capture.data.upstream import capture_upstream
from naga.capture.environment import capture_environment
from naga.errors import ClaimError, SaveDirError
from naga.layout import naga_folder
from naga.process.identity import this_process
from naga.process.ranks import Meeting
from naga.process.return_in_finally import swallowing
from naga.record.lockfile import write_lock
from naga.record.schema import Record
from naga.run.plan import Plan
from naga.save_dir.claim import Claim, claim_folder
from naga.terminal import say

if TYPE_CHECKING:
    from naga.capture.code.snapshot import CodeCapture, SnapshotLabel


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """What was captured at the start and is looked at again at the end."""

    code: "CodeCapture | None" = None
    beside: Beside | None = None


def take_folder(plan: Plan, met: Meeting | None = None) -> tuple[Record, Claim | None]:
    """Take the folder, say in it that the run is running, and tell the other ranks of the job."""
    record = Record(
        run_id=plan.run_id,
        status="running",
        task=plan.task,
        save_dir=plan.config.written_save_dir or "",
        started=now(),
        config=plan.config.plain,
        process=replace(this_process(), ranks=met.rank.size if met else None),
    )
    claim = None
    if plan.save_dir:
        needs = (*plan.inputs, *((plan.script,) if plan.script else ()))
        claim = claim_folder(plan.save_dir, plan.run_id, record.process, existing=plan.existing, needs=needs)
        if claim.archived:
            say(f"the finished run in '{record.save_dir}' was moved to '{claim.archived}'")
        record = replace(record, attempt=claim.attempt)
    try:
        if claim:
            _write(claim, record)
        if met:
            met.announce(computes=True, config=plan.config.plain, save_dir=plan.config.save_dir)
    except BaseException:
        if claim:
            claim.undo()
        raise
    return record, claim


def capture(plan: Plan, record: Record, claim: Claim | None) -> tuple[Record, Watched]:
    """Record the code, the inputs and the environment that the function is about to meet."""
    code, lock = _capture_code(plan), plan.declares.lock
    upstream = capture_upstream((*plan.inputs, *plan.stages), plan.save_dir, plan.base)
    inputs = (plan.config.plain, plan.declares.tracked, plan.base)
    manifest = naga_folder(plan.save_dir) if plan.save_dir else None
    data = capture_data(*inputs, manifest_dir=manifest, upstream=upstream)
    beside = capture_beside(*inputs, manifest_dir=manifest, upstream=upstream)
    folder = plan.script.parent if plan.script else None
    warnings = [*(code.warnings if code else ()), swallowing(plan.fn) if lock else None]
    record = replace(
        record,
        code=code.entries if code else (),
        data=dict(sorted((data | beside.pending).items())),
        upstream=upstream,
        environment=capture_environment(folder, variables=lock.env) if lock else None,
        warnings=tuple(filter(None, warnings)),
    )
    if claim:
        _write(claim, record)
    else:
        _say_captured(record)
    return record, Watched(code=code, beside=beside)


def _capture_code(plan: Plan) -> "CodeCapture | None":
    if plan.declares.snapshot is None:
        return None
    from naga.capture.code.snapshot import capture_code  # only those who want a snapshot wait for git's module

    return capture_code(plan.script, plan.declares.snapshot, label_of(plan))


def _write(claim: Claim, record: Record) -> None:
    if not claim.is_mine():
        raise ClaimError(
            f"save_dir '{claim.save_dir}' was taken over by another run while this one was stopped",
            hint="give this run another save_dir",
        )
    try:
        write_lock(claim.save_dir, record)
    except OSError as error:
        raise SaveDirError(
            f"save_dir '{claim.save_dir}' cannot be written: {error.strerror or error}",
            hint="save_dir=<a folder you can write>",
        ) from error


def label_of(plan: Plan) -> "SnapshotLabel":
    """Say for what run the code is captured."""
    from naga.capture.code.snapshot import SnapshotLabel

    own = (plan.config.save_dir,) if plan.config.save_dir else ()
    return SnapshotLabel(
        run_id=plan.run_id, task=plan.task, save_dir=plan.config.written_save_dir, leave_out=(*own, *plan.inputs)
    )


def _say_captured(record: Record) -> None:
    """Without a run.lock the terminal is the only place to say what was captured."""
    for code in record.code:
        say(f"code: {code.name} is {code.commit or code.reason}" + (f" ({code.ref})" if code.ref else ""))
    for key, data in record.data.items():
        say(f"data: {key} is {data.hash or data.reason}")


def now() -> str:
    """Write the time of this moment as every record does."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
