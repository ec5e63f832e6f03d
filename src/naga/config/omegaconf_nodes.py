"""What Naga must know about OmegaConf's nodes, beyond OmegaConf's public functions.

A configuration is a tree of containers and values. Reading one through its public face evaluates its interpolations,
each time anew; everything here reads what was written instead. `naga.config.interpolation` is the only other
module that looks inside OmegaConf.
"""
# ruff: noqa: SLF001  # written, unevaluated values are reachable in no other way

import copy
import re
from collections.abc import Iterator
from enum import Enum
from typing import Any, Optional, get_args, get_origin

from omegaconf import Container, DictConfig, Node, OmegaConf, SCMode, UnionNode, ValueNode
from omegaconf.errors import OmegaConfBaseException

from naga.config.field_types import element_hint, is_structured, split_optional

Keys = tuple[Any, ...]  # a path

# Flags of nodes that say which of OmegaConf's own flags were changed for a while.
LIFTED, OPENED = "naga_lifted", "naga_opened"


def is_live(node: Any) -> bool:
    """Return whether a node is a container that holds something: not None, missing or an interpolation."""
    return isinstance(node, Container) and not (node._is_none() or node._is_missing() or node._is_interpolation())


_OPEN = DictConfig({}, flags={"struct": False})  # what a new key may become; read alone, as one takes a while to make


def is_open(node: Any) -> bool:
    """Return whether a container that went through `open_up` takes new keys."""
    if node._get_node_flag("struct") is False:
        return True
    return node._get_flag("struct") is False and not is_structured(OmegaConf.get_type(node))


def child(box: Any, key: Any) -> Any:
    """Return the node under a key, as written; the chosen one of a union; None where there is none."""
    node = box._get_node(key)
    inner = node._value() if isinstance(node, UnionNode) else None
    return inner if isinstance(inner, Node) else node


def select(cfg: Any, keys: Keys) -> Any:
    """Return the node at a path, as written; None where there is none."""
    for key in keys:
        if not is_live(cfg) or not (isinstance(cfg, DictConfig) or key < len(cfg)):
            return None
        cfg = child(cfg, key)
    return cfg


def children(box: Any) -> Iterator[tuple[Any, Any]]:
    """Yield the keys and nodes of a container, as written."""
    if not is_live(box):
        return
    for key in list(box.keys()) if isinstance(box, DictConfig) else range(len(box)):
        yield key, child(box, key)


def written(box: Any) -> Any:
    """Return the content of a container as plain dicts and lists; interpolations as written, typed parts unchanged."""
    return OmegaConf.to_container(box, resolve=False, structured_config_mode=SCMode.DICT_CONFIG)


def as_written(node: Any) -> Any:
    """Return the value of a node as written, a container's in plain dicts and lists."""
    return written(node) if is_live(node) else node._value()


def slot(box: Any, key: Any) -> tuple[Any, Any]:
    """Return the type that a key of a container takes, and the container that is there now or would, if any."""
    node = box._get_node(key) if isinstance(box, DictConfig) or key < len(box) else None
    hint = element_hint(box._metadata.ref_type, key) if node is None else node_hint(node)
    if node is None and hint is Any and isinstance(box, DictConfig) and is_open(box):
        return hint, _OPEN
    node = child(box, key) if node is not None else None
    return hint, node if is_live(node) else expanded(hint)


def expanded(hint: Any) -> Any:
    """Return the container that would take a value of a type, None where the type is no container's."""
    kind, _ = split_optional(hint)
    if is_structured(kind):
        return OmegaConf.structured(kind)
    if get_origin(kind) is dict:
        key_type, element_type = get_args(kind)
        return DictConfig({}, ref_type=kind, key_type=key_type, element_type=element_type, flags={"struct": False})
    return None


def leaf(cfg: Any, keys: Keys) -> Any:
    """Return the node at a path through dicts, if it holds one value of its own: no container, union or part of a list.

    None for all others.
    """
    for key in keys:
        cfg = cfg._get_node(key) if isinstance(cfg, DictConfig) and is_live(cfg) else None
    return cfg if isinstance(cfg, ValueNode) else None


def replaced(node: Any, value: Any) -> bool:
    """Set a node that `leaf` gave, if a plain value is all that is to be set, and it fits."""
    is_plain = value is None or (isinstance(value, bool | int | float | str) and "???" not in str(value))
    if node is None or not is_plain:
        return False
    try:
        node._set_value(value)
    except (OmegaConfBaseException, TypeError, ValueError, AssertionError):  # merging says what is wrong
        return False
    return True


