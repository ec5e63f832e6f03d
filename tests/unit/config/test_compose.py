"""From what was declared, written in files and typed, to one configuration."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, Dict, List, Optional, Union  # noqa: UP035  # as users of OmegaConf write them

import omegaconf
import pytest
from omegaconf import MISSING, DictConfig, OmegaConf

from naga.config.compose import Resolved, compose, rebuild
from naga.config.declared import Declared, declared_config
from naga.errors import ConfigError


class Colour(Enum):
    RED = 1
    NO = 2


@dataclass
class Model:
    lr: float = 0.1
    name: str = "small"


@dataclass
class Config:
    save_dir: str = "results/${seed}"
    seed: int = 3
    label: str = ""
    note: Optional[str] = None  # noqa: UP045
    data: Path = Path("data/raw.csv")
    colour: Colour = Colour.RED
    flag: bool = False
    model: Model = field(default_factory=Model)
    spare: Optional[Model] = None  # noqa: UP045
    models: Dict[str, Model] = field(default_factory=dict)  # noqa: UP006
    sizes: List[int] = field(default_factory=lambda: [1, 2])  # noqa: UP006
    words: List[str] = field(default_factory=list)  # noqa: UP006
    either: Union[int, str] = 1  # noqa: UP007
    anything: Any = None


def typed(cfg: DictConfig = OmegaConf.structured(Config)) -> None: ...
def instance(cfg: Config = Config()) -> None: ...


def declared(function: Callable[..., Any] = typed) -> Declared:
    found = declared_config(function)
    assert found is not None
    return found


def of(default: Any) -> Declared:
    def main(cfg: Any = default) -> None: ...

    return declared(main)


def composed(*overrides: str, **arguments: Any) -> Resolved:
    return compose(declared(), overrides=overrides, base=Path("/base"), **arguments)


@pytest.mark.parametrize(
    ("override", "key", "value"),
    [
        ("label=00123", "label", "00123"),
        ("label=1e5", "label", "1e5"),
        ("label=yes", "label", "yes"),
        ("label=2024-01-01", "label", "2024-01-01"),
        ("label=None", "label", "None"),
        ("label=", "label", ""),
        ("label=a=b", "label", "a=b"),
        ("label='a b'", "label", "a b"),
        ('label="a\\tb"', "label", "a\tb"),
        ("label='", "label", "'"),
        ("label=Zürich ☂", "label", "Zürich ☂"),
        ("label=[1, 2", "label", "[1, 2"),
        ("note=None", "note", None),
        ("note=null", "note", None),
        ("note='None'", "note", "None"),
        ("note=", "note", ""),
        ("anything=", "anything", None),
        ("anything=None", "anything", None),
        ("anything=1e-3", "anything", 0.001),
        ("anything={a: [1, x]}", "anything", {"a": [1, "x"]}),
        ("sizes=[3,4]", "sizes", [3, 4]),
        ("sizes[0]=3", "sizes", [3, 2]),
        ("sizes.1=3", "sizes", [1, 3]),
        ("words=[yes, 1e5, 00123]", "words", ["yes", "1e5", "00123"]),
        ("seed=010", "seed", 10),
        ("flag=yes", "flag", True),
        ("colour=NO", "colour", "NO"),
        ("either=yes", "either", "yes"),
        ("either=00123", "either", "00123"),
        ("either=12", "either", 12),
        ("data=2024-01-01", "data", "2024-01-01"),
        ("spare.name=yes", "spare", {"lr": 0.1, "name": "yes"}),
        ("models.a.lr=2", "models", {"a": {"lr": 2.0, "name": "small"}}),
        ("models={a: {name: 1e5}}", "models", {"a": {"lr": 0.1, "name": "1e5"}}),
        ("model={lr: 2}", "model", {"lr": 2.0, "name": "small"}),
        ("save_dir=r/${seed}", "save_dir", "r/3"),
    ],
)
def test_an_override_is_read_as_its_field_needs(override: str, key: str, value: Any) -> None:
    """Text stays text, numbers become numbers, structures become structures."""
    assert composed(override).plain[key] == value


@pytest.mark.parametrize("kind", [typed, instance])
def test_the_function_gets_the_kind_it_declares(kind: Callable[..., Any]) -> None:
    """A DictConfig for OmegaConf.structured(Config), a Config for Config(), a dict for a dict."""
    value = compose(declared(kind)).value
    assert isinstance(value, DictConfig if kind is typed else Config)
    assert compose(of({"a": 1})).value == {"a": 1}
    assert type(compose(of({"a": 1})).value) is dict


def test_save_dir_is_absolute_for_the_function_and_as_written_in_the_record() -> None:
    """`a`, `./a` and `a/` are one folder; symbolic links are not followed."""
    for written in ("a", "./a", "a/", "b/../a"):
        resolved = composed(f"save_dir={written}")
        assert resolved.save_dir == Path("/base/a")
        assert resolved.value.save_dir == "/base/a"
        assert resolved.plain["save_dir"] == resolved.written_save_dir == written


def test_layers_lie_in_their_order(tmp_path: Path) -> None:
    """Defaults, file, given, keywords, overrides: the later wins."""
    file = tmp_path / "a.yaml"
    file.write_text("{seed: 10, label: file, either: 5, flag: true}")
    resolved = composed("flag=no", file=file, given={"label": "given", "either": 6}, keywords={"either": 7})
    found = {key: resolved.plain[key] for key in ("seed", "label", "either", "flag")}
    assert found == {"seed": 10, "label": "given", "either": 7, "flag": False}


def test_defaults_are_never_changed() -> None:
    """What one call is given does not reach the next."""
    default = OmegaConf.structured(Config)
    first = compose(of(default), overrides=["model.lr=9", "sizes[0]=9"]).value
    first.model.name = "changed"
    assert OmegaConf.to_container(default) == OmegaConf.to_container(OmegaConf.structured(Config))
    assert compose(of(default)).value.model.lr == 0.1


def test_rebuild_gives_the_declared_kind_back() -> None:
    """A recorded configuration is what the function got, in its new place."""
    plain = compose(declared(instance), overrides=["colour=NO", "models.a.lr=2"]).plain
    again = rebuild(declared(instance), plain, Path("/moved"))
    assert isinstance(again, Config)
    assert again.colour is Colour.NO
    assert dataclasses.asdict(again.models["a"]) == {"lr": 2.0, "name": "small"}
    assert again.save_dir == "/moved"


def test_a_mandatory_value_that_nobody_gave_is_named() -> None:
    """The error says which, and what to type."""
    with pytest.raises(ConfigError) as caught:
        compose(of({"model": {"lr": MISSING}}))
    assert str(caught.value) == "model.lr has no value (hint: model.lr=<Any>)"


def test_the_version_of_omegaconf_is_supported() -> None:
    """These tests run under 2.3 and 2.4."""
    assert omegaconf.__version__.startswith(("2.3", "2.4"))
