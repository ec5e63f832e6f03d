"""Configurations as plain values."""

from dataclasses import dataclass, field
from datetime import date
from enum import Enum
from pathlib import Path
from typing import Any

import attr
import numpy as np
import pytest
import yaml
from omegaconf import MISSING, OmegaConf

from naga.config.plain import differing_keys, plain_config, value_at


class Colour(Enum):
    RED = 1


@dataclass
class Inner:
    path: Path = Path("a/b")
    colour: Colour = Colour.RED


@dataclass
class Outer:
    inner: Inner = field(default_factory=Inner)
    needed: int = MISSING
    raw: bytes = b"\x00"


@attr.s(auto_attribs=True)
class Attributes:
    inner: Inner = attr.Factory(Inner)


PLAIN_INNER = {"path": "a/b", "colour": "RED"}


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (Outer(), {"inner": PLAIN_INNER, "needed": "???", "raw": b"\x00"}),
        (OmegaConf.structured(Outer), {"inner": PLAIN_INNER, "needed": "???", "raw": b"\x00"}),
        (Attributes(), {"inner": PLAIN_INNER}),
        ({"a": (1, {2}), Colour.RED: None, 1: True, 2.5: {}}, {"a": [1, [2]], "RED": None, 1: True, 2.5: {}}),
        (
            {"a": np.float64(0.5), "b": np.int64(3), "c": np.bool_(True), "d": np.array(7)},
            {"a": 0.5, "b": 3, "c": True, "d": 7},
        ),
        ({"a": date(2024, 1, 2)}, {"a": "2024-01-02"}),
        ({"a": OmegaConf.create({"x": "${y}", "y": r"\${z}"})}, {"a": {"x": "${z}", "y": "${z}"}}),
        (OmegaConf.create({"x": "${nowhere}"}), {"x": "${nowhere}"}),
        (None, {}),
    ],
)
def test_every_kind_becomes_what_yaml_holds(value: Any, plain: dict[Any, Any]) -> None:
    """And YAML's safe writer and reader give it back."""
    found = plain_config(value)
    assert found == plain
    assert [type(item) for item in found.values()] == [type(item) for item in plain.values()]
    assert yaml.safe_load(yaml.safe_dump(found)) == plain


def test_what_no_yaml_can_hold_is_named_by_its_type() -> None:
    """The same in each run, unlike an address in memory; also where a container is in itself."""
    itself: dict[str, Any] = {"thing": object(), "array": np.zeros(3)}
    itself["itself"] = itself
    expected = {"thing": "<builtins.object>", "array": "<numpy.ndarray>", "itself": "<builtins.dict>"}
    assert plain_config(itself) == expected


class OddText(str):
    __slots__ = ()

    def __str__(self) -> str:
        raise RuntimeError("no text")


class OddKey:
    def __str__(self) -> str:
        raise RuntimeError("no text")


def test_what_cannot_be_asked_costs_nothing_else() -> None:
    """Neither a value nor a key; nor what is nested without end."""
    deep: list[Any] = []
    for _ in range(5000):
        deep = [deep]
    plain = plain_config({"odd": OddText(), OddKey(): 1, "deep": deep, "lr": 0.1})
    assert plain["odd"] == f"<{__name__}.OddText>"
    assert plain["lr"] == 0.1
    assert plain[f"<{__name__}.OddKey>"] == 1
    assert repr(plain["deep"]) == "[" * 99 + "'<builtins.list>'" + "]" * 99


@pytest.mark.parametrize(
    ("a", "b", "keys"),
    [
        ({"a": 1}, {"a": 1}, ()),
        ({"a": 1}, {"a": 1.0}, ("a",)),
        ({"a": True}, {"a": 1}, ("a",)),
        ({"a": float("nan")}, {"a": float("nan")}, ()),
        ({"a": [float("nan"), {"b": float("nan")}]}, {"a": [float("nan"), {"b": float("nan")}]}, ()),
        ({"a": [1, 2]}, {"a": [1, 2, 3]}, ("a",)),
        ({"m": {"x": 1, "y": 2}}, {"m": {"x": 1, "z": 2}}, ("m.y", "m.z")),
        ({"m": {}}, {"m": 1}, ("m",)),
        ({"m": {1: {}}}, {"m": {1: None}}, ("m[1]",)),
        ({10**5000: 1}, {}, (hex(10**5000),)),
    ],
)
def test_differences_are_named_by_dotted_keys(a: Any, b: Any, keys: tuple[str, ...]) -> None:
    """Types count; nan equals nan."""
    assert differing_keys(a, b) == keys


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("a[0].b", 1),
        ("a.0.b", 1),
        ("a[1]", 2),
        ("a[2]", "none"),
        ("a[-1]", "none"),
        ("a.x", "none"),
        ("c.7", "seven"),
        ("c.8", "none"),
        ("c.7.x", "none"),
        ("d", None),
    ],
)
def test_a_value_by_its_key_as_it_is_typed(key: str, value: Any) -> None:
    """Items of lists by their numbers, keys by their text; what is not there is the default."""
    assert value_at({"a": [{"b": 1}, 2], "c": {7: "seven"}, "d": None}, key, "none") == value
