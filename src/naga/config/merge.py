"""Merging values into a configuration: only keys that it has, only values that fit."""

import copy
from collections.abc import Iterator, Mapping
from dataclasses import replace
from enum import Enum
from typing import Any, get_origin

from omegaconf import Container, DictConfig, OmegaConf
from omegaconf.errors import GrammarParseError, OmegaConfBaseException, UnsupportedValueType

from naga.config import omegaconf_nodes as nodes
from naga.config.field_types import default_hint, element_hint, hint_name, is_structured, plain_hint, split_optional
from naga.config.omegaconf_nodes import Keys, dotted
from naga.config.override_grammar import Typed
from naga.config.typed_text import of_kind, read_text, typed_for
from naga.errors import ConfigError
from naga.frozen import dataclass
from naga.terminal import say
from naga.wording import did_you_mean, nearest

# What OmegaConf raises for a value of another type.
NOT_FITTING = (OmegaConfBaseException, TypeError, ValueError, AssertionError)


def merge(cfg: DictConfig, values: Mapping[Any, Any], *, source: str = "") -> None:
    """Merge a mapping into a configuration, in place."""
    top = _top(cfg, source)
    _lay(top, _fitted(top, values))


def override(cfg: DictConfig, key: str, value: Any) -> None:
    """Set one value, named by a dotted key, in place; mappings are merged."""
    slot = _find(cfg, key)
    _put(cfg, slot, _fitted(slot, value))


def override_text(cfg: DictConfig, override: str) -> None:
    """Set one value, in place, as ``key=value`` of the command line says."""
    key, _, text = override.partition("=")
    slot = _find(cfg, key)
    value = _fitted(slot, read_text(text, slot.wanted, key, is_untyped=slot.hint is Any))
    if value == text == "None" and split_optional(slot.wanted)[1]:
        say(f"{override} is the text 'None'; {key}=null is None")
    elif value == {} and slot.box is not None and len(slot.box):
        say(f"{override} changes nothing: what is in {key} stays")
    _refuse_accident(slot, key, value)
    _put(cfg, slot, value)


def _put(cfg: DictConfig, slot: "_Slot", value: Any) -> None:
    """Set one value; setting a plain value in place takes a hundredth of the time of merging everything."""
    if not nodes.replaced(nodes.leaf(cfg, slot.keys), value):
        merge(cfg, _nested(cfg, slot.keys, value))


def _refuse_accident(slot: "_Slot", key: str, text: Any) -> None:
    """Refuse text where the default, or the type, says that a list or a number was meant."""
    if not isinstance(text, str) or "${" in text:
        return
    default = nodes.as_written(node) if (node := nodes.select(slot.root, slot.keys)) is not None else None
    is_list = isinstance(default, list | tuple) or get_origin(split_optional(slot.hint)[0]) in (list, tuple)
    if is_list and "," in text:
        raise ConfigError(f"{key}={text} is a text, not a list", hint=f"{key}=[{text.strip('()')}]")
    if not text and isinstance(default, int | float):
        raise ConfigError(f"{key}= has no value", hint=f"{key}={default}")


def dotted_keys(cfg: Any) -> Iterator[str]:
    """Yield all keys of a configuration, nested ones dotted."""
    return (dotted(keys) for keys, _ in nodes.walk(cfg) if keys and not isinstance(keys[-1], int))


def nearest_key(key: str, known: list[str]) -> str:
    """Find what was most likely meant: a similar key, or one that ends in a similar word."""
    last = key.rpartition(".")[2]
    by_last = {name.rpartition(".")[2]: name for name in reversed(known)}
    return nearest(key, known) or by_last.get(nearest(last, by_last), "")


