"""`naga.fail` reaches the run that it is called from."""

import os
import threading

import pytest

from naga.errors import UsageError
from naga.process.fail import fail, is_in_fork_of_run, judged


def test_the_first_reason_stays() -> None:
    """What goes wrong afterwards follows from it."""
    with judged() as verdict:
        fail("diverged")
        fail("and more")
    assert verdict.reason == "diverged"


def test_the_inner_run_is_meant() -> None:
    """A run that another run starts says it for itself."""
    with judged() as outer, judged() as inner:
        fail("inner")
    assert (outer.reason, inner.reason) == (None, "inner")


def test_from_a_thread_of_the_run() -> None:
    """There is one run, and so no doubt."""
    with judged() as verdict:
        thread = threading.Thread(target=fail, args=("in a thread",))
        thread.start()
        thread.join()
    assert verdict.reason == "in a thread"


def test_outside_of_a_run_it_is_refused() -> None:
    """No one would hear it."""
    with pytest.raises(UsageError, match="outside of a run"):
        fail("diverged")


def test_a_fork_knows_that_it_is_one() -> None:
    """The parent does not take itself for a child."""
    with judged():
        assert not is_in_fork_of_run()
        child = os.fork()
        if not child:
            os._exit(0 if is_in_fork_of_run() else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
