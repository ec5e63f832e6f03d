"""The life of one run on one page: resolve, claim, capture, compute, seal.

`run` is the whole of it, and the functions below it are its steps in the same order. What a call means is settled by
`naga.plan.resolve` before anything outside is touched; from the claim on, the run.lock says what is true at every
moment.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from naga.capture.code import CodeCapture, Subject, capture_code, recapture_after
from naga.capture.console import CONSOLE_LOG, Console
from naga.capture.data import Beside, capture_beside, capture_data, changed_inputs
from naga.capture.environment import capture_environment
from naga.capture.outputs import capture_outputs, missing_outputs
from naga.capture.upstream import capture_upstream
from naga.config.compose import differing_keys, plain_config
from naga.ending.cause import Ending, how_it_ended
from naga.ending.fail import judged
from naga.ending.signals import Signalled, Signals
from naga.ending.swallowing import swallowing
from naga.errors import SaveDirError
from naga.marks import Call, Declares
from naga.plan import Plan, Reuse, follow, refuse_accident, resolve, task_name
from naga.ranks import Meeting, meeting, this_rank
from naga.record.claim import release, take
from naga.record.heartbeat import beating
from naga.record.lockfile import naga_folder, write_lock
from naga.record.process import this_process
from naga.record.schema import Environment, Failure, Record
from naga.record.seal import write_seal
from naga.seeding import taken_seed
from naga.terminal import say

__all__ = ["run"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """What was captured at the start and is looked at again at the end."""

    code: CodeCapture = field(default_factory=CodeCapture)
    beside: Beside | None = None


def run(fn: Callable[..., Any], declares: Declares, call: Call) -> Any:
    """Run a task once.

    Parameters
    ----------
    fn : callable
        The undecorated function.
    declares : naga.marks.Declares
        The marks of its decorators.
    call : naga.marks.Call
        What its caller said.

    Returns
    -------
    object
        What the function returned; the recorded configuration where a finished run is used again.

    Raises
    ------
    NagaError
        Before the function starts: something that its user can mend.
    BaseException
        Whatever the function raised, unchanged, after it was recorded.
    """
    refuse_accident(fn, call)
    rank = this_rank() if declares.lock or declares.snapshot else None
    met = meeting(rank, task_name(fn)) if rank else None
    if met and met.rank.number > 0:
        return share(fn, call, met)
    with met.refusals() if met else nullcontext():
        plan = resolve(fn, declares, call)
        if isinstance(plan, Reuse):
            if met:
                met.announce(computes=False, config=plan.plain, save_dir=plan.save_dir)
            return plan.config
        record, watched = claim(plan, met), Watched()
    console = Console(plan.save_dir / CONSOLE_LOG if plan.save_dir and keeps_console(plan) else None)
    clock = time.monotonic()
    with Signals() as signals, beating(plan.save_dir), judged() as verdict:
        try:
            with console.abandoned():
                record, watched = capture(plan, record)
            clock = time.monotonic()
            with console:
                result = fn(*plan.args, **plan.kwargs)
        except BaseException as error:
            ending = how_it_ended(error, signals, verdict.reason)
            seal(plan, record, watched, time.monotonic() - clock, ending)
            raise
        seal(plan, record, watched, time.monotonic() - clock, how_it_ended(None, signals, verdict.reason))
    if met:
        met.leave()
    return result


def share(fn: Callable[..., Any], call: Call, met: Meeting) -> Any:
    """Call a function in a process whose run belongs to rank 0: with its configuration, and recording nothing."""
    mine = follow(fn, call, met.wait)
    if not mine.computes:
        return mine.args[0] if mine.args else None
    with judged(kept=False):
        return fn(*mine.args, **mine.kwargs)


def keeps_console(plan: Plan) -> bool:
    """Tell whether what the function prints is kept: its author and who starts it may say no."""
    lock = plan.declares.lock
    return lock is not None and lock.console and os.environ.get("NAGA_CONSOLE", "").lower() not in ("0", "off", "no")


def claim(plan: Plan, met: Meeting | None = None) -> Record:
    """Take the folder, and say in it that the run is running."""
    record = Record(
        run_id=plan.run_id,
        status="running",
        task=plan.task,
        save_dir=plan.config.written_save_dir or "",
        started=_now(),
        config=plan.config.plain,
        process=replace(this_process(), ranks=met.rank.size if met else None),
    )
    if plan.save_dir is None:
        _announce(met, plan)
        return record
    needs = (*plan.inputs, *((plan.script,) if plan.script else ()))
    taken = take(plan.save_dir, plan.run_id, record.process, existing=plan.existing, needs=needs)
    if taken.archived:
        say(f"the finished run in '{record.save_dir}' was moved to '{taken.archived}'")
    record = replace(record, attempt=taken.attempt)
    try:
        _write(plan.save_dir, record)
        _announce(met, plan)
    except BaseException:
        release(plan.save_dir, plan.run_id)
        raise
    return record


def _announce(met: Meeting | None, plan: Plan) -> None:
    if met:
        met.announce(computes=True, config=plan.config.plain, save_dir=plan.config.save_dir)


def capture(plan: Plan, record: Record) -> tuple[Record, Watched]:
    """Record the code, the inputs and the environment that the function is about to meet."""
    declared = plan.declares.snapshot
    code = capture_code(plan.script, declared, _subject(plan)) if declared else CodeCapture()
    upstream = capture_upstream((*plan.inputs, *plan.stages), plan.save_dir, plan.base)
    inputs = (plan.config.plain, plan.declares.tracked, plan.base)
    manifest = naga_folder(plan.save_dir) if plan.save_dir else None
    data = capture_data(*inputs, manifest_dir=manifest, upstream=upstream)
    beside = capture_beside(*inputs, manifest_dir=manifest, upstream=upstream)
    record = replace(
        record,
        code=code.entries,
        data=dict(sorted((data | beside.pending).items())),
        upstream=upstream,
        environment=_environment(plan) if plan.save_dir else None,
        warnings=(*code.warnings, *_reading(plan)),
    )
    if plan.save_dir:
        _write(plan.save_dir, record)
    else:
        _say_captured(record)
    return record, Watched(code=code, beside=beside)


def _reading(plan: Plan) -> tuple[str, ...]:
    warning = swallowing(plan.fn) if plan.declares.lock else None
    return (warning,) if warning else ()


def _write(save_dir: Path, record: Record) -> None:
    try:
        write_lock(save_dir, record)
    except OSError as error:
        raise SaveDirError(
            f"save_dir '{save_dir}' cannot be written: {error.strerror or error}",
            hint="save_dir=<a folder you can write>",
        ) from error


def seal(plan: Plan, record: Record, watched: Watched, duration_s: float, ending: Ending) -> None:
    """Say how the run ended, and what it left; a forked child that comes here has no run to seal."""
    if os.getpid() != record.process.pid:
        return
    ended = _now()
    jumped = ("the clock of this host was set back while the task ran",) if ended < record.started else ()
    sealed = replace(
        record,
        status=ending.status,
        ended=ended,
        duration_s=round(duration_s, 6),
        environment=_with_seed(record.environment),
        error=ending.failure,
        warnings=(*record.warnings, *ending.warnings, *jumped),
    )
    try:
        # Who pressed Ctrl-C does not wait for the hash of what was left half done.
        if ending.status != "killed":
            sealed = _require_outputs(plan, examine(plan, sealed, watched))
    finally:
        try:
            _leave(plan, sealed)
        except (KeyboardInterrupt, Signalled):  # a second Ctrl-C
            _leave(plan, sealed)
            raise


def _leave(plan: Plan, sealed: Record) -> None:
    if plan.save_dir:
        write_seal(plan.save_dir, sealed)
    for warning in sealed.warnings:
        say(f"warning: {warning}")


def examine(plan: Plan, record: Record, watched: Watched) -> Record:
    """Look again at what the function may have changed; what cannot be seen is a warning, never a failure."""
    warnings = list(record.warnings)
    with _failing_into(warnings, "the configuration at the end"):
        record = replace(record, config_end=_changed_config(plan, warnings))
    with _failing_into(warnings, "inputs"):
        if watched.beside:
            data, changed = watched.beside.join()
            record = replace(record, data={**record.data, **data})
            warnings += changed
        warnings += changed_inputs(record.data, plan.config.plain, plan.declares.tracked, plan.base)
    with _failing_into(warnings, "changes of the code"):
        if plan.declares.snapshot:
            after = recapture_after(watched.code, plan.declares.snapshot, _subject(plan))
            record = replace(record, code=after.entries)
            warnings += [warning for warning in after.warnings if warning not in warnings]
    with _failing_into(warnings, "outputs"):
        if plan.save_dir:
            record = replace(record, outputs=capture_outputs(plan.save_dir))
    return replace(record, warnings=tuple(warnings))


def _environment(plan: Plan) -> Environment:
    named = plan.declares.lock.env if plan.declares.lock else ()
    return capture_environment(plan.script.parent if plan.script else None, variables=named)


def _with_seed(environment: Environment | None) -> Environment | None:
    """Add the seed that was set before or while the function ran."""
    seed = taken_seed()
    return replace(environment, seed=seed) if environment and seed is not None else environment


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
        warnings.append(f"{what} could not be recorded: {error}")


def _subject(plan: Plan) -> Subject:
    own = (plan.config.save_dir,) if plan.config.save_dir else ()
    return Subject(
        run_id=plan.run_id, task=plan.task, save_dir=plan.config.written_save_dir, leave_out=(*own, *plan.inputs)
    )


def _say_captured(record: Record) -> None:
    """Without a run.lock the terminal is the only place to say what was captured."""
    for code in record.code:
        say(f"code: {code.name} is {code.commit or code.reason}" + (f" ({code.ref})" if code.ref else ""))
    for key, data in record.data.items():
        say(f"data: {key} is {data.hash or data.reason}")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
