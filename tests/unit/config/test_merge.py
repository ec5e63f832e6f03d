"""Laying values over a configuration."""

from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Dict, List, Optional, Tuple  # noqa: UP035  # as users of OmegaConf write them

import numpy as np
import pytest
from omegaconf import DictConfig, OmegaConf

from naga.config.merge import merge, nearest_key, override, override_text
from naga.config.omegaconf_nodes import open_up
from naga.errors import ConfigError


class Colour(Enum):
    RED = 1


@dataclass
class Model:
    lr: float = 0.1
    name: str = "small"


@dataclass(frozen=True)
class Frozen:
    lr: float = 0.1
    steps: int = 1


@dataclass
class Config:
    seed: int = 3
    model: Model = field(default_factory=Model)
    models: Dict[str, Model] = field(default_factory=dict)  # noqa: UP006
    layers: List[Model] = field(default_factory=lambda: [Model(), Model()])  # noqa: UP006
    frozen: Frozen = field(default_factory=Frozen)
    iced: Dict[str, Frozen] = field(default_factory=dict)  # noqa: UP006
    spare: Optional[Frozen] = None  # noqa: UP045
    table: Optional[Dict[str, int]] = None  # noqa: UP006, UP045
    by_number: Dict[int, str] = field(default_factory=dict)  # noqa: UP006
    by_colour: Dict[Colour, str] = field(default_factory=dict)  # noqa: UP006
    gaps: List[Optional[Model]] = field(default_factory=lambda: [None])  # noqa: UP006, UP045
    pair: Tuple[int, int] = (1, 2)  # noqa: UP006
    grid: Any = field(default_factory=lambda: [[1, 2], [3, {"x": 4}]])
    extra: Dict[str, Any] = field(default_factory=lambda: {"a": {"b": 1}})  # noqa: UP006


def opened(content: Any = Config) -> DictConfig:
    cfg: DictConfig = OmegaConf.create(content) if isinstance(content, dict) else OmegaConf.structured(content)
    open_up(cfg)
    return cfg


@pytest.mark.parametrize(
    ("override", "key", "value"),
    [
        ("models.a.lr=2", "models.a", {"lr": 2.0, "name": "small"}),
        ("models={a: {name: yes}}", "models.a.name", "yes"),
        ("layers[1].lr=2", "layers", [{"lr": 0.1, "name": "small"}, {"lr": 2.0, "name": "small"}]),
        ("layers=[{name: 007}]", "layers", [{"lr": 0.1, "name": "007"}]),
        ("frozen.lr=2", "frozen.lr", 2.0),
        ("iced.a.lr=2", "iced.a", {"lr": 2.0, "steps": 1}),
        ("spare.lr=2", "spare", {"lr": 2.0, "steps": 1}),
        ("spare={lr: 2}", "spare", {"lr": 2.0, "steps": 1}),
        ("table.a=2", "table", {"a": 2}),
        ("table={a: 2}", "table", {"a": 2}),
        ("by_number.5=x", "by_number", {5: "x"}),
        ("by_colour.RED=x", "by_colour", {Colour.RED: "x"}),
        ("pair[1]=5", "pair.1", 5),
        ("gaps[0].lr=2", "gaps", [{"lr": 2.0, "name": "small"}]),
        ("grid[0][1]=5", "grid", [[1, 5], [3, {"x": 4}]]),
        ("grid[1][1].x=5", "grid", [[1, 2], [3, {"x": 5}]]),
        ("extra.a.new=2", "extra", {"a": {"b": 1, "new": 2}}),
        ("extra.c.d.e=2", "extra.c", {"d": {"e": 2}}),
    ],
)
def test_any_place_can_be_set(override: str, key: str, value: Any) -> None:
    """In what is there, in what would be, and in lists."""
    cfg = opened()
    override_text(cfg, override)
    found = OmegaConf.select(cfg, key)
    assert (OmegaConf.to_container(found) if OmegaConf.is_config(found) else found) == value


