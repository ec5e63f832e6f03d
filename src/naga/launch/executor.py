"""Any executor as a launcher: it sends a point to some machine, where the point gets a process of its own.

Its workers may be threads, or processes that live on from one point to the next: neither has signals, a working
directory or a console of its own, and one that is killed would take the others with it.
"""

from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any

from naga.errors import NagaError
from naga.launch.local import Local
from naga.wording import first_line_of

Function = Callable[[dict[str, Any]], dict[str, Any]]


def alone(fn: Function, point: dict[str, Any], timeout: float | None) -> dict[str, Any]:
    """Call a function in a new process; return an answer even if that dies."""
    return Local(forks=False, timeout=timeout).submit(fn, point).result()


class Through(Executor):
    """An executor that sends points through another one; what that raises is the point's error.

    ``gone`` says, before each point, that what the other one stands on is no longer there: it would never answer.
    """

    def __init__(
        self,
        executor: Executor,
        *,
        timeout: float | None,
        close: Callable[[], object] = lambda: None,
        gone: Callable[[], str] = lambda: "",
    ) -> None:
        self._executor, self._timeout, self._close, self._gone = executor, timeout, close, gone
        self._sent: list[Future[dict[str, Any]]] = []

    def submit(self, fn: Function, point: dict[str, Any], /) -> "Future[dict[str, Any]]":  # type: ignore[override]
        """Send a point."""
        if reason := self._gone():
            raise NagaError(reason, hint="the same command goes on where this one stopped")
        said: Future[dict[str, Any]] = Future()
        said.set_running_or_notify_cancel()
        self._sent.append(self._executor.submit(alone, fn, point, self._timeout))
        self._sent[-1].add_done_callback(lambda done: said.set_result(_answer(done)))
        return said

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the other executor and then what it needs; jobs that cannot be cancelled any more go on."""
        if not self._gone():
            for future in self._sent if cancel_futures else ():
                future.cancel()
            self._executor.shutdown(wait=wait and not cancel_futures)
        self._close()


def _answer(done: "Future[dict[str, Any]]") -> dict[str, Any]:
    if done.cancelled():
        return {"died": "cancelled"}
    error = done.exception()
    return {"died": first_line_of(error)} if error else done.result()
