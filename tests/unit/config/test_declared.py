"""What a function's first parameter declares."""

import functools
import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Dict, Optional  # noqa: UP035  # as users of OmegaConf write them

import attr
import numpy as np
import pytest
from omegaconf import DictConfig, OmegaConf

from naga.config.declared import Declared, declared_config
from naga.errors import ConfigError


@dataclass
class Config:
    lr: float = 0.1


@attr.s(auto_attribs=True)
class Attributes:
    lr: float = 0.1


STRUCTURED = OmegaConf.structured(Config)


def of_dictconfig(cfg: Config = STRUCTURED) -> None: ...
def of_instance(cfg: Config = Config(lr=0.5)) -> None: ...
def of_class(cfg: Any = Config) -> None: ...
def of_attrs(cfg: Any = Attributes()) -> None: ...
def of_dict(cfg: dict[str, float] = {"lr": 0.1}) -> None: ...  # noqa: B006
def of_annotation(cfg: Config) -> None: ...
def of_string(cfg: "Config") -> None: ...
def of_optional(cfg: Optional[Config] = None) -> None: ...  # noqa: UP045
def of_dict_annotation(cfg: Dict[str, Any]) -> None: ...  # noqa: UP006
def of_nothing(cfg) -> None: ...  # type: ignore[no-untyped-def]
def of_config_annotation(cfg: DictConfig) -> None: ...
def of_unknown(cfg: "NowhereToBeFound") -> None: ...  # type: ignore[name-defined]  # noqa: F821
def of_none() -> None: ...
def of_any_number(*cfg: Any) -> None: ...


@pytest.mark.parametrize(
    ("function", "kind", "content"),
    [
        (of_dictconfig, "dictconfig", {"lr": 0.1}),
        (of_instance, "object", {"lr": 0.5}),
        (of_class, "object", {"lr": 0.1}),
        (of_attrs, "object", {"lr": 0.1}),
        (of_dict, "dict", {"lr": 0.1}),
        (of_annotation, "object", {"lr": 0.1}),
        (of_string, "object", {"lr": 0.1}),
        (of_optional, "object", {"lr": 0.1}),
        (of_dict_annotation, "dict", {}),
        (of_nothing, "dictconfig", {}),
        (of_config_annotation, "dictconfig", {}),
        (of_unknown, "dictconfig", {}),
    ],
)
def test_the_default_or_the_type_of_the_first_parameter_declares(
    function: Callable[..., Any], kind: str, content: dict[str, Any]
) -> None:
    """A default comes before an annotation."""
    declared = declared_config(function)
    assert declared is not None
    assert (declared.parameter, declared.kind) == ("cfg", kind)
    assert OmegaConf.to_container(declared.base) == content


def test_a_wrapped_function_declares_what_it_wraps() -> None:
    """Other decorators may stand between."""

    @functools.wraps(of_string)
    def wrapper(*args: Any) -> None: ...

    declared = declared_config(wrapper)
    assert declared is not None
    assert declared.kind == "object"


@pytest.mark.parametrize("function", [of_none, of_any_number])
def test_a_function_without_a_parameter_declares_nothing(function: Callable[..., Any]) -> None:
    """It has no configuration."""
    assert declared_config(function) is None


def test_a_default_that_is_no_configuration_is_refused() -> None:
    """With what to write in its place."""

    def main(cfg: int = 5) -> None: ...

    with pytest.raises(ConfigError, match=r"cfg=5 is not a configuration .*OmegaConf.structured"):
        declared_config(main)


@pytest.mark.parametrize("default", [np.float64(3), np.zeros(3), io.StringIO(), re.compile("a"), print])
def test_objects_of_libraries_are_no_configurations(default: Any) -> None:
    """Though they have attributes; nor is their type as an annotation, which is open as before."""

    def main(cfg: Any = default) -> None: ...
    def annotated(cfg: Any) -> None: ...

    annotated.__annotations__["cfg"] = type(default)
    with pytest.raises(ConfigError, match="is not a configuration"):
        declared_config(main)
    assert declared_config(annotated) == Declared("cfg", "dictconfig", OmegaConf.create())


def test_a_class_that_cannot_be_asked_for_its_defaults_is_named() -> None:
    """In one line, whatever it raises."""

    class Broken:
        def __init__(self) -> None:
            raise OSError("no\ndevice")

    def main(cfg: Any) -> None: ...

    main.__annotations__["cfg"] = Broken
    with pytest.raises(ConfigError, match=r"^the configuration of main\(\): no$"):
        declared_config(main)


def test_a_default_that_holds_what_no_configuration_can_is_refused() -> None:
    """The place is named, in one line."""

    def main(cfg: Any = {"model": {"it": object()}}) -> None: ...  # noqa: B006

    with pytest.raises(ConfigError) as caught:
        declared_config(main)
    assert caught.value.message.startswith("the configuration of main() at 'model.it': ")
    assert "\n" not in caught.value.message
