"""The end of a run: check what the function may have changed, and write the final lock."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

from naga.capture.data.inputs import changed_inputs
from naga.capture.data.outputs import capture_outputs, missing_outputs
from naga.config.plain import differing_keys, plain_config
from naga.process.exit_cause import Ending
from naga.process.seeding import taken_seed
from naga.process.signals import Signals
from naga.record.final import write_final_lock
from naga.record.lockfile import write_lock
from naga.record.schema import BEING_HASHED, Failure, Outputs, Record, now
from naga.run.begin import Watched, label_of
from naga.run.plan import Plan
from naga.save_dir.claim import Claim
from naga.terminal import say, tell
from naga.wording import text_of, took


def end(plan: Plan, record: Record, watched: Watched, ending: Ending, *, claim: Claim | None, signals: Signals) -> None:
    """Write the final lock: how the run ended, and what it left."""
    final = _ended(record, ending)
    try:
        # Who pressed Ctrl-C does not wait for the hash of what was left half done.
        if ending.status != "killed":
            final = _require_outputs(plan, final)
            _say_that_it_returned(claim, final)
            if claim:
                final = replace(final, outputs=Outputs(reason="not hashed: that was interrupted, or failed"))
            signals.let_through()
            final = examine(plan, final, watched, claim)
    finally:
        # A second Ctrl-C, from somebody who does not want to wait, ends the hashing above but must not cost the lock:
        # writing it takes milliseconds, and the process gives in after it.
        with signals.holding():
            if claim and claim.is_mine():
                write_final_lock(claim.save_dir, final)
            elif claim:
                write_final_lock(claim.place(), final, superseded=True)
        for warning in final.warnings[len(record.warnings) :]:  # the others were said at the start
            say(f"warning: {warning}")
        if claim and not plan.sweep and not plan.reproduces:  # those say what they did
            word = "in" if final.status == "finished" else "after"
            tell(f"{final.status} {final.save_dir} {word} {took(final.duration_s)} (run {final.run_id})")


def _ended(record: Record, ending: Ending) -> Record:
    ended, environment, seed = now(), record.environment, taken_seed()
    jumped = ("the clock of this host was set back while the task ran",) if ended < record.started else ()
    return replace(
        record,
        status=ending.status,
        ended=ended,
        environment=replace(environment, seed=seed) if environment and seed is not None else environment,
        error=ending.failure,
        warnings=(*record.warnings, *ending.warnings, *jumped),
    )


def _say_that_it_returned(claim: Claim | None, final: Record) -> None:
    """Record the end before a hash that may take hours: reaching a job's time limit must not make the run lost."""
    with suppress(OSError):  # a full disk: the final lock is stored elsewhere
        if claim and claim.is_mine():
            write_lock(claim.save_dir, replace(final, outputs=Outputs(reason=BEING_HASHED)))


def examine(plan: Plan, record: Record, watched: Watched, claim: Claim | None) -> Record:
    """Check what the function may have changed; a check that fails is a warning, never a failure of the run."""
    warnings = list(record.warnings)
    with _failing_into(warnings, "the configuration at the end"):
        record = replace(record, config_end=_changed_config(plan, warnings))
    with _failing_into(warnings, "inputs"):
        if watched.beside:
            data, changed = watched.beside.join()
            record = replace(record, data={**record.data, **data})
            warnings += changed
        warnings += changed_inputs(record.data, plan.config.plain, plan.declares.tracked, plan.base, record.upstream)
    with _failing_into(warnings, "changes of the code"):
        if plan.declares.snapshot and watched.code:
            from naga.capture.code.snapshot import recapture_after

            after = recapture_after(watched.code, plan.declares.snapshot, label_of(plan))
            record = replace(record, code=after.entries)
            warnings += [warning for warning in after.warnings if warning not in warnings]
    with _failing_into(warnings, "outputs"):
        if claim:
            limit = plan.declares.lock.hash_limit if plan.declares.lock else None
            record = replace(record, outputs=capture_outputs(claim.save_dir, limit=limit, may_write=claim.is_mine))
    return replace(record, warnings=tuple(warnings))


def _require_outputs(plan: Plan, record: Record) -> Record:
    """Fail a run that lacks what it declared, even where its function swallowed its own exception."""
    declared = plan.declares.lock.outputs if plan.declares.lock else ()
    missing = missing_outputs(plan.save_dir, declared) if plan.save_dir else ()
    if not missing or record.error:
        return record
    message = f"declared outputs are missing: {', '.join(missing)}"
    say(f"the run in '{record.save_dir}' failed: {message}")
    return replace(record, status="failed", error=Failure(type="MissingOutputs", message=message))


def _changed_config(plan: Plan, warnings: list[str]) -> dict[Any, Any]:
    if plan.config.value is None:
        return {}
    end = plain_config(plan.config.value)
    if end.get("save_dir") == str(plan.config.save_dir):
        end["save_dir"] = plan.config.written_save_dir
    changed = differing_keys(plan.config.plain, end)
    if not changed:
        return {}
    warnings.append(f"the task changed its configuration while it ran: {', '.join(changed)} (see config_end)")
    return end


@contextmanager
def _failing_into(warnings: list[str], what: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # noqa: BLE001  # the run is over: whatever this is, the lock must be written
        warnings.append(f"{what} could not be recorded: {text_of(error)}")
