"""From what was declared, written in files and typed, to one configuration."""

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, Dict, List, Optional, Union  # noqa: UP035  # as users of OmegaConf write them

import attr
import omegaconf
import pytest
from omegaconf import MISSING, DictConfig, OmegaConf

from naga.config.compose import Resolved, compose, written_save_dir
from naga.config.declared import Declared, declared_config
from naga.config.plain import plain_config
from naga.config.recorded import rebuild
from naga.errors import ConfigError

Register = Callable[[str, Callable[..., Any]], None]


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
    maybes: List[Optional[int]] = field(default_factory=list)  # noqa: UP006, UP045
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
        ('label="a\\tb"', "label", r"a\tb"),
        ("label='", "label", "'"),
        ("label=Zürich ☂", "label", "Zürich ☂"),
        ("label=[1, 2", "label", "[1, 2"),
        ("note=None", "note", "None"),
        ("note=null", "note", None),
        ("note='None'", "note", "None"),
        ("note=", "note", ""),
        ("anything=", "anything", ""),
        ("anything=None", "anything", "None"),
        ("anything=null", "anything", None),
        ("anything=on", "anything", "on"),
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
        ("maybes=[1, None, null]", "maybes", [1, None, None]),
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
    resolved = composed("flag=no", files=[(file, None)], given={"label": "given", "either": 6}, keywords={"either": 7})
    found = {key: resolved.plain[key] for key in ("seed", "label", "either", "flag")}
    assert found == {"seed": 10, "label": "given", "either": 7, "flag": False}


def test_files_are_laid_over_each_other(tmp_path: Path) -> None:
    """The later wins where both speak; a dotted key in one is written nested, says the hint."""
    (tmp_path / "a.yaml").write_text("{seed: 10, label: a}")
    (tmp_path / "b.yaml").write_text("{big: {label: b}, odd: {model.lr: 1}}")
    found = composed(files=[(tmp_path / "a.yaml", None), (tmp_path / "b.yaml", "big")]).plain
    assert (found["seed"], found["label"]) == (10, "b")
    with pytest.raises(ConfigError, match=r"unknown key 'model.lr' \(hint: model: \{lr: ...\}\)"):
        composed(files=[(tmp_path / "b.yaml", "odd")])


def test_none_that_becomes_text_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    """As in OmegaConf, None is a text and null is None; a field that takes no None needs no word."""
    assert composed("note=None", "label=None").plain["note"] == "None"
    assert capsys.readouterr().err == "naga: note=None is the text 'None'; note=null is None\n"


def test_the_first_item_of_an_empty_list_is_hinted_at() -> None:
    """There is no index that would do."""
    with pytest.raises(ConfigError, match=r"sizes has 0 items, no \[0\] \(hint: sizes=\[...\]\)"):
        compose(of({"sizes": []}), overrides=["sizes[0]=1"])


def test_defaults_are_never_changed() -> None:
    """What one call is given does not reach the next."""
    default = OmegaConf.structured(Config)
    first = compose(of(default), overrides=["model.lr=9", "sizes[0]=9"]).value
    first.model.name = "changed"
    first.sizes.append(3)
    assert OmegaConf.to_container(default) == OmegaConf.to_container(OmegaConf.structured(Config))
    assert compose(of(default)).value.model.lr == 0.1


def test_a_time_that_was_looked_at_before_is_not_kept(register: Register) -> None:
    """Resolvers that remember their values start afresh with each call."""
    OmegaConf.clear_resolver("now")
    first = compose(of({"at": "${now:%f}"})).value  # registers the resolver, which remembers
    default = OmegaConf.create({"at": "${now:%f}"})
    seen = default.at
    found = {compose(of(default)).value.at for _ in range(3)}
    OmegaConf.clear_resolver("now")
    assert first["at"] != seen
    assert found != {seen}


def test_a_part_of_a_larger_configuration_is_resolved_in_it() -> None:
    """And the larger one is left as it was."""
    whole = OmegaConf.create({"top": 5, "copy": "${top}", "model": {"lr": "${copy}", "save_dir": "${top}/x"}})
    assert compose(of(whole.model)).plain == {"lr": 5, "save_dir": "5/x"}
    assert OmegaConf.to_container(whole)["copy"] == "${top}"  # type: ignore[call-overload,index]


def test_flags_bind_the_function_but_no_override() -> None:
    """A read-only default takes overrides, and the function gets it read-only."""
    default = OmegaConf.create({"a": 1, "m": {"b": "${a}"}, "open": {}, "table": {}})
    OmegaConf.set_readonly(default.m, True)
    OmegaConf.set_struct(default, True)
    value = compose(of(default), overrides=["m.b=3", "a=4"]).value
    assert (value.a, value.m.b) == (4, 3)
    assert OmegaConf.is_readonly(value.m)
    assert not OmegaConf.is_readonly(value)
    assert OmegaConf.is_struct(value)
    assert OmegaConf.is_struct(value.open)
    assert OmegaConf.is_readonly(default.m)


