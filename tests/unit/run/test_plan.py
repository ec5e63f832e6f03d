"""What a call means is settled before anything is touched; calls by accident are refused."""

import os

import pytest

from naga.declarations import Call
from naga.errors import UsageError
from naga.process.fail import judged
from naga.run.plan import refuse_accident


@pytest.mark.parametrize(
    ("call", "refused"),
    [
        (Call(), True),
        (Call(args=({},)), False),
        (Call(kwargs={"lr": 1}), False),
        (Call(args=({},), kwargs={"lr": 1}), False),
    ],
    ids=["bare", "configuration", "key", "both"],
)
def test_a_forked_child_of_a_run_does_not_run_the_script_again(call: Call, refused: bool) -> None:
    """But it may start a run of its own by name."""
    with judged():
        refuse_accident(test_a_forked_child_of_a_run_does_not_run_the_script_again, call)
        child = os.fork()
        if not child:
            try:
                refuse_accident(os.fork, call)
            except UsageError as error:
                os._exit(1 if "forked child" in error.message else 2)
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == refused
