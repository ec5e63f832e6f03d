"""What a diag sees on the day of the run is what it sees from the lock."""

import dataclasses
import enum
import functools
from pathlib import Path
from typing import Any

import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import DictConfig, OmegaConf

from naga.config.compose import compose
from naga.config.declared import Declared, declared_config
from naga.config.upgrade import read_recorded
from naga.record.yaml_text import dump, load

pytestmark = pytest.mark.compat


class Colour(enum.Enum):
    """A kind of value that is recorded by its name."""

    RED = "r"
    GREEN = 2


# OmegaConf gives `???` a meaning of its own; so does it to `${`, which a default may well hold, but evaluated.
TEXT = st.text().filter(lambda text: text.lstrip("\\") != "???" and "${" not in text)
NUMBERS = st.integers(-(2**70), 2**70)
FLOATS = st.floats(allow_nan=False)
PATHS = st.sampled_from(["a", "a/b", "/a", ".", "é x"]).map(Path)
# A type as it is annotated, with values of it.
TYPED: dict[Any, st.SearchStrategy[Any]] = {
    int: NUMBERS,
    float: FLOATS,
    bool: st.booleans(),
    str: TEXT,
    Path: PATHS,
    Colour: st.sampled_from(Colour),
    int | None: st.none() | NUMBERS,
    str | None: st.none() | TEXT,
    list[float]: st.lists(FLOATS, max_size=3),
    tuple[int, int]: st.tuples(NUMBERS, NUMBERS),
    tuple[Path, ...]: st.lists(PATHS, max_size=3).map(tuple),
    dict[str, int]: st.dictionaries(st.text("ab é", min_size=1), NUMBERS, max_size=3),
    list[list[int]]: st.lists(st.lists(NUMBERS, max_size=2), max_size=2),
}
NAMES = ["lr", "steps", "model", "colour", "sizes"]


@st.composite
def fields(draw: st.DrawFn) -> list[tuple[str, Any, Any, Any]]:
    """Give the name, type, default and chosen value of some fields."""
    kinds = draw(st.lists(st.sampled_from(list(TYPED)), min_size=1, max_size=len(NAMES)))
    return [(name, kind, draw(TYPED[kind]), draw(TYPED[kind])) for name, kind in zip(NAMES, kinds, strict=False)]


def _same(it: Any) -> Any:
    return it


def _dataclass(name: str, given: list[tuple[str, Any, Any, Any]], *further: Any) -> type:
    own = [(key, kind, dataclasses.field(default_factory=functools.partial(_same, it))) for key, kind, it, _ in given]
    return dataclasses.make_dataclass(name, [*own, *further, ("save_dir", str, dataclasses.field(default="r"))])


def _both_days(declared: Declared, chosen: dict[str, Any]) -> tuple[Any, Any]:
    day_one = compose(declared, keywords=chosen)
    recorded = load(dump({"config": day_one.plain}))["config"]
    assert day_one.save_dir
    reading = read_recorded(declared, recorded, day_one.save_dir)
    assert not reading.filled
    assert not reading.removed
    return day_one.value, reading.value


def _seen(value: Any) -> Any:
    """Give a value with the types of all that it holds."""
    if isinstance(value, DictConfig):
        value = OmegaConf.to_container(value)
    if dataclasses.is_dataclass(value) or isinstance(value, pydantic.BaseModel):
        return type(value), _seen(vars(value))
    if isinstance(value, dict):
        return dict, {key: _seen(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value), [_seen(item) for item in value]
    return type(value), value


@settings(max_examples=60, deadline=None)
@given(fields(), fields())
def test_a_declared_class(outer: list[tuple[str, Any, Any, Any]], inner: list[tuple[str, Any, Any, Any]]) -> None:
    """A dataclass, an instance of it, or its DictConfig; flat and with a group."""
    group = _dataclass("Group", inner)
    kind = _dataclass("Config", outer, ("group", group, dataclasses.field(default_factory=group)))
    chosen = {name: value for name, _, _, value in outer} | {f"group.{name}": value for name, _, _, value in inner}

    def by_class(cfg: kind) -> None: ...  # type: ignore[valid-type]
    def by_instance(cfg: Any = kind()) -> None: ...
    def by_dictconfig(cfg: Any = OmegaConf.structured(kind)) -> None: ...

    for task in (by_class, by_instance, by_dictconfig):
        declared = declared_config(task)
        assert declared
        first, later = _both_days(declared, chosen)
        assert type(first) is type(later)
        assert _seen(first) == _seen(later)


# Of what a dict has no types for, the defaults are what says them.
BY_DEFAULT = (int, float, bool, str, Path, Colour, list[float], tuple[int, int])


@settings(max_examples=60, deadline=None)
@given(fields())
def test_a_dict(given_fields: list[tuple[str, Any, Any, Any]]) -> None:
    """A task that takes a dict gets the types of its defaults."""
    own = [one for one in given_fields if one[1] in BY_DEFAULT]
    defaults = {name: default for name, _, default, _ in own}

    def task(cfg: dict[str, Any] = defaults | {"save_dir": "r"}) -> None: ...

    declared = declared_config(task)
    assert declared
    first, later = _both_days(declared, {name: value for name, kind, _, value in own if kind is not tuple[int, int]})
    assert _seen(first) == _seen(later)


@settings(max_examples=60, deadline=None)
@given(fields())
def test_a_model_of_pydantic(given_fields: list[tuple[str, Any, Any, Any]]) -> None:
    """The types are those that the model declares."""
    declares: dict[str, Any] = {name: (kind, default) for name, kind, default, _ in given_fields}
    model = pydantic.create_model("Model", **declares, save_dir=(str, "r"))

    def task(cfg: model) -> None: ...  # type: ignore[valid-type]

    declared = declared_config(task)
    assert declared
    first, later = _both_days(declared, {name: value for name, _, _, value in given_fields})
    assert _seen(first) == _seen(later)