def test_without_flags_the_function_may_add_keys() -> None:
    """Closed to mistyped overrides does not mean closed to the function."""
    value = compose(of(OmegaConf.create({"a": 1, "m": {}}))).value
    value.new = value.m.new = 2
    assert value == {"a": 1, "m": {"new": 2}, "new": 2}


def test_a_default_that_was_opened_by_hand_takes_any_key() -> None:
    """`OmegaConf.set_struct(cfg, False)` says that unknown keys are meant."""
    default = OmegaConf.structured(Config)
    OmegaConf.set_struct(default, False)
    assert compose(of(default), overrides=["new=5"]).value.new == 5
    with pytest.raises(ConfigError, match="unknown key 'new'"):
        compose(of(OmegaConf.structured(Config)), overrides=["new=5"])


@dataclass(frozen=True)
class Frozen:
    lr: float = 0.1
    steps: int = "${count:}"  # type: ignore[assignment]  # how OmegaConf is used


@dataclass(frozen=True)
class AllFrozen:
    one: Frozen = field(default_factory=Frozen)
    more: Dict[str, Frozen] = field(default_factory=dict)  # noqa: UP006
    save_dir: str = "a"


@pytest.mark.parametrize("default", [AllFrozen(), OmegaConf.structured(AllFrozen)])
def test_frozen_classes_take_overrides(default: Any, count: Any) -> None:
    """And stay frozen for the function."""
    resolved = compose(of(default), overrides=["one.lr=2", "more.a.lr=3", "more.a.lr=4"])
    assert resolved.plain == {
        "one": {"lr": 2.0, "steps": 0},
        "more": {"a": {"lr": 4.0, "steps": 1}},
        "save_dir": "a",
    }
    if isinstance(default, DictConfig):
        assert OmegaConf.is_readonly(resolved.value.one)
        assert OmegaConf.is_readonly(resolved.value.more.a)
    else:
        assert isinstance(resolved.value.more["a"], Frozen)


@dataclass
class Careful:
    lr: float = 0.1
    steps: int = field(default=3, init=False)
    twice: float = 0

    def __post_init__(self) -> None:
        if self.lr < 0:
            raise ValueError("lr must be\npositive")
        self.twice = 2 * self.lr


@dataclass
class MoreCareful(Careful):
    extra: str = "e"


@attr.s(auto_attribs=True)
class Attributes:
    lr: float = 0.1
    careful: Careful = attr.Factory(Careful)


def test_a_dataclass_checks_itself() -> None:
    """What its `__post_init__` refuses is one line; what it changes is recorded."""
    resolved = compose(of(Careful()), overrides=["lr=2", "steps=5"])
    assert resolved.plain == dataclasses.asdict(resolved.value) == {"lr": 2.0, "steps": 5, "twice": 4.0}
    with pytest.raises(ConfigError) as caught:
        compose(of(Careful()), overrides=["lr=-1"])
    assert str(caught.value) == "Careful: lr must be positive"


def test_attrs_classes_are_configurations_too() -> None:
    """Nested with dataclasses."""
    value = compose(of(Attributes()), overrides=["careful.lr=2"]).value
    assert isinstance(value, Attributes)
    assert value.careful.twice == 4.0


@pytest.mark.parametrize(
    ("given", "plain"),
    [
        ({"lr": "5"}, {"lr": 5.0, "steps": 3, "twice": 10.0}),
        (OmegaConf.create({"lr": "${steps}"}), {"lr": 3.0, "steps": 3, "twice": 6.0}),
        (Careful(lr=5), {"lr": 5.0, "steps": 3, "twice": 10.0}),
        (MoreCareful(lr=5), {"lr": 5.0, "steps": 3, "twice": 10.0, "extra": "e"}),
        (OmegaConf.structured(MoreCareful(lr=5)), {"lr": 5.0, "steps": 3, "twice": 10.0, "extra": "e"}),
    ],
)
def test_what_is_given_is_laid_over_the_defaults_or_replaces_them(given: Any, plain: dict[str, Any]) -> None:
    """A mapping says some values; a typed configuration says all, and may be of a subclass."""
    resolved = compose(of(Careful()), given=given)
    assert resolved.plain == plain
    assert type(resolved.value) is (MoreCareful if "extra" in plain else Careful)


