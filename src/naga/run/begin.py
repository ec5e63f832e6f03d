"""The beginning of a run: claim the folder, and record code, inputs and environment."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from naga.capture.data.inputs import Beside, capture_beside, capture_data, not_covered
from naga.capture.data.upstream import capture_upstream
from naga.capture.environment import capture_environment
from naga.compare.lineage import out_of_date
from naga.config.plain import differing_keys
from naga.config.recorded import same_secrets
from naga.errors import ClaimError, SaveDirError
from naga.frozen import dataclass
from naga.layout import naga_folder
from naga.paths import near
from naga.process.identity import this_process
from naga.process.ranks import Meeting
from naga.process.return_in_finally import swallowing
from naga.record.lockfile import read_lock, write_lock
from naga.record.schema import FINAL, Process, Record, now
from naga.run.plan import Plan
from naga.runs.find import Run
from naga.save_dir.claim import Claim, TakenError, claim_folder
from naga.terminal import say

if TYPE_CHECKING:
    from naga.capture.code.snapshot import CodeCapture, SnapshotLabel


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """What was captured at the start and is compared at the end."""

    code: "CodeCapture | None" = None
    beside: Beside | None = None


def take_folder(plan: Plan, met: Meeting | None = None) -> tuple[Plan, Record, Claim | None]:
    """Claim the folder, write there that the run is running, and announce that to the other ranks of the job.

    The plan that is returned is the one that holds: its folder may have another name.
    """
    process = replace(this_process(), ranks=met.rank.size if met else None)
    plan, claim = _claim(plan, process) if plan.save_dir else (plan, None)
    record = Record(
        run_id=plan.run_id,
        status="running",
        task=plan.task,
        save_dir=plan.config.written_save_dir or "",
        attempt=claim.attempt if claim else 1,
        started=now(),
        config=plan.config.plain,
        process=process,
        sweep=dict(plan.sweep),
        reproduces=dict(plan.reproduces),
    )
    try:
        if claim:
            record = replace(record, warnings=tuple(_surprises(plan, claim)))
            _write(claim, record)
        if met:
            met.announce(computes=True, words=plan.words, config=plan.config.plain, save_dir=plan.config.save_dir)
    except BaseException:
        if claim:
            claim.undo()
        raise
    return plan, record, claim


def _claim(plan: Plan, process: Process) -> tuple[Plan, Claim]:
    """Claim the folder; where a time makes its name and another run has that, the first free ``-1``, ``-2``, ..."""
    meant, elsewhere, number = plan, plan.elsewhere, 0
    while True:
        needs = (*plan.inputs, *((plan.script,) if plan.script else ()))
        try:
            # Of many that start in one second each gets a folder of its own: a claim has one winner, and who loses it
            # goes on to the next name.
            claim = claim_folder(
                cast("Path", plan.save_dir),
                plan.run_id,
                process,
                existing=plan.existing or "archive",
                needs=needs,
                unused=elsewhere is not None,
            )
            break
        except TakenError:
            if elsewhere is None:
                raise
            number += 1
            plan = elsewhere(f"{(meant.config.written_save_dir or '').rstrip('/')}-{number}")
    if plan is not meant:
        say(f"'{meant.config.written_save_dir}' is taken: this run is in '{plan.config.written_save_dir}'")
    return plan, claim


def _surprises(plan: Plan, claim: Claim) -> Iterator[str]:
    """Say what the folder held that its new owner might not expect."""
    if claim.archived:
        moved, line = (
            read_lock(claim.archived),
            f"in '{plan.config.written_save_dir}' was moved to '{near(claim.archived)}'",
        )
        if moved.task != plan.task:
            yield f"the finished run of another task, {moved.task}, {line}"
        else:
            say(f"the finished run {line}")
    if (former := claim.former) is not None:
        mine = same_secrets(plan.config.plain, former.config)
        if changed := differing_keys(same_secrets(former.config, mine), mine):
            status = former.status if former.status in FINAL else "lost"
            yield (
                f"this run continues in the folder of run {former.run_id} ({status}), which had another configuration: "
                f"{', '.join(changed)}"
            )


def capture(plan: Plan, record: Record, claim: Claim | None) -> tuple[Record, Watched]:
    """Record the code, the inputs and the environment of the function."""
    code, lock = _capture_code(plan), plan.declares.lock
    upstream = capture_upstream((*plan.inputs, *plan.stages), plan.save_dir, plan.base)
    inputs = (plan.config.plain, plan.declares.tracked, plan.base)
    manifest = naga_folder(plan.save_dir) if plan.save_dir else None
    mine = claim.is_mine if claim else lambda: True
    data = capture_data(*inputs, manifest_dir=manifest, upstream=upstream, may_write=mine)
    beside = capture_beside(*inputs, manifest_dir=manifest, upstream=upstream, may_write=mine)
    folder = plan.script.parent if plan.script else None
    warnings = [*(code.warnings if code else ()), swallowing(plan.fn) if lock else None, *not_covered(data)]
    if upstream:
        rests_on = Run(plan.save_dir or plan.base, replace(record, upstream=upstream))
        warnings += [f"this run is out of date from the start: {reason}" for reason in out_of_date(rests_on)]
    record = replace(
        record,
        code=code.entries if code else (),
        data=dict(sorted((data | beside.pending).items())),
        upstream=upstream,
        environment=capture_environment(folder, variables=lock.env) if lock else None,
        warnings=(*record.warnings, *filter(None, warnings)),
    )
    for warning in record.warnings:
        say(f"warning: {warning}")
    if claim:
        _write(claim, record)
    else:
        _say_captured(record)
    return record, Watched(code=code, beside=beside)


def _capture_code(plan: Plan) -> "CodeCapture | None":
    if plan.declares.snapshot is None:
        return None
    if plan.code is not None:
        from naga.capture.code.snapshot import CodeCapture, anchored_for

        if plan.reproduces:  # the commits are held by the run that is computed again
            return CodeCapture(entries=tuple(replace(code, ref=None, log_branch=None) for code in plan.code))
        return anchored_for(plan.code, label_of(plan))
    from naga.capture.code.cells import cells_of  # only those who want a snapshot wait for git's module
    from naga.capture.code.snapshot import capture_code

    cells = cells_of(plan.fn, wanted=plan.declares.snapshot.cells)
    return capture_code(plan.script, plan.declares.snapshot, label_of(plan), cells)


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
    """Describe the run for a snapshot of its code."""
    from naga.capture.code.snapshot import SnapshotLabel

    own = (plan.config.save_dir,) if plan.config.save_dir else ()
    return SnapshotLabel(
        run_id=plan.run_id,
        task=plan.task,
        save_dir=plan.config.written_save_dir,
        leave_out=(*own, *plan.inputs),
        own_folder=naga_folder(plan.save_dir) if plan.save_dir else None,
    )


def _say_captured(record: Record) -> None:
    """Print what was captured: without a run.lock the terminal is the only place for it."""
    for code in record.code:
        say(f"code: {code.name} is {code.commit or code.reason}" + (f" ({code.ref})" if code.ref else ""))
    for key, data in record.data.items():
        say(f"data: {key} is {data.hash or data.reason}")