def test_a_second_value_goes_beside_the_first() -> None:
    """Also in a new element of a frozen class."""
    cfg = opened()
    for text in ("iced.a.lr=2", "iced.a.steps=5", "models.a.lr=2", "models.a.name=x"):
        open_up(cfg)
        override_text(cfg, text)
    assert cfg.iced.a == {"lr": 2.0, "steps": 5}
    assert cfg.models.a == {"lr": 2.0, "name": "x"}


@pytest.mark.parametrize(
    ("override", "message", "hint"),
    [
        ("sed=1", "unknown key 'sed'", "did you mean 'seed'?"),
        ("lr=1", "unknown key 'lr'", "did you mean 'model.lr'?"),
        ("model.nam=1", "unknown key 'model.nam'", "did you mean 'model.name'?"),
        ("model={nam: 1}", "unknown key 'model.nam'", "did you mean 'model.name'?"),
        ("models.a.nam=1", "unknown key 'models.a.nam'", ""),
        ("layers[0].nam=1", "unknown key 'layers[0].nam'", ""),
        ("seed.x=1", "unknown key 'seed.x'", "did you mean 'seed'?"),
        ("qqqq=1", "unknown key 'qqqq'", "there is: seed, model, "),
        ("layers[2].lr=1", "layers has 2 items, no [2]", "the last is [1]"),
        ("layers.x=1", "layers has 2 items, no [x]", ""),
        ("seed=many", "seed is 'many', not int", ""),
        ("seed=1.5", "seed is '1.5', not int", ""),
        ("seed=None", "seed is 'None', not int", ""),
        ("seed=", "seed is None, not int", ""),
        ("model.lr=[1]", "model.lr is '[1]', not float", ""),
        ("model=5", "model is 5, not Model", ""),
        ("spare=5", "spare is 5, not Frozen or None", ""),
        ("models={a: {lr: x}}", "models.a.lr is 'x', not float", ""),
        ("layers=[{lr: x}]", "layers is [{'lr': 'x'}], not list[Model]", ""),
        ("by_number.x=1", "'by_number.x': the keys there are int", ""),
        ("by_colour.BLUE=1", "'by_colour.BLUE': the keys there are RED", ""),
        ("model.name=${", "model.name is '${', which is not an interpolation", "\\${"),
    ],
)
def test_what_does_not_fit_is_named(override: str, message: str, hint: str) -> None:
    """The key, the value, the type that was expected, and the nearest key."""
    with pytest.raises(ConfigError) as caught:
        override_text(opened(), override)
    assert caught.value.message == message
    assert hint in caught.value.hint


def test_a_source_is_named() -> None:
    """A file's errors begin with the file."""
    with pytest.raises(ConfigError, match=r"^a.yaml: unknown key 'model.x'"):
        merge(opened(), {"model": {"x": 1}}, source="a.yaml")
    with pytest.raises(ConfigError, match=r"^a.yaml: model.lr is 'x', not float"):
        merge(opened(), {"seed": 1, "model": {"name": "n", "lr": "x"}}, source="a.yaml")


def test_a_dict_is_closed_but_an_empty_one_is_open() -> None:
    """A mistyped key of an untyped default is found like any other."""
    cfg = opened({"model": {"lr": 1}, "more": {}, 1: "one"})
    with pytest.raises(ConfigError, match=r"unknown key 'model.rl'"):
        override_text(cfg, "model.rl=1")
    override_text(cfg, "more.new.key=2")
    override_text(cfg, "1=uno")
    assert cfg == {"model": {"lr": 1}, "more": {"new": {"key": 2}}, 1: "uno"}