def test_a_class_of_the_same_name_is_the_same() -> None:
    """Running a notebook's cell again makes another class of it."""
    again = dataclasses.make_dataclass("Careful", [("lr", float, 0.1)])
    assert compose(of(Careful()), given=again(lr=3)).plain == {"lr": 3.0}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (5, "5 is not a configuration"),
        (Model(), "the configuration is a Careful, not a Model"),
        ({"rl": 5}, "unknown key 'rl'"),
        ({"lr": "x"}, "lr is 'x', not float"),
    ],
)
def test_what_cannot_be_given_is_named(given: Any, message: str) -> None:
    """In one line."""
    with pytest.raises(ConfigError) as caught:
        compose(of(Careful()), given=given)
    assert caught.value.message == message


def test_keywords_name_nested_values() -> None:
    """By nested dicts or dotted keys; mistyped ones are found."""
    resolved = compose(of({"m": {"a": 1, "b": 2}}), keywords={"m": {"a": 5}, "m.b": 6})
    assert resolved.plain == {"m": {"a": 5, "b": 6}}
    with pytest.raises(ConfigError, match="unknown key 'c'"):
        compose(of({"m": 1}), keywords={"c": 5})


def test_an_open_configuration_takes_what_it_is_told(tmp_path: Path) -> None:
    """A parameter without a default has no keys to mistype."""

    def main(cfg: DictConfig) -> None: ...

    (tmp_path / "a.yaml").write_text("model: {lr: 1}")
    resolved = compose(
        declared(main), files=[(Path("a.yaml"), None)], base=tmp_path, overrides=["model.new=2", "b.c=3"]
    )
    assert resolved.plain == {"model": {"lr": 1, "new": 2}, "b": {"c": 3}}


def test_files_are_read_as_the_fields_need(tmp_path: Path) -> None:
    """A field of text takes the text of the file."""
    (tmp_path / "a.yaml").write_text("label: 00123\nwords: [yes, 1e5]\nmodels: {a: {name: 2024-01-01}}\nseed: 5\n")
    resolved = compose(declared(), files=[(tmp_path / "a.yaml", None)])
    found = {key: resolved.plain[key] for key in ("label", "words", "seed")}
    assert found == {"label": "00123", "words": ["yes", "1e5"], "seed": 5}
    assert resolved.plain["models"]["a"]["name"] == "2024-01-01"
    (tmp_path / "a.yaml").write_text("sed: 5\n")
    with pytest.raises(ConfigError, match=r"a.yaml: unknown key 'sed' .*'seed'"):
        compose(declared(), files=[(tmp_path / "a.yaml", None)])


@pytest.mark.parametrize(
    ("default", "message"),
    [
        ({"model": {"lr": MISSING}}, "model.lr has no value (hint: model.lr=<Any>)"),
        ({"a": "${b}", "b": MISSING}, "b has no value (hint: b=<Any>)"),
        ({"a": [1, MISSING]}, "a[1] has no value (hint: a[1]=<Any>)"),
        ({"save_dir": MISSING}, "save_dir has no value (hint: save_dir=<Any>)"),
        ({"save_dir": ""}, "save_dir is '', not a folder (hint: save_dir=results/my_run)"),
        ({"save_dir": [1]}, "save_dir is [1], not a folder (hint: save_dir=results/my_run)"),
    ],
)
def test_a_mandatory_value_that_nobody_gave_is_named(default: Any, message: str) -> None:
    """The error says which, and what to type."""
    with pytest.raises(ConfigError) as caught:
        compose(of(default))
    assert str(caught.value) == message


def test_a_configuration_needs_no_save_dir() -> None:
    """Whether one is needed is for others to say."""
    assert compose(of({"a": 1})) == Resolved({"a": 1}, {"a": 1}, None, None)
    assert compose(of({"save_dir": None})).save_dir is None


