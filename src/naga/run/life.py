"""The life of one run: plan, begin, compute, end.

`run` is the whole of it. `naga.run.plan.make_plan` decides what a call means before anything is written;
`naga.run.begin.take_folder` claims the folder, and from then on the run.lock is true at every moment;
`naga.run.end.end` writes the final lock.
"""

import os
import time
from collections.abc import Callable
from contextlib import ExitStack, nullcontext
from dataclasses import replace
from typing import Any, Self

from naga.capture.console import Console
from naga.declarations import Call, Declares
from naga.layout import CONSOLE_LOG
from naga.process.entry_point import task_name
from naga.process.exit_cause import how_it_ended
from naga.process.fail import judged
from naga.process.ranks import Meeting, meeting, this_rank
from naga.process.signals import Signals
from naga.run.begin import Watched, capture, take_folder
from naga.run.end import end
from naga.run.plan import Plan, follow, make_plan, refuse_accident
from naga.run.reuse import Reuse
from naga.save_dir.heartbeat import beating


class Life:
    """One run from its claim to its final lock: owns the folder, the heartbeat and the console.

    However its block is left (a return, an exception, Ctrl-C, ``sys.exit``), leaving it is the one way out: there the
    final lock is written, once, while the heartbeat still beats and the signals are still caught.
    """

    def __init__(self, plan: Plan, met: Meeting | None, signals: Signals) -> None:
        plan, self._record, self._claim = take_folder(plan, met)
        self._plan, self._signals = plan, signals
        self._watched = Watched()
        self._console = Console(plan.save_dir / CONSOLE_LOG if plan.save_dir and logs_console(plan) else None)
        self._clock = time.monotonic()

    def __enter__(self) -> Self:
        with ExitStack() as around:
            if self._claim:
                around.callback(self._claim.release)
                around.enter_context(beating(self._claim.save_dir, self._claim.is_mine))
            self._verdict = around.enter_context(judged())
            self._around = around.pop_all()
        return self

    def capture(self) -> None:
        """Record the code, the inputs and the environment."""
        with self._console.abandoned():
            self._record, self._watched = capture(self._plan, self._record, self._claim)

    def compute(self) -> Any:
        """Call the function, and log what it prints; the run's duration is that of this call."""
        self._clock = time.monotonic()
        with self._console:
            return self._plan.fn(*self._plan.args, **self._plan.kwargs)

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        with self._around, self._signals.holding():
            duration_s = round(time.monotonic() - self._clock, 6)
            # A child that the function forked, and that comes here by an exception or a return of its own, has no run
            # to end: its parent is still computing, and its lock must go on saying so.
            if os.getpid() == self._record.process.pid:
                ending = how_it_ended(error, self._signals, self._verdict.reason)
                record = replace(self._record, duration_s=duration_s)
                end(self._plan, record, self._watched, ending, claim=self._claim, signals=self._signals)
                self._console.redact_again()


def run(fn: Callable[..., Any], declares: Declares, call: Call) -> Any:
    """Run a task once, and return what its function returns; whatever that raised is recorded and raised again."""
    refuse_accident(fn, call)
    rank = this_rank() if declares.lock or declares.snapshot else None
    met = meeting(rank, call.task or task_name(fn)) if rank else None
    if met and met.rank.number > 0:
        return share(fn, call, met)
    with met.refusals() if met else nullcontext():
        plan = make_plan(fn, declares, call)
    if isinstance(plan, Reuse):
        if met:
            met.announce(computes=False, config=plan.plain, save_dir=plan.save_dir)
        return plan.config
    # Signals are held from before the claim until leaving a block writes the final lock: one that came in between would
    # end the process, and leave a lock that says running.
    with Signals() as signals:
        with met.refusals() if met else nullcontext():
            life = Life(plan, met, signals)
        with life:
            signals.let_through()
            life.capture()
            result = life.compute()
    if met:
        met.leave()
    return result


def share(fn: Callable[..., Any], call: Call, met: Meeting) -> Any:
    """Call a function in a process whose run belongs to rank 0: with the configuration of rank 0, recording nothing."""
    args, kwargs, computes = follow(fn, call, met.wait)
    if not computes:
        return args[0] if args else None
    with judged(recorded=False):
        return fn(*args, **kwargs)


def logs_console(plan: Plan) -> bool:
    """Return whether what the function prints is logged: its author, or the environment, may switch that off."""
    lock = plan.declares.lock
    return lock is not None and lock.console and os.environ.get("NAGA_CONSOLE", "").lower() not in ("0", "off", "no")
