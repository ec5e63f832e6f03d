"""What --help says of each field."""

from collections.abc import Callable
from dataclasses import dataclass, field, make_dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Dict, List, Optional, Union  # noqa: UP035  # as users of OmegaConf write them

import attr
import pytest
from omegaconf import MISSING, OmegaConf

from naga.config.declared import Declared
from naga.config.option_parser import describe_fields

Of = Callable[[Any], Declared]


class Colour(Enum):
    RED = 1
    BLUE = 2


@dataclass
class Model:
    # how fast
    # it learns
    lr: float = 0.1
    name: str = "m"
    """The name of the model,
    in words."""
    sizes: List[int] = field(  # noqa: UP006  # hidden behind a pragma
        default_factory=lambda: [1, 2],
    )  # neurons per layer


@dataclass
class Parent:
    seed: int = 0  # of the parent


@dataclass
class Config(Parent):
    # ------

    needed: int = MISSING  #: must be given
    model: Model = field(default_factory=Model)  # what is trained
    plain: Model = field(default_factory=Model)
    colour: Colour = Colour.RED
    note: Optional[str] = None  # noqa: UP045
    text: str = ""
    both: Union[int, str] = "${seed}"  # noqa: UP007
    table: Dict[str, float] = field(default_factory=dict, metadata={"help": "by name"})  # noqa: UP006
    data: Path = Path("a/b")


@pytest.fixture
def rows(of: Of, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Describe the example on a wide terminal, one row per key."""
    monkeypatch.setenv("COLUMNS", "200")
    lines = describe_fields(of(OmegaConf.structured(Config))).splitlines()
    return {line.split()[0]: " ".join(line.split()[1:]) for line in lines}


@pytest.mark.parametrize(
    ("key", "row"),
    [
        ("seed", "int 0 of the parent"),
        ("needed", "int (required) must be given"),
        ("model", "Model what is trained"),
        ("model.lr", "float 0.1 how fast it learns"),
        ("model.name", "str m The name of the model, in words."),
        ("model.sizes", "list[int] [1, 2] neurons per layer"),
        ("colour", "RED|BLUE RED"),
        ("note", "str or None None"),
        ("text", 'str ""'),
        ("both", "int or str ${seed}"),
        ("table", "dict[str, float] {} by name"),
        ("data", "Path a/b"),
    ],
)
def test_each_field_is_described(rows: dict[str, str], key: str, row: str) -> None:
    """By its type, its default as written, and its comment, docstring or metadata."""
    assert rows[key] == row


def test_a_group_without_a_help_has_no_row_of_its_own(rows: dict[str, str]) -> None:
    """Its fields have."""
    assert "plain" not in rows
    assert "plain.lr" in rows


def test_help_is_wrapped_beside_its_field_or_below_it(of: Of, monkeypatch: pytest.MonkeyPatch) -> None:
    """Columns are aligned, and no line is wider than the terminal."""

    @dataclass
    class Long:
        first: str = "a" * 30  # word word word word word word word word
        second: int = 1  # word word word

    monkeypatch.setenv("COLUMNS", "60")
    lines = describe_fields(of(Long())).splitlines()
    assert lines[1:] == [
        "  first   str  " + "a" * 30,
        " " * 30 + "word word word word word word",
        " " * 30 + "word word",
        "  second  int  1" + " " * 14 + "word word word",
    ]


def test_untyped_defaults_have_the_types_of_their_values(of: Of) -> None:
    """A dict has no comments to read."""
    assert describe_fields(of({"a": 1, "b": {"c": [1, "x" * 90]}, "d": None})).splitlines()[1:] == [
        "  a    int   1",
        "  b.c  list  [1, " + "x" * 33 + "...",
        "  d    Any   None",
    ]


def test_classes_without_source_are_described_without_help(of: Of) -> None:
    """Made at run time, or typed at a prompt."""
    made = make_dataclass("Made", [("lr", float, 0.1)])
    assert "lr  float  0.1" in describe_fields(of(made()))


def test_attrs_classes_are_described(of: Of) -> None:
    """As dataclasses are."""

    @attr.s(auto_attribs=True)
    class Attributes:
        lr: float = 0.1  # how fast
        name: str = attr.ib(default="x", metadata={"help": "its name"})

    assert describe_fields(of(Attributes())).splitlines()[1:] == [
        "  lr    float  0.1  how fast",
        "  name  str    x    its name",
    ]


def test_an_empty_configuration_has_no_fields(of: Of) -> None:
    """Nothing fails for want of a row."""
    assert describe_fields(of({})) == "configuration (key=value):"


def test_a_list_is_on_one_line(of: Of, monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as it is not cut."""
    monkeypatch.setenv("COLUMNS", "200")

    @dataclass
    class Listed:
        sizes: List[int] = field(default_factory=lambda: [*range(10, 19)])  # noqa: UP006
        words: List[str] = field(default_factory=lambda: ["some words"] * 9)  # noqa: UP006

    _, sizes, words = describe_fields(of(OmegaConf.structured(Listed))).splitlines()
    assert sizes.endswith(" [10, 11, 12, 13, 14, 15, 16, 17, 18]")
    assert words.endswith(" [some words, some words, some words, ...")


def test_a_help_stands_beside_its_field_where_there_is_room(of: Of, monkeypatch: pytest.MonkeyPatch) -> None:
    """Below it, in the same column, where the left side is longer."""
    monkeypatch.setenv("COLUMNS", "60")

    @dataclass
    class Wide:
        a: int = 1  # beside
        b: str = "x" * 18  # beside, too
        c: str = "x" * 19  # below
        d: str = "x" * 20  # below

    _, *lines = describe_fields(of(OmegaConf.structured(Wide))).splitlines()
    assert lines == [
        f"{'  a  int  1':<30}beside",
        f"  b  str  {'x' * 18}  beside, too",
        f"  c  str  {'x' * 19}",
        f"{'':<30}below",
        f"  d  str  {'x' * 20}",
        f"{'':<30}below",
    ]