def node_type(cfg: Any) -> Any:
    """Return the class that a configuration is made of; dict or list for those without."""
    return OmegaConf.get_type(cfg)


def parent_type(node: Any) -> Any:
    """Return the class of what a node is in."""
    return node_type(node._get_parent()) if node._get_parent() is not None else None


def node_hint(node: Any) -> Any:
    """Return the declared type of a node."""
    hint = node._metadata.type_hint
    return Any if hint == Optional[Any] else hint  # noqa: UP045  # as OmegaConf has it


def key_type(box: Any) -> Any:
    """Return the type of the keys of a dict."""
    return box._metadata.key_type


def dotted(keys: Keys) -> str:
    """Write a path as one would type it."""
    text = ""
    for key in keys:
        # Python writes no number of more than 4,300 digits, but in hexadecimal.
        name = hex(key) if isinstance(key, int) and key.bit_length() > 10_000 else str(key)
        text += f"[{name}]" if isinstance(key, int) and text else f".{name}" if text else name
    return text


def own_copy(cfg: DictConfig) -> DictConfig:
    """Copy a configuration so that nothing done to the copy reaches the original.

    Copying a part of a larger one copies the whole, since its interpolations may refer to any of it. Cached resolver
    values are left behind: each run resolves for itself.
    """
    keys: list[Any] = []
    root: Any = cfg
    while root._get_parent() is not None:
        keys.insert(0, root._key())
        root = root._get_parent_container()
    result = copy.deepcopy(root)
    OmegaConf.clear_cache(result)
    for key in keys:
        result = child(result, key)
    return result  # type: ignore[no-any-return]  # the same place in the copy


def walk(cfg: Any, keys: Keys = ()) -> Iterator[tuple[Keys, Any]]:
    """Yield a configuration and every node in it, with their paths."""
    yield keys, cfg
    for key, node in children(cfg):
        yield from walk(node, (*keys, key))


def open_up(cfg: Any) -> None:
    """Make a configuration take new values, and new keys where its type has any; `close_again` undoes it.

    Typed dicts and empty ones are open, as are those that were opened by hand.
    """
    for _, node in walk(cfg):
        if node._get_node_flag("readonly"):
            node._set_flag(["readonly", LIFTED], [None, True])
        if isinstance(node, DictConfig) and node._get_node_flag("struct") is None and _takes_any_key(node):
            node._set_flag(["struct", OPENED], [False, True])


def close_again(cfg: Any) -> None:
    """Restore the flags that `open_up` changed."""
    for _, node in walk(cfg):
        if node._get_node_flag(LIFTED):
            node._set_flag(["readonly", LIFTED], [True, None])
        if node._get_node_flag(OPENED):
            node._set_flag(["struct", OPENED], [None, None])


def empty_open(cfg: Any) -> None:
    """Empty every dict that takes any key, in a configuration that went through `open_up`."""
    for _, node in list(walk(cfg)):
        if isinstance(node, DictConfig) and is_open(node) and not is_structured(OmegaConf.get_type(node)):
            node._set_value({})


def _takes_any_key(node: Any) -> bool:
    if is_structured(OmegaConf.get_type(node)) or not is_live(node):
        return False
    return len(node) == 0 or node._metadata.ref_type is not Any


def make_room(box: Any, values: Any) -> None:
    """Make a configuration that went through `open_up` ready for plain values to be merged.

    Three things that OmegaConf's merging does are prevented: it evaluates the interpolations that it replaces, leaves
    the former value where ``???`` is laid over it, and refuses to give values to what it has just made of a frozen
    class.
    """
    for key, value in values.items():
        node = child(box, key)
        is_missing_now = isinstance(value, str) and value == "???"
        if node is not None and (is_missing_now or (isinstance(node, ValueNode) and node._is_interpolation())):
            node._set_value("???")
        elif isinstance(value, dict):
            _, inner = slot(box, key)
            if not is_live(node) and is_live(inner) and OmegaConf.is_readonly(inner):
                box[key] = inner
                open_up(child(box, key))
            if is_live(child(box, key)):
                make_room(child(box, key), value)


def escaped(value: Any) -> Any:
    r"""Escape strings so that OmegaConf reads them literally, even where they look like an interpolation."""
    if isinstance(value, str) and not isinstance(value, Enum):
        return re.sub(r"(\\*)\$\{", r"\1\1\\${", value) if "${" in value else value
    if isinstance(value, dict):
        return {key: escaped(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        items = [escaped(item) for item in value]
        return tuple(items) if isinstance(value, tuple) else items
    return value
