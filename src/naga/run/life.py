"""The life of one run on one page: resolve, claim, capture, compute, seal.

`run` is the whole of it, and the functions below it are its steps in the same order. What a call means is settled by
`naga.run.plan.resolve` before anything outside is touched; from the claim on, the run.lock says what is true at every
moment.
"""

import os
import time
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

from naga.capture.console import Console
from naga.declarations import Call, Declares
from naga.layout import CONSOLE_LOG
from naga.process.exit_cause import how_it_ended
from naga.process.fail import judged
from naga.process.ranks import Meeting, meeting, this_rank
from naga.process.signals import Signals
from naga.run.begin import Watched, capture, claim
from naga.run.end import seal
from naga.run.plan import Plan, follow, refuse_accident, resolve, task_name
from naga.run.reuse import Reuse
from naga.save_dir.heartbeat import beating


def run(fn: Callable[..., Any], declares: Declares, call: Call) -> Any:
    """Run a task once."""
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
