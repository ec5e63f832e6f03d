"""The words of the command line."""

import argparse
import importlib
import shlex

import pytest

from naga.cli import main
from naga.cli.parser import parser


def _commands() -> dict[str, argparse.ArgumentParser]:
    groups = [action for action in parser()._actions if isinstance(action, argparse._SubParsersAction)]
    return dict(groups[0].choices)


@pytest.mark.parametrize("name", _commands())
def test_a_command_is_there_and_says_what_it_does(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Its function can be imported, and its page of help says more than its words."""
    module, function = _commands()[name].get_default("command").split(":")
    assert callable(getattr(importlib.import_module(f"naga.cli.{module}"), function))
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])
    said = capsys.readouterr().out
    assert ended.value.code == 0
    assert f"usage: naga {name} " in said
    assert str(_commands()[name].description) in " ".join(said.split())


def test_naga_alone_prints_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    """So does the option."""
    assert main([]) == 0
    said = capsys.readouterr().out
    assert [name for name in _commands() if f"\n    {name}" not in said] == []
    with pytest.raises(SystemExit):
        main(["--help"])
    assert capsys.readouterr().out == said


def test_a_word_that_no_command_takes_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """It is named; nothing runs."""
    assert main(["ls", "--nothing"]) == 2
    assert capsys.readouterr().err == "naga: unrecognized arguments: --nothing\n  hint: naga ls --help\n"
    assert main(["lst"]) == 2
    assert capsys.readouterr().err == "naga: there is no command 'lst'\n  hint: naga ls\n"
    assert main(["nothing"]) == 2
    assert capsys.readouterr().err == "naga: there is no command 'nothing'\n  hint: naga --help\n"


def test_a_note_without_quotes_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """Of what a shell unfolds, the second run would else be the note of the first; the hint is what was meant."""
    assert main(["note", "results/my run", "it", "isn't", "good"]) == 2
    said = "naga: unrecognized arguments: isn't good\n"
    meant = shlex.join(["naga", "note", "results/my run", "it isn't good"])
    assert capsys.readouterr().err == f"{said}  hint: {meant}\n"
