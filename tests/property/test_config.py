"""What goes into a configuration comes out of it."""

import itertools
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import omegaconf
from hypothesis import example, given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from naga.config.command_line import show
from naga.config.compose import compose
from naga.config.declared import Declared
from naga.config.interpolation import resolve
from naga.config.omegaconf_nodes import escaped
from naga.config.plain import differing_keys, plain_config
from naga.config.recorded import rebuild

WORDS = st.text() | st.lists(st.sampled_from(["${", "}", "\\", "a", ":", ".", "'", '"', " ", "$", "???"])).map("".join)
# OmegaConf gives these a meaning of their own: no value, and (since 2.4) the escape of it.
TEXT = WORDS.filter(lambda text: text.lstrip("\\") != "???")
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | TEXT
KEYS = st.text("abc.[]=${}: é", min_size=1) | st.integers()
PLAIN = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=8
)
MAPPINGS = st.dictionaries(KEYS.filter(lambda key: key != "save_dir"), PLAIN, max_size=4)


quickly = settings(max_examples=60, deadline=None)


@dataclass
class Labelled:
    label: str = ""


@quickly
@given(TEXT)
def test_escaped_text_is_read_as_it_is(text: str) -> None:
    """Whatever signs are in it, and as often as one likes."""
    cfg = OmegaConf.create({"a": escaped(text), "b": [escaped(text)]})
    resolve(cfg)
    resolve(cfg)
    assert cfg.a == cfg.b[0] == text


@quickly
@given(MAPPINGS)
def test_a_record_is_rebuilt_as_it_was(plain: dict[Any, Any]) -> None:
    """For functions that declare nothing, a dict, or a DictConfig."""
    place = {"save_dir": "/r"}
    for kind in (
        None,
        Declared("cfg", "dict", OmegaConf.create({})),
        Declared("cfg", "dictconfig", OmegaConf.create()),
    ):
        again = plain_config(rebuild(kind, plain | {"save_dir": "x"}, Path("/r")))
        assert differing_keys(again, plain | place) == ()
        assert list(map(type, again)) == list(map(type, plain | place))


@quickly
@given(TEXT)
@example("'' ")  # a space after them is text, too
def test_text_on_the_command_line_is_that_text(text: str) -> None:
    """In a field of text, unless it stands in quotes or is an interpolation."""
    if "${" in text or (len(text) > 1 and text[0] in "'\"" and text[-1] == text[0]):
        return
    declared = Declared("cfg", "object", OmegaConf.structured(Labelled))
    assert compose(declared, overrides=[f"label={text}"]).value == Labelled(text)


@quickly
@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=12), st.randoms())
def test_references_agree_in_any_order(targets: list[int], random: Any) -> None:
    """Each key is a new number or refers to another key; where they stand does not matter."""
    target = {f"k{i}": f"k{number % (i + 1)}" for i, number in enumerate(targets)}
    content = {key: "${count:}" if other == key else f"${{{other}}}" for key, other in target.items()}
    keys = list(content)
    random.shuffle(keys)
    register_count()
    cfg = OmegaConf.create({key: content[key] for key in keys})
    resolve(cfg)
    assert all(cfg[key] == cfg[other] for key, other in target.items())
    firsts = [cfg[key] for key, other in target.items() if key == other]
    assert sorted(firsts) == list(range(len(firsts)))


def register_count() -> None:
    """Begin to count from 0."""
    numbers = itertools.count()
    is_old = omegaconf.__version__.startswith("2.3")
    register = OmegaConf.register_new_resolver if is_old else OmegaConf.register_resolver
    register("count", lambda: next(numbers), replace=True)


@quickly
@given(st.dictionaries(st.text("abc é", min_size=1), PLAIN, max_size=4))
def test_what_is_shown_can_be_read_again(plain: dict[Any, Any]) -> None:
    """`--show-config` prints what `--config` takes."""
    if any(sign in repr(plain) for sign in ("\\x85", "\\u2028", "\\u2029")):
        return  # line ends that the writer of OmegaConf 2.3 loses
    declared = Declared("cfg", "dict", OmegaConf.create({}))
    first = compose(declared, given=escaped(plain))
    with TemporaryDirectory() as folder:
        file = Path(folder) / "a.yaml"
        file.write_text(show(first), encoding="utf-8")
        if plain:
            assert differing_keys(compose(declared, files=[(file, None)]).plain, first.plain) == ()
