"""What a call means is settled before anything is touched; calls by accident are refused."""

import argparse
import os
from pathlib import Path
from typing import Any

import pytest

from naga.config.command_line import Request
from naga.declarations import Call, Declares
from naga.errors import UsageError
from naga.process.fail import judged
from naga.run.plan import _rank_word, _words, follow, make_plan, refuse_accident, request_of


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


@pytest.mark.parametrize(
    ("rank", "config", "words"),
    [(3, {"local_rank": 0}, ("local_rank=3",)), (3, {"lr": 0}, ()), (None, {"local_rank": 0}, ()), (None, {}, ())],
)
def test_a_launchers_rank_is_a_value_where_there_is_a_key_for_it(
    rank: int | None, config: dict[str, Any], words: tuple[str, ...]
) -> None:
    """Older launchers add ``--local_rank`` to the words of every script."""
    assert _rank_word(Request(local_rank=rank), config) == words


def test_the_words_that_concern_the_configuration() -> None:
    """Keys and files; an interpolation may differ between ranks by itself."""
    request = Request(overrides=("lr=1", "a.b=2", "name=${now:%S}"), files=((Path("a.yaml"), None), (Path("b"), "x")))
    assert _words(request) == ("--config a.yaml --experiment None", "--config b --experiment x", "lr", "a.b")


def test_words_for_an_argument_parser_of_ones_own() -> None:
    """Where a caller holds what argparse has read, the hint says how a task reads no words."""

    def main(cfg: Any = {"lr": 1}) -> None: ...  # noqa: B006

    with pytest.raises(UsageError) as caught:
        request_of(main, ["--epochs", "3"])
    assert "ArgumentParser" not in caught.value.hint
    read = argparse.Namespace(epochs=3)
    with pytest.raises(UsageError) as caught:
        request_of(main, ["--epochs", "3"])
    assert "ArgumentParser" in caught.value.hint
    assert "main({}) or main(cfg) reads no words" in caught.value.hint
    assert read.epochs == 3


def test_a_configuration_that_is_only_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """By rank 0, or a process that is alone; the others say nothing, and ask for no run. All of them succeed."""

    def main(cfg: Any = {"lr": 1}) -> None: ...  # noqa: B006

    with pytest.raises(SystemExit) as caught:
        make_plan(main, Declares(command_line=True), Call(argv=("--show-config", "lr=2")))
    assert caught.value.code == 0
    assert "lr: 2" in capsys.readouterr().out
    with pytest.raises(SystemExit) as caught:
        follow(main, Call(argv=("--show-config", "lr=2")), lambda: pytest.fail("it waits for rank 0"))
    assert caught.value.code == 0
    assert capsys.readouterr().out == ""
