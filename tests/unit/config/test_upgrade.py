"""Recorded configurations are read as the code of today declares them; what no lock holds is named."""

from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

import attrs
import pytest
from omegaconf import DictConfig, OmegaConf

from naga.config.declared import Declared, declared_config
from naga.config.upgrade import Filled, config_digest, declared_past, read_recorded
from naga.declarations import Former
from naga.errors import ConfigError, UsageError

FOLDER = Path("/runs/a")


class Colour(Enum):
    RED = 1


@dataclass
class Optim:
    rate: float = field(default=0.1, metadata={"was": ["learning_rate", "lr"]})
    momentum: float = 0.9


@dataclass
class Layer:
    size: int = 1
    bias: bool = True


@dataclass
class Config:
    optim: Optim = field(default_factory=Optim)
    dropout: float = field(default=0.0, metadata={"before": 0.5})
    colour: Colour = Colour.RED
    layers: list[Layer] = field(default_factory=list)
    log: str = "${save_dir}/log"
    save_dir: str = "a"


def _declared(default: Any) -> Declared:
    def main(cfg: Any = default) -> None: ...

    declared = declared_config(main)
    assert declared
    return declared


KINDS = {"dataclass": Config(), "dictconfig": OmegaConf.structured(Config)}


@pytest.mark.parametrize("kind", KINDS)
def test_a_field_is_renamed_moved_added_and_removed(kind: str) -> None:
    """The recorded value is under its new name; what is new has its former value, or its default; both are named."""
    reading = read_recorded(_declared(KINDS[kind]), {"lr": 0.5, "gone": {"a": "${x}"}, "save_dir": "a"}, FOLDER)
    cfg = reading.value
    assert (cfg.optim.rate, cfg.optim.momentum, cfg.dropout, cfg.colour) == (0.5, 0.9, 0.5, Colour.RED)
    assert (cfg.save_dir, cfg.log) == ("/runs/a", "a/log")
    assert reading.renamed == {"optim.rate": "lr"}
    assert reading.removed == ("gone",)
    assert reading.filled == {
        "optim.momentum": Filled(0.9, "default"),
        "dropout": Filled(0.5, "before"),
        "colour": Filled("RED", "default"),
        "layers": Filled([], "default"),
        "log": Filled("a/log", "default"),
    }
    if kind == "dictconfig":
        assert cfg.gone.a == "${x}"
        with pytest.raises(AttributeError):
            _ = cfg.never_there


def test_a_dict_says_its_past_on_clicfg() -> None:
    """It has no fields to say it; what is removed stays in it."""
    declared = _declared({"optim": {"rate": 0.1}, "dropout": 0.0})
    former = Former(keys={"optim.rate": ("lr",)}, before={"dropout": 0.5})
    reading = read_recorded(declared, {"lr": 0.5, "gone": 1}, FOLDER, former=former)
    assert reading.value == {"optim": {"rate": 0.5}, "dropout": 0.5, "gone": 1}


def test_a_configuration_of_today_is_read_as_it_is() -> None:
    """Nothing is filled, renamed or removed, also where a former name has got another meaning."""
    recorded = {
        "optim": {"rate": 1.0, "momentum": 0.0},
        "dropout": 0.1,
        "colour": "RED",
        "layers": [{"size": 2, "bias": False}],
        "log": "a/log",
        "save_dir": "a",
    }
    reading = read_recorded(_declared(Config()), recorded, FOLDER)
    assert (reading.filled, reading.renamed, reading.removed) == ({}, {}, ())
    assert reading.value == Config(Optim(1.0, 0.0), 0.1, Colour.RED, [Layer(2, False)], "a/log", "/runs/a")


def test_two_fields_change_their_names() -> None:
    """`lr` is another thing today, and the old `lr` is not taken for it."""

    @dataclass
    class Swapped:
        base_lr: float = field(default=0.1, metadata={"was": "lr"})
        lr: str = "constant"

    reading = read_recorded(_declared(Swapped()), {"lr": 0.5}, FOLDER)
    assert reading.value == Swapped(0.5, "constant")


def test_a_group_is_renamed_with_what_lies_in_it() -> None:
    """A former name is a path from the root, as it was recorded."""

    @dataclass
    class Group:
        rate: float = field(default=0.1, metadata={"was": "optimizer.lr"})
        momentum: float = 0.9

    @dataclass
    class Regrouped:
        optim: Group = field(default_factory=Group, metadata={"was": "optimizer"})

    reading = read_recorded(_declared(Regrouped()), {"optimizer": {"lr": 0.5, "momentum": 0.1}}, FOLDER)
    assert reading.value == Regrouped(Group(0.5, 0.1))
    assert reading.removed == ()


def test_items_of_lists_have_fields_too() -> None:
    """What an item lacks is its type's default; what it has besides is taken out and named."""
    reading = read_recorded(_declared(Config()), {"layers": [{"size": 2, "gone": 1}], "save_dir": "a"}, FOLDER)
    assert reading.value.layers == [Layer(2, True)]
    assert "layers[0].gone" in reading.removed


def test_the_authors_functions_come_first() -> None:
    """In their order, on a copy of what was recorded, and with the run; what they give is named."""
    recorded = {"lr": "0.5 per epoch", "save_dir": "a"}

    def number(config: dict[str, Any], run: Any) -> dict[str, Any]:
        assert run == "the run"
        config["lr"] = float(config["lr"].split()[0])
        return config

    def double(config: dict[str, Any], run: Any) -> dict[str, Any]:
        return {**config, "lr": config["lr"] * 2, "dropout": 0.25}

    reading = read_recorded(
        _declared(Config()), recorded, FOLDER, former=Former(upgrade=number), further=double, run="the run"
    )
    assert (reading.value.optim.rate, reading.value.dropout) == (1.0, 0.25)
    assert reading.filled["dropout"] == Filled(0.25, "upgrade")
    assert recorded == {"lr": "0.5 per epoch", "save_dir": "a"}


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda config, run: None, "returned NoneType, not the configuration"),
        (lambda config, run: config["nowhere"], "KeyError: 'nowhere'"),
    ],
)
def test_a_function_that_fails_is_one_line(function: Any, message: str) -> None:
    """It says which function, and what it raised or returned."""
    with pytest.raises(ConfigError, match=message):
        read_recorded(_declared(Config()), {}, FOLDER, further=function)


