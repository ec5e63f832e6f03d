"""Configurations that are objects, of whatever kind, come to the function and to a diag as what they are."""

import datetime
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Dict, List, Literal, NamedTuple, Optional, Tuple  # noqa: UP035  # as users of OmegaConf write them

import attr
import omegaconf
import pytest
from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from naga.config.compose import Resolved, compose
from naga.config.declared import Declared, declared_config
from naga.config.option_parser import describe_fields
from naga.config.plain import plain_config
from naga.config.recorded import rebuild
from naga.errors import ConfigError


class Optimiser(BaseModel):
    name: str = "adam"
    lr: float = Field(default=0.1, gt=0, description="how fast it learns")


class Model(BaseModel):
    steps: int
    save_dir: Path = Path("results/a")
    when: datetime.datetime = datetime.datetime(2020, 1, 1)
    secret: SecretStr = SecretStr("hunter2hunter2")
    optimiser: Optimiser = Optimiser()
    spare: Optional[Optimiser] = None  # noqa: UP045
    more: list[Optimiser] = [Optimiser()]
    table: dict[str, Optimiser] = {}
    mode: Literal["a", "b"] = "a"
    sizes: tuple[int, ...] = (1, 2)
    names: set[str] = {"x"}
    code: str = "1"

    @field_validator("code")
    @classmethod
    def _upper(cls, code: str) -> str:
        return code.upper()


class Open(BaseModel):
    model_config = ConfigDict(extra="allow", frozen=True)
    lr: float = Field(default=0.1, alias="learningRate")
    save_dir: str = "a"


class Plain:
    lr = 0.1
    name: str = "x"
    steps: int

    def method(self) -> None: ...


class Made:
    def __init__(self, lr: float = 0.1, name: str = "x") -> None:
        if lr < 0:
            raise KeyError("negative")
        self.rate, self.name = lr, name


class Kept:
    def __init__(self, lr: float = 0.1) -> None:
        self.lr = lr
        self.twice = 2 * lr


class Named(NamedTuple):
    lr: float = 0.1
    save_dir: str = "a"


@attr.define
class Checked:
    _lr: float = attr.field(default=0.1, validator=attr.validators.gt(0))