@dataclass(frozen=True, slots=True)
class _Slot:
    """A place in a configuration: its path, its type, its present or possible container, and what is wanted there.

    That is the type, or else that of the default.
    """

    root: DictConfig
    source: str
    keys: Keys
    hint: Any
    box: Any
    wanted: Any

    def below(self, key: Any) -> "_Slot":
        if self.box is None:
            hint, wanted = element_hint(self.hint, key), element_hint(self.wanted, key)
            box = nodes.expanded(hint)
        else:
            hint, box = nodes.slot(self.box, key)
            node = nodes.child(self.box, key) if hint is Any else None
            wanted = hint if node is None else default_hint(nodes.as_written(node))
        return _Slot(self.root, self.source, (*self.keys, key), hint, box, wanted)

    def own_key(self, key: Any) -> Any:
        """Return a key as the container has it, which may have another type than the typed one: ``1`` and ``"1"``."""
        text, value = (key.text, key.value) if isinstance(key, Typed) else (str(getattr(key, "name", key)), key)
        if not isinstance(self.box, DictConfig):
            return value
        if value in self.box.keys():  # noqa: SIM118  # `in` evaluates interpolations
            return value
        for known in self.box.keys():  # noqa: SIM118
            if text == str(getattr(known, "name", known)):
                return known
        if not nodes.is_open(self.box):
            raise self.below_unknown(text)
        kind = nodes.key_type(self.box)
        try:
            return _as_key(text, value, kind)
        except (KeyError, ValueError):
            path = dotted((*self.keys, text))
            raise ConfigError(f"{self._where}{path!r}: the keys there are {hint_name(kind)}") from None

    def index(self, key: str) -> int:
        if key.isdecimal() and int(key) < len(self.box):
            return int(key)
        name, size = dotted(self.keys), len(self.box)
        hint = f"the last is [{size - 1}]; {name}=[...] gives another list" if size else f"{name}=[...]"
        raise ConfigError(f"{name} has {size} items, no [{key}]", hint=hint)

    def below_unknown(self, key: str) -> ConfigError:
        path = dotted((*self.keys, key))
        known = list(dotted_keys(self.root))
        hint = did_you_mean(nearest_key(path, known), known)
        if path in known and "." in key:  # a mapping, of a file say, has one level of keys each
            hint = key.replace(".", ": {") + ": ..." + "}" * key.count(".")
        return ConfigError(f"{self._where}unknown key {path!r}", hint=hint)

    def wrong(self, value: Any, error: Exception) -> ConfigError:
        what = f"{self._where}{dotted(self.keys)} is {_shown(value)}"
        if isinstance(error, GrammarParseError):
            return ConfigError(f"{what}, which is not an interpolation", hint="write \\${ for a plain ${")
        if isinstance(error, UnsupportedValueType):
            return ConfigError(f"{what}, which a configuration cannot hold", hint=plain_hint(value))
        return ConfigError(f"{what}, not {hint_name(self.hint)}")

    @property
    def _where(self) -> str:
        return f"{self.source}: " if self.source else ""


def _top(cfg: DictConfig, source: str = "") -> _Slot:
    nodes.open_up(cfg)
    return _Slot(cfg, source, (), Any, cfg, Any)


def _shown(value: Any) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else text[:57] + "..."


def _as_key(text: str, value: Any, kind: Any) -> Any:
    if kind is Any:
        return value
    return kind[text] if issubclass(kind, Enum) else text if kind is str else kind(text)


def _find(cfg: DictConfig, key: str) -> _Slot:
    slot = _top(cfg)
    whole = key in cfg.keys()  # noqa: SIM118
    for part in [key] if whole else key.replace("[", ".").replace("]", "").split("."):
        if slot.box is None:
            raise slot.below_unknown(part)
        slot = slot.below(slot.own_key(part) if isinstance(slot.box, DictConfig) else slot.index(part))
    return slot


def _fitted(slot: _Slot, value: Any) -> Any:
    """Check the keys of a value against the place that it is for, and convert it to the types of the fields."""
    if isinstance(value, DictConfig) and not is_structured(OmegaConf.get_type(value)):
        value = nodes.written(value)
    if isinstance(value, Mapping) and not isinstance(value, Container):
        keys = {key: slot.own_key(key) for key in value}
        return {own: _fitted(slot.below(own), value[key]) for key, own in keys.items()}
    if isinstance(value, list | tuple):
        items = replace(slot, box=None)
        found = [_fitted(items.below(i), item) for i, item in enumerate(value)]
        return tuple(found) if get_origin(split_optional(slot.hint)[0]) is tuple else found
    fitted = typed_for(value, slot.wanted)
    return of_kind(fitted, slot.wanted) if slot.hint is Any else fitted


def _nested(box: Any, keys: Keys, value: Any) -> Any:
    """Wrap a value in mappings down to its place; a list on the way is written whole, since merging replaces it."""
    if not keys:
        return value
    key, *rest = keys
    below = nodes.child(box, key) if box is not None else None
    inner = _nested(below if nodes.is_live(below) else None, tuple(rest), value)
    if box is None or isinstance(box, DictConfig):
        return {key: inner}
    items = list(nodes.written(box))
    if isinstance(inner, dict) and nodes.is_live(below):
        items[key] = copy.deepcopy(below)
        nodes.make_room(items[key], inner)
        items[key].merge_with(inner)
    else:
        items[key] = inner
    return items


def _lay(top: _Slot, values: Any) -> None:
    nodes.make_room(top.box, values)
    try:
        top.box.merge_with(values)
    except NOT_FITTING as error:
        raise _blame(top, values, error) from None


def _blame(top: _Slot, values: Any, error: Exception) -> ConfigError:
    """Find the one value that does not fit, by merging them one by one."""
    for slot, value in _leaves(top, values):
        try:
            top.box.merge_with(_nested(None, slot.keys, value))
        except NOT_FITTING as cause:
            return slot.wrong(value, cause)
    return ConfigError(str(error).splitlines()[0])


def _leaves(slot: _Slot, value: Any) -> Iterator[tuple[_Slot, Any]]:
    if isinstance(value, dict) and value and isinstance(slot.box, DictConfig):
        for key, item in value.items():
            yield from _leaves(slot.below(key), item)
    else:
        yield slot, value
