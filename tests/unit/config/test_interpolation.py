"""Every interpolation is evaluated once, and its result is data."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Dict, List, Union  # noqa: UP035  # as users of OmegaConf write them

import pytest
from omegaconf import DictConfig, OmegaConf

from naga.config.interpolation import resolve
from naga.errors import ConfigError

Register = Callable[[str, Callable[..., Any]], None]


def resolved(content: Any) -> Any:
    cfg = OmegaConf.create(content)
    resolve(cfg)
    return OmegaConf.to_container(cfg)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"a": "${b}/x", "b": "${count:}"}, {"a": "0/x", "b": 0}),
        ({"a": "${m.${k}}", "k": "x", "m": {"x": "${count:}"}}, {"a": 0, "k": "x", "m": {"x": 0}}),
        ({"m": {"y": "${.x}", "z": "${..k}", "x": "${count:}"}, "k": 7}, {"m": {"y": 0, "z": 7, "x": 0}, "k": 7}),
        ({"a": "${m}", "b": "${a.y}", "m": {"y": "${.x}", "x": "${count:}"}}, {"a": {"y": 0, "x": 0}, "b": 0}),
        ({"a": "${join:${b},${c}}", "c": "${b}", "b": "${count:}"}, {"a": "0-0", "c": 0, "b": 0}),
        ({"a": ["${.1}", "${count:}", "${a[1]}"], "b": "${a}"}, {"a": [0, 0, 0], "b": [0, 0, 0]}),
        ({"a": "${m.x.y}", "m": "${n}", "n": {"x": "${o}"}, "o": {"y": "${count:}"}}, {"a": 0, "o": {"y": 0}}),
        ({"a": "${oc.select:b}", "b": "${count:}"}, {"a": 0, "b": 0}),
        ({"a": "${oc.select:none,5}"}, {"a": 5}),
        ({"a": "${oc.dict.values:m}", "m": {"x": "${count:}"}}, {"a": [0], "m": {"x": 0}}),
        ({"a": "${oc.dict.keys:m}", "m": {"x": 1}}, {"a": ["x"]}),
        ({"a": "${oc.create:{x:'${b}'}}", "b": "${count:}"}, {"a": {"x": "0"}, "b": 0}),
        ({"m": {"names": "${oc.dict.keys:m}"}}, {"m": {"names": ["names"]}}),
        ({"a": {1: "${count:}"}, "b": "${a}"}, {"a": {1: 0}, "b": {1: 0}}),
    ],
)
def test_references_read_one_value(content: Any, expected: dict[str, Any], count: Any, register: Register) -> None:
    """Whatever way one value refers to another, and in whatever order they stand, they agree."""
    register("join", lambda *words: "-".join(map(str, words)))
    found = resolved(content)
    assert {key: found[key] for key in expected} == expected


def test_omegaconf_itself_lets_references_disagree(count: Any) -> None:
    """The reason for all this; when it fails, this module can go."""
    cfg = OmegaConf.create({"a": "${b}", "b": "${count:}"})
    OmegaConf.resolve(cfg)
    assert cfg.a != cfg.b


def test_each_resolver_is_called_once(count: Iterator[int]) -> None:
    """Five references to one interpolation are one call."""
    resolved({"a": "${e}${e}", "b": "${a}", "c": ["${e}"], "d": "${c}", "e": "${count:}"})
    assert next(count) == 1


def test_text_that_looks_like_an_interpolation_stays_text(monkeypatch: pytest.MonkeyPatch, count: Any) -> None:
    """The value of an environment variable, or an escaped one, is never evaluated, however often it is referred to."""
    monkeypatch.setenv("SLY", r"${count:} \${b} \\${c} ${")
    cfg = OmegaConf.create({"a": "${oc.env:SLY}", "b": "<${a}>", "c": r"\${x}", "d": ["${a}", "${c}"], "e": "${d}"})
    resolve(cfg)
    sly = r"${count:} \${b} \\${c} ${"
    expected = {"a": sly, "b": f"<{sly}>", "c": "${x}", "d": [sly, "${x}"], "e": [sly, "${x}"]}
    assert OmegaConf.to_container(cfg, resolve=True) == expected
    assert next(count) == 0


def test_what_a_resolver_makes_is_data_when_plain_and_a_configuration_when_it_is_one(register: Register) -> None:
    """A list of strings stays as it is; a DictConfig is resolved where it is."""
    register("plain", lambda: ["${x}"])
    register("made", lambda: OmegaConf.create({"z": "${x}"}))
    cfg = OmegaConf.create({"a": "${plain:}", "b": "${made:}", "x": 1})
    resolve(cfg)
    assert OmegaConf.to_container(cfg, resolve=True) == {"a": ["${x}"], "b": {"z": 1}, "x": 1}


@dataclass
class Model:
    lr: float = 0.1


@dataclass
class Typed:
    model: Model = field(default_factory=Model)
    same: Model = "${model}"  # type: ignore[assignment]  # how OmegaConf is used
    any: Any = "${model}"
    number: int = "${text}"  # type: ignore[assignment]
    text: str = "${other}"
    other: Any = 5
    either: Union[int, str] = "${other}"  # noqa: UP007
    sizes: List[int] = "${some}"  # type: ignore[assignment]  # noqa: UP006
    some: Any = field(default_factory=lambda: [1, 2])
    table: Dict[str, int] = "${maps}"  # type: ignore[assignment]  # noqa: UP006
    maps: Any = field(default_factory=lambda: {"a": "${other}"})


def test_results_take_the_types_of_their_fields() -> None:
    """Containers, unions and scalars alike are converted where their fields say so."""
    cfg: DictConfig = OmegaConf.structured(Typed)
    resolve(cfg)
    found = OmegaConf.to_object(cfg)
    assert isinstance(found, Typed)
    assert found.same == found.any == Model()
    assert (found.number, found.text, found.either) == (5, "5", 5)
    assert (found.sizes, found.table) == ([1, 2], {"a": 5})


def test_a_copy_of_a_container_is_its_own() -> None:
    """Changing what a reference gave does not change what it referred to."""
    cfg = OmegaConf.create({"a": "${m}", "m": {"x": 1}})
    resolve(cfg)
    cfg.a.x = 2
    assert cfg.m.x == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"a": "${b}", "b": "${c.x}", "c": {"x": "${a}"}}, "a: interpolations in a circle: a -> b -> c.x -> a"),
        ({"a": "${a}"}, "a: interpolations in a circle: a -> a"),
        ({"a": {"b": "${a}"}}, "a.b: '${a}' failed: Interpolation to parent node detected"),
        ({"a": {"b": "${m.x}"}}, "a.b: '${m.x}' refers to a key that does not exist"),
        ({"a": "${..b}", "b": 1}, "a: '${..b}' refers to a key that does not exist"),
        ({"a": "${boom:}"}, "a: '${boom:}' failed: ZeroDivisionError: no"),
        ({"a": "${thing:}"}, "a: '${thing:}' came to a value that a configuration cannot hold"),
        ({"a": "${oc.env:NAGA_NONE}"}, "a: '${oc.env:NAGA_NONE}' failed: KeyError: Environment variable"),
    ],
)
def test_errors_name_the_key_in_one_line(content: Any, message: str, register: Register) -> None:
    """What cannot be resolved is named with the interpolation as written."""

    def boom() -> None:
        raise ZeroDivisionError("no\nreally")

    register("boom", boom)
    register("thing", object)
    with pytest.raises(ConfigError) as caught:
        resolved(content)
    assert caught.value.message.startswith(message)
    assert "\n" not in str(caught.value)


def test_an_unknown_resolver_is_named_with_the_way_to_add_it() -> None:
    """The hint is what to type."""
    with pytest.raises(
        ConfigError, match=r"a: '\$\{nobody:1\}' asks for a resolver that no one.*register_new_resolver"
    ):
        resolved({"a": "${nobody:1}"})


def test_a_result_of_another_type_is_an_error() -> None:
    """An int field does not take a word, whatever way it comes."""
    cfg: DictConfig = OmegaConf.structured(Typed)
    cfg.other = "word"
    with pytest.raises(ConfigError, match=r"number: '\$\{text\}' came to a value that is not int"):
        resolve(cfg)


def test_three_question_marks_from_outside_are_no_value(monkeypatch: pytest.MonkeyPatch) -> None:
    """OmegaConf would take them for a mandatory value that no one gave."""
    monkeypatch.setenv("UNSURE", "???")
    with pytest.raises(ConfigError, match=r"^a: "):
        resolved({"a": "${oc.env:UNSURE}"})


def test_a_chain_too_long_for_the_stack_is_an_error_not_a_crash() -> None:
    """Two thousand references in a row."""
    with pytest.raises(ConfigError, match="failed: "):
        resolved({f"k{i}": f"${{k{i + 1}}}" for i in range(2000)} | {"k2000": 1})


def test_many_keys_take_no_square_of_the_time(register: Register) -> None:
    """Two thousand of them, two thirds of which are interpolations."""
    register("one", lambda: 1)
    content = {f"k{i}": [i, "${one:}", f"${{k{max(i - 1, 0)}}}"][i % 3] for i in range(2000)}
    took = []
    for function in (OmegaConf.resolve, resolve):
        cfg = OmegaConf.create(content)
        start = time.process_time()
        function(cfg)
        took.append(time.process_time() - start)
    assert took[1] < 5 * took[0] + 0.5  # a square of two thousand would take far longer


@pytest.mark.filterwarnings("error")
def test_now_is_registered_when_first_needed() -> None:
    """And never before, so that a script can register its own; in the way that the version of OmegaConf has for it."""
    OmegaConf.clear_resolver("now")
    resolved({"a": 1})
    assert not OmegaConf.has_resolver("now")
    assert resolved({"a": "${now:%Y}"}) == {"a": str(datetime.now().year)}
    assert OmegaConf.has_resolver("now")
    OmegaConf.clear_resolver("now")


def test_a_registered_now_is_left_alone(register: Register) -> None:
    """The user's own wins."""
    OmegaConf.clear_resolver("now")
    register("now", lambda pattern: f"mine {pattern}")
    assert resolved({"a": "${now:%Y}"}) == {"a": "mine %Y"}


def test_one_format_is_one_time_within_a_configuration() -> None:
    """Two fields with the same pattern cannot fall on two sides of a second."""
    found = resolved({f"k{i}": "${now:%f}" for i in range(50)})
    assert len(set(found.values())) == 1
    OmegaConf.clear_resolver("now")
