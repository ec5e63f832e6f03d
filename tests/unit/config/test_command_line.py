"""The command line of a task."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from naga.config.command_line import Request, parse_arguments, show
from naga.config.compose import compose
from naga.config.declared import Declared
from naga.errors import UsageError

Of = Callable[[Any], Declared]


@dataclass
class Model:
    lr: float = 0.1  # how fast it learns


@dataclass
class Config:
    save_dir: str = "results/a"
    learning_rate: float = 0.1
    model: Model = field(default_factory=Model)


def parsed(*argv: str, of: Of | None = None) -> Request:
    declared = of(OmegaConf.structured(Config)) if of else None
    return parse_arguments(argv, declared, program="exp.py", description="Train.")


def test_values_and_options_may_be_mixed(of: Of) -> None:
    """Before, after and between each other, and always in their order."""
    request = parsed(
        "a=1", "--config", "x=y.yaml", "-o", "b=2", "c=3", "--show-config", "-od=4", "--experiment=k", "e=-5", of=of
    )
    assert request == Request(
        overrides=("a=1", "b=2", "c=3", "d=4", "e=-5"), files=((Path("x=y.yaml"), "k"),), show_config=True
    )


def test_nothing_asks_for_nothing() -> None:
    """Without arguments all is left to the declaration."""
    assert parsed() == Request()


def test_a_finished_run_is_named() -> None:
    """Both ways of dealing with one."""
    assert parsed("--existing", "refuse").existing == "refuse"
    assert parsed("--reuse", "runs/a").reuse == Path("runs/a")


@pytest.mark.parametrize(
    ("argv", "message", "hint"),
    [
        (["learning_rte"], "'learning_rte' is not key=value", "learning_rate=..."),
        (["=5"], "'=5' is not key=value", "key=..."),
        (["+learning_rate=5"], "'+learning_rate=5' adds a key in Hydra", "learning_rate=5"),
        (["++learning_rate=5"], "'++learning_rate=5' adds a key in Hydra", "learning_rate=5"),
        (["+learning_rte=5"], "'+learning_rte=5' adds a key in Hydra", "did you mean 'learning_rate'?"),
        (["~learning_rte"], "'~learning_rte' takes a key away in Hydra", "did you mean 'learning_rate'?"),
        (["~model.lr"], "'~model.lr' takes a key away", "leave it out"),
        (["--experiment", "a", "--experiment", "b"], "--experiment names a part", "--config FILE"),
        (["--local_rank", "x"], "argument --local_rank/--local-rank: invalid int value", "exp.py --help"),
        (["--reuse", "a", "--reuse", "b"], "argument --reuse: given twice: a and b", ""),
        (["--existing", "reuse", "--existing=refuse"], "argument --existing: given twice: reuse and refuse", ""),
        (["--reuse", "a", "--show-config"], "--reuse computes nothing", "leave out"),
        (["--reuse", "a", "--existing", "refuse"], "--reuse computes nothing", "leave out"),
        (["--learning-rate", "5"], "unrecognized arguments: --learning-rate", "learning_rate=..."),
        (["--lr=5"], "unrecognized arguments: --lr=5", "model.lr=..."),
        (["--nothing-like-it"], "unrecognized arguments: --nothing-like-it", "exp.py --help"),
        (["--show"], "unrecognized arguments: --show", "exp.py --help"),
        (["--config"], "argument --config: expected one argument", "exp.py --help"),
        (["--existing", "keep"], "argument --existing: invalid choice: 'keep'", "exp.py --help"),
        (["--experiment", "a"], "--experiment names a part of a file", "--config FILE"),
        (["--reuse", "a", "--config", "b"], "--reuse computes nothing", "leave out"),
    ],
)
def test_what_cannot_be_read_says_what_to_type(
    argv: list[str], message: str, hint: str, of: Of, capsys: pytest.CaptureFixture[str]
) -> None:
    """As an error of Naga's, not an exit of argparse's."""
    with pytest.raises(UsageError) as caught:
        parsed(*argv, of=of)
    assert caught.value.message.startswith(message)
    assert hint in caught.value.hint
    assert capsys.readouterr() == ("", "")


def test_files_and_their_parts_stand_in_their_order(of: Of) -> None:
    """A part is of the file before it; what is typed before the first file is of the first."""
    argv = "--experiment e --config a --config b --experiment f --experiment g --config c".split()  # noqa: SIM905
    assert [(str(file), part) for file, part in parsed(*argv, of=of).files] == [
        ("a", "e"),
        ("b", "f"),
        ("b", "g"),
        ("c", None),
    ]


@pytest.mark.parametrize("argv", [["--local_rank=1"], ["--local-rank", "1"], ["--local-rank=1"], ["--local_rank", "1"]])
def test_the_word_of_a_launcher_is_no_override(argv: list[str], of: Of) -> None:
    """Older launchers of ranks add it to the words that were typed."""
    request = parsed("learning_rate=1", *argv, of=of)
    assert (request.overrides, request.local_rank) == (("learning_rate=1",), 1)


def test_a_value_that_is_replaced_is_said(of: Of, capsys: pytest.CaptureFixture[str]) -> None:
    """The later of two wins, as everywhere; the same one twice needs no word."""
    parsed("model.lr=1", "learning_rate=1", "model.lr=2", "learning_rate=1", of=of)
    assert capsys.readouterr().err == "naga: model.lr=2 takes the place of model.lr=1, which stands before it\n"


def test_a_task_without_a_configuration_takes_no_values() -> None:
    """They would do nothing."""
    for argv in (["lr=1"], ["--config", "a.yaml"]):
        with pytest.raises(UsageError, match="no configuration to change"):
            parsed(*argv)


def test_signs_are_keys_where_they_are_declared(of: Of) -> None:
    """And a hint is given only where it works."""
    declared = of({"+x": 1, "y": 2})
    assert parse_arguments(["+x=5"], declared, program="", description="").overrides == ("+x=5",)
    with pytest.raises(UsageError) as caught:
        parse_arguments(["~y"], declared, program="", description="")
    assert caught.value.hint == "y=null"


def test_help_lists_the_fields_and_ends_well(of: Of, capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever else stands beside it."""
    with pytest.raises(SystemExit) as caught:
        parsed("a=1", "--help", of=of)
    assert caught.value.code == 0
    shown = capsys.readouterr().out
    assert "Train." in shown
    assert "--existing" in shown
    assert "model.lr       float  0.1        how fast it learns" in shown


def test_what_is_shown_can_be_given_again(of: Of, tmp_path: Path) -> None:
    """`--show-config > a.yaml` and `--config a.yaml` are one configuration, strings that look like others included."""
    default = {"a": "007", "b": "1e5", "c": r"\${x}", "d": [None, 1.0, "ü"], "save_dir": "results/x"}
    first = compose(of(default), overrides=["a='12:30'"])
    file = tmp_path / "a.yaml"
    file.write_text(show(first), encoding="utf-8")
    assert first.plain["c"] == "${x}"
    assert compose(of(default), files=[(file, None)]).plain == first.plain