def test_a_value_that_no_longer_fits_is_an_error() -> None:
    """It is never given as it is."""
    with pytest.raises(ConfigError, match="dropout is 'much', not float"):
        read_recorded(_declared(Config()), {"dropout": "much"}, FOLDER)


def test_a_field_without_a_default_needs_a_former_value() -> None:
    """The hint works when typed."""

    @dataclass
    class Needs:
        lr: float = 0.1
        steps: int = "???"  # type: ignore[assignment]  # as OmegaConf writes it

    with pytest.raises(ConfigError, match="steps has no value: the run is older than it") as caught:
        read_recorded(_declared(Needs()), {"lr": 0.5}, FOLDER)
    assert caught.value.hint == "@clicfg(before={'steps': ...})"
    reading = read_recorded(_declared(Needs()), {"lr": 0.5}, FOLDER, former=Former(before={"steps": 3}))
    assert reading.value == Needs(0.5, 3)


def test_attrs_fields_say_their_past() -> None:
    """As those of dataclasses do."""

    @attrs.define
    class Attrs:
        rate: float = attrs.field(default=0.1, metadata={"was": "lr"})

    assert read_recorded(_declared(Attrs()), {"lr": 0.5}, FOLDER).value == Attrs(0.5)


def test_what_contradicts_or_is_unknown_is_refused() -> None:
    """A field and `@clicfg` may say the same; of a key that is not there, the nearest one is named."""
    declared = _declared(Config())
    assert declared_past(declared, Former(before={"dropout": 0.5}))["dropout"].before == 0.5
    with pytest.raises(UsageError, match=r"dropout: the field says before=0.5, @clicfg before=0.1"):
        declared_past(declared, Former(before={"dropout": 0.1}))
    with pytest.raises(UsageError, match="'dropuot'") as caught:
        declared_past(declared, Former(before={"dropuot": 0.1}))
    assert "dropout" in str(caught.value.hint)


def test_the_digest_is_of_what_decides_the_results() -> None:
    """Neither the place of a run nor its secrets, and a new key with its former value, change it; all else does."""
    digest = config_digest({"lr": 0.1, "save_dir": "a", "log": "a/log", "name": "ab"}, {})
    assert digest == config_digest({"log": "b/log", "name": "ab", "save_dir": "b", "lr": 0.1, "api_key": "x"}, {})
    assert digest == config_digest({"lr": 0.1, "log": "a/log", "name": "ab", "save_dir": "a", "n": {}}, {"n": {}})
    for other in ({"lr": 0.2}, {"name": "abc"}, {"further": 1}, {"lr": "0.1"}, {"lr": None}):
        assert digest != config_digest({"lr": 0.1, "save_dir": "a", "log": "a/log", "name": "ab", **other}, {})


def test_a_default_that_is_a_secret_is_not_said() -> None:
    """The diag is given it; what is printed and published is redacted."""
    reading = read_recorded(_declared({"lr": 0.1, "password": "hunter2-and-more"}), {"lr": 0.1}, FOLDER)
    assert reading.value["password"] == "hunter2-and-more"
    assert reading.filled == {"password": Filled("<redacted>", "default")}


def test_a_whole_group_that_is_new_is_filled_field_by_field() -> None:
    """Where the record has nothing of it, and where it is empty; a whole one is never named."""
    for recorded in ({"save_dir": "a"}, {"save_dir": "a", "optim": {}}):
        filled = read_recorded(_declared(Config()), recorded, FOLDER).filled
        assert filled["optim.rate"] == Filled(0.1, "default")
        assert filled["optim.momentum"] == Filled(0.9, "default")
        assert "optim" not in filled


@pytest.mark.parametrize("save_dir", ["/moved/here", "/odd/${x}/here"])
@pytest.mark.parametrize(
    "recorded",
    [
        {},
        {"save_dir": "results/a", "lr": 0.1, "deep": {"layers": [1, {"x": None}], "empty": {}}, 3: "three"},
        {"note": "${lr} as text", "of": "a\\${b}"},
        {"lines": "one\ntwo", "path": "C:\\new", "nan": float("nan"), "big": 10**30, "yes": True, "bytes": b"\x00"},
    ],
)
def test_what_nothing_declares_is_read_the_same_in_one_step(
    recorded: dict[Any, Any], save_dir: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a diag without a type the recorded values are taken as they are, as merging them would."""

    def diag(cfg):  # type: ignore[no-untyped-def]
        """Declare nothing."""

    declared = declared_config(diag)
    at_once = read_recorded(declared, recorded, Path(save_dir))
    monkeypatch.setattr("naga.config.upgrade._is_literal", lambda *_: False)
    merged = read_recorded(declared, recorded, Path(save_dir))
    assert type(at_once.value) is type(merged.value) is DictConfig
    assert repr(at_once.value) == repr(merged.value)
    assert repr(OmegaConf.to_container(at_once.value)) == repr(OmegaConf.to_container(merged.value))
    for flag in ("struct", "readonly", "allow_objects"):
        assert at_once.value._get_flag(flag) == merged.value._get_flag(flag)
    assert at_once.filled == merged.filled