@dataclass(frozen=True)
class Computed:
    batch: int = 8
    steps: int = field(init=False)
    half: float = field(init=False, default=0)

    def __post_init__(self) -> None:
        object.__setattr__(self, "steps", 1000 // self.batch)
        object.__setattr__(self, "half", self.batch / 2)


def declared(kind: Any) -> Declared:
    """What a function declares whose parameter has a class as its annotation, or an object as its default."""

    def main(cfg: Any = kind) -> None: ...
    def annotated(cfg: Any) -> None: ...

    annotated.__annotations__["cfg"] = kind
    found = declared_config(annotated if isinstance(kind, type) else main)
    assert found is not None
    return found


def composed(kind: Any, *overrides: str, given: Any = None) -> Resolved:
    return compose(declared(kind), overrides=overrides, given=given, base=Path("/base"))


def content(value: Any) -> Any:
    return vars(value) if type(value) in (Plain, Made, Kept) else value


@pytest.mark.parametrize(
    ("kind", "overrides", "value"),
    [
        (Model, ["steps=3"], Model(steps=3, save_dir=Path("/base/results/a"))),
        (Model(steps=1, optimiser=Optimiser(lr=5)), ["optimiser.name=sgd"], {"optimiser": Optimiser(name="sgd", lr=5)}),
        (Model, ["steps=3", "spare.lr=2"], {"spare": Optimiser(lr=2)}),
        (Model, ["steps=3", "more[0].name=007"], {"more": [Optimiser(name="007")]}),
        (Model, ["steps=3", "table.x.lr=3"], {"table": {"x": Optimiser(lr=3)}}),
        (Model, ["steps=3", "sizes=[3,4,5]", "names=[a,b]"], {"sizes": (3, 4, 5), "names": {"a", "b"}}),
        (Model, ["steps=3", "code=1e3", "when=2021-02-03"], {"code": "1E3", "when": datetime.datetime(2021, 2, 3)}),
        (Open, ["lr=3", "new=5"], {"lr": 3.0, "new": 5, "save_dir": "/base/a"}),
        (Plain, ["steps=3", "lr=2"], {"lr": 2, "name": "x", "steps": 3}),
        (Made, ["lr=2"], {"rate": 2.0, "name": "x"}),
        (Kept(lr=2), [], {"lr": 2.0, "twice": 4.0}),
        (Kept(lr=2), ["lr=3"], {"lr": 3.0, "twice": 6.0}),
        (Named, ["lr=2"], Named(2.0, "/base/a")),
        (Named(lr=3), [], Named(3.0, "/base/a")),
        (Checked, ["_lr=2"], Checked(2.0)),
        (SimpleNamespace(lr=1, name="x"), ["lr=2.5", "name=NO"], SimpleNamespace(lr=2.5, name="NO")),
        (Computed, ["batch=10"], Computed(10)),
    ],
)
def test_the_function_gets_the_object_and_a_record_gives_it_again(kind: Any, overrides: list[str], value: Any) -> None:
    """Of a class or of an instance, with its own types inside."""
    resolved = composed(kind, *overrides)
    again = rebuild(declared(kind), resolved.plain, Path("/base") / (resolved.plain.get("save_dir") or ""))
    for found in (resolved.value, again):
        assert type(found) is (kind if isinstance(kind, type) else type(kind))
        if isinstance(value, dict):
            assert {name: getattr(found, name) for name in value} == value
        else:
            assert content(found) == content(value)


@pytest.mark.parametrize(
    ("kind", "overrides", "message"),
    [
        (Model, [], "steps has no value (hint: steps=<int>)"),
        (Model, ["steps=x"], "steps is 'x', not int"),
        (Model, ["steps=3", "stps=4"], "unknown key 'stps' (hint: did you mean 'steps'?)"),
        (Model, ["steps=3", "optimiser.l=4"], "unknown key 'optimiser.l' (hint: did you mean 'optimiser.lr'?)"),
        (Model, ["steps=3", "optimiser.lr=-1"], "Optimiser: optimiser.lr=-1.0: Input should be greater than 0"),
        (Model, ["steps=3", "more=[{lr:-1}]"], "Optimiser: more[0].lr=-1.0: Input should be greater than 0"),
        (Model, ["steps=3", "when=never"], "Model: when='never': Input should be a valid datetime"),
        (Model, ["steps=3", "mode=z"], "mode"),
        (Plain, ["steps=1", "lr=fast"], "lr is 'fast', not int or float"),
        (Plain, ["steps=1", "lrr=3"], "unknown key 'lrr'"),
        (Plain, [], "steps has no value"),
        (Made, ["lr=-1"], "Made: KeyError: 'negative'"),
        (Made(lr=3), [], "Made does not store the 'lr' that it was made with"),
        (Kept(lr="x"), [], "Kept: lr='x' is not of its type"),  # type: ignore[arg-type]
        (Checked, ["_lr=-1"], "Checked: '_lr' must be > 0: -1.0"),
        (Computed, ["batch=0"], "Computed: ZeroDivisionError: "),
        (SimpleNamespace(lr=1), ["x=1"], "unknown key 'x' (hint: there is: lr)"),
    ],
)
def test_what_an_object_refuses_is_one_line(kind: Any, overrides: list[str], message: str) -> None:
    """Whatever it raises; unknown keys also where the class itself would pass over them."""
    with pytest.raises(ConfigError) as caught:
        composed(kind, *overrides)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_object_may_be_given_in_place_of_the_default() -> None:
    """Of its class; a mapping is laid over the defaults."""
    assert composed(Model, given=Model(steps=9)).value.steps == 9
    assert composed(Model(steps=1), given={"steps": "4"}).value.steps == 4
    with pytest.raises(ConfigError, match="the configuration is a Model, not a Plain"):
        composed(Model, given=Plain())


def test_a_secret_of_pydantic_is_never_written() -> None:
    """Not even under a name that says nothing; what is declared now stands for it."""
    resolved = composed(Model, "steps=3", "secret=abcdefgh")
    assert resolved.value.secret.get_secret_value() == "abcdefgh"
    assert resolved.plain["secret"] == "<redacted>"
    assert rebuild(declared(Model), resolved.plain, Path("/a")).secret.get_secret_value() == "hunter2hunter2"


def test_the_help_says_the_types_and_what_a_field_is_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """By description, comment or docstring, as for dataclasses."""
    monkeypatch.setenv("COLUMNS", "200")
    rows = {line.split()[0]: " ".join(line.split()[1:]) for line in describe_fields(declared(Model)).splitlines()}
    assert rows["optimiser.lr"] == "float 0.1 how fast it learns"
    assert rows["steps"] == "int (required)"


def test_a_class_without_fields_is_open() -> None:
    """A namespace as the annotation declares nothing."""
    assert composed(SimpleNamespace, "a=1").plain == {"a": 1}


def test_plain_objects_are_plain_only_at_the_top() -> None:
    """Inside of a configuration, an object that is none is named by its type."""
    assert plain_config(Kept(lr=2)) == {"lr": 2}
    assert plain_config({"it": Kept()}) == {"it": f"<{__name__}.Kept>"}


def test_tuples_inside_of_lists_are_tuples(of: Callable[[Any], Declared]) -> None:
    """Where OmegaConf has them: since 2.4."""

    @dataclass
    class Pairs:
        pairs: List[Tuple[int, int]] = field(default_factory=lambda: [(1, 2)])  # noqa: UP006
        ranges: Dict[str, Tuple[float, float]] = field(default_factory=lambda: {"x": (0.0, 1.0)})  # noqa: UP006

    if omegaconf.__version__.startswith("2.3"):
        pytest.skip("OmegaConf 2.3 has no tuples inside of containers")
    kind = of(Pairs())
    resolved = compose(kind, overrides=["pairs=[[3,4],[5,6]]", "pairs[1]=[7,8]", "ranges.x=[0,2]"])
    assert resolved.value == Pairs([(3, 4), (7, 8)], {"x": (0.0, 2.0)})
    assert rebuild(kind, resolved.plain, Path("/a")) == resolved.value