def test_python_values_are_laid_as_they_are() -> None:
    """Numbers of NumPy's, typed parts, and parts of other configurations among them; nothing else."""
    cfg = opened()
    override(cfg, "seed", np.int64(7))
    override(cfg, "model", Model(lr=5))
    override(cfg, "models", OmegaConf.create({"a": {"name": "${seed}"}}))
    assert cfg.seed == 7
    assert cfg.model.lr == 5
    assert OmegaConf.to_container(cfg.models) == {"a": {"lr": 0.1, "name": "${seed}"}}
    with pytest.raises(ConfigError) as caught:
        override(cfg, "grid", np.zeros((9, 9)))
    assert caught.value.message.endswith("..., which a configuration cannot hold")
    assert "\n" not in caught.value.message


def test_what_is_replaced_is_not_evaluated() -> None:
    """OmegaConf's own merge evaluates it; an override must not need what it replaces."""
    cfg = opened({"a": "${nobody:}", "m": {"b": "${nobody:}"}, "l": [{"c": "${nobody:}"}]})
    override_text(cfg, "a=1")
    merge(cfg, {"m": {"b": 2}})
    override_text(cfg, "l[0].c=3")
    assert cfg == {"a": 1, "m": {"b": 2}, "l": [{"c": 3}]}


def test_a_key_with_dots_in_it_is_found_as_it_is() -> None:
    """Where the configuration has it."""
    cfg = opened({"a.b": 1})
    override_text(cfg, "a.b=2")
    assert cfg["a.b"] == 2


def test_the_nearest_key_may_be_nested() -> None:
    """A similar word at the end of a dotted key will do; nothing similar is nothing."""
    assert nearest_key("learning_rte", ["save_dir", "optim.learning_rate"]) == "optim.learning_rate"
    assert nearest_key("save_dri", ["save_dir", "optim.save"]) == "save_dir"
    assert nearest_key("zzz", ["save_dir"]) == ""


def test_question_marks_ask_for_a_value() -> None:
    """A file can say that a value has to be given, though there is a default."""
    cfg = opened({"a": 1, "m": {"b": 2}, "t": "${a}"})
    merge(cfg, {"a": "???", "m": "???", "t": "???"})
    assert OmegaConf.missing_keys(cfg) == {"a", "m", "t"}


@pytest.mark.parametrize(
    ("override", "message", "hint"),
    [
        ("sizes=3,4", "sizes=3,4 is a text, not a list", "sizes=[3,4]"),
        ("pair=(3,4)", "pair=(3,4) is a text, not a list", "pair=[3,4]"),
        ("lr=", "lr= has no value", "lr=0.1"),
    ],
)
def test_text_in_the_place_of_a_list_or_a_number_is_an_accident(override: str, message: str, hint: str) -> None:
    """A list without its brackets, a variable of the shell that is not set."""
    cfg = OmegaConf.create({"sizes": [1, 2], "pair": [1, 2], "lr": 0.1, "note": "", "none": None})
    with pytest.raises(ConfigError) as caught:
        override_text(cfg, override)
    assert (caught.value.message, caught.value.hint) == (message, hint)
    override_text(cfg, caught.value.hint)
    override_text(cfg, "sizes=auto")
    override_text(cfg, "note=")
    override_text(cfg, "none=")
    assert (cfg.sizes, cfg.note, cfg.none) == ("auto", "", "")


def test_an_empty_mapping_changes_nothing_and_is_said_to(capsys: pytest.CaptureFixture[str]) -> None:
    """Mappings are merged; where there is nothing yet, it is one."""
    cfg = OmegaConf.create({"full": {"a": 1}, "none": None})
    override_text(cfg, "full={}")
    override_text(cfg, "none={}")
    assert cfg == {"full": {"a": 1}, "none": {}}
    assert capsys.readouterr().err == "naga: full={} changes nothing: what is in full stays\n"


def test_a_long_value_is_shown_in_part() -> None:
    """Up to sixty characters are whole, longer ones end in points."""
    for length, shown in ((58, f"'{'x' * 58}'"), (59, f"'{'x' * 56}...")):
        with pytest.raises(ConfigError) as caught:
            override(OmegaConf.structured(Model), "lr", "x" * length)
        assert f"lr is {shown}" in caught.value.message
        assert ("..." in caught.value.message) == (length > 58)