def test_a_save_dir_with_signs_in_it_is_a_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also one that looks like an interpolation, as text and as a path."""
    monkeypatch.setenv("ODD", "a/${b} ü")
    for default in ({"save_dir": "${oc.env:ODD}"}, {"save_dir": Path("x")}):
        resolved = compose(of(default), overrides=["save_dir=${oc.env:ODD}"], base=Path("/base"))
        assert str(resolved.value["save_dir"]) == str(resolved.save_dir) == "/base/a/${b} ü"
        assert resolved.plain["save_dir"] == resolved.written_save_dir == "a/${b} ü"


@dataclass(frozen=True)
class Named:
    name: str = "x"
    save_dir: Path = Path()

    def __post_init__(self) -> None:
        object.__setattr__(self, "save_dir", Path("results") / self.name)


@pytest.mark.parametrize("default", [Named, Named()])
def test_a_dataclass_may_choose_its_save_dir(default: Any) -> None:
    """Its `__post_init__` has the last word; the folder is absolute all the same."""
    resolved = compose(of(default), overrides=["name=y"], base=Path("/base"))
    assert resolved.value.save_dir == resolved.save_dir == Path("/base/results/y")
    assert resolved.plain["save_dir"] == resolved.written_save_dir == "results/y"


@pytest.mark.parametrize("text", ["~/runs/a", "$HOME/runs/a", "${root}/a", "${root}/${name}"])
def test_home_is_expanded_in_save_dir_and_what_is_made_of_it(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """However it is written; a folder called ~ is never meant."""
    monkeypatch.setenv("HOME", "/home/ana")
    default = {"ckpt": "${save_dir}/ckpt", "save_dir": "x", "root": "~/runs", "name": "a"}
    for resolved in (compose(of(default), overrides=[f"save_dir={text}"]), compose(of(default | {"save_dir": text}))):
        assert str(resolved.save_dir) == resolved.plain["save_dir"] == "/home/ana/runs/a"
        assert resolved.value["ckpt"] == "/home/ana/runs/a/ckpt"


def test_links_on_the_way_to_save_dir_are_left(tmp_path: Path) -> None:
    """The folder is the one that was named."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    assert compose(of({"save_dir": "link/a"}), base=tmp_path).save_dir == tmp_path / "link" / "a"


def test_rebuild_gives_the_declared_kind_back() -> None:
    """A recorded configuration is what the function got, in its new place."""
    plain = compose(declared(instance), overrides=["colour=NO", "models.a.lr=2"]).plain
    again = rebuild(declared(instance), plain, Path("/moved"))
    assert isinstance(again, Config)
    assert again.colour is Colour.NO
    assert dataclasses.asdict(again.models["a"]) == {"lr": 2.0, "name": "small"}
    assert again.save_dir == "/moved"


def test_rebuild_interpolates_nothing(count: Iterator[int]) -> None:
    """What was recorded is literal, whatever it looks like."""
    plain = {"save_dir": "${count:}", "a": [r"\${count:}", {"b": "${count:}"}]}
    for kind in (None, of(plain), of(OmegaConf.create(plain))):
        again = rebuild(kind, plain, Path("/r/${count:}"))
        assert plain_config(again) == plain | {"save_dir": "/r/${count:}"}
    assert next(count) == 0


def test_rebuild_takes_entries_from_the_record_alone() -> None:
    """A dict that lost an entry does not get it back from the defaults."""

    @dataclass
    class Table:
        table: Dict[str, int] = field(default_factory=lambda: {"a": 1, "b": 2})  # noqa: UP006

    assert rebuild(of(Table()), {"table": {"b": 3}}, Path("/r")).table == {"b": 3}


def test_a_record_of_a_default_opened_by_hand_is_rebuilt() -> None:
    """With the keys that it had besides, which a dataclass cannot have."""
    default = OmegaConf.structured(Careful)
    OmegaConf.set_struct(default, False)
    plain = compose(of(default), overrides=["new=5"]).plain
    assert plain_config(rebuild(of(default), plain, Path("/r"))) == plain


def test_a_record_of_another_time_is_still_read() -> None:
    """A field that came since has its default; where the record does not fit at all, it is a plain configuration."""
    assert rebuild(of(Careful()), {"lr": 5}, Path("/r")) == Careful(lr=5)
    for plain in ({"lr": "fast"}, {"lr": 5, "gone": 1}, {"lr": -1}, {"lr": "???"}):
        again = rebuild(of(Careful()), plain, Path("/r"))
        assert isinstance(again, DictConfig)
        assert OmegaConf.to_container(again) == plain | {"save_dir": "/r"}


def test_the_version_of_omegaconf_is_supported() -> None:
    """These tests run under 2.3 and 2.4."""
    assert omegaconf.__version__.startswith(("2.3", "2.4"))


@pytest.mark.parametrize("written", ["", "???", "null"])
def test_each_point_needs_a_folder(written: str) -> None:
    """Its save_dir is returned as it was written, and refused where there is none."""

    def main(cfg: Any = {"save_dir": "results/a", "lr": 1}) -> None: ...  # noqa: B006

    declared = declared_config(main)
    assert declared is not None
    assert written_save_dir(declared, overrides=["save_dir=results/${lr}"], files=()) == "results/${lr}"
    assert written_save_dir(declared, overrides=[], files=()) == "results/a"
    with pytest.raises(ConfigError, match="save_dir is missing") as caught:
        written_save_dir(declared, overrides=[f"save_dir={written}"], files=())
    assert caught.value.hint == "save_dir=results/my_sweep"
