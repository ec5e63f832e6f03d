"""A configuration as plain values, as a run.lock holds it."""

import dataclasses
import math
from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any

from omegaconf import Container, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from naga.config.omegaconf_nodes import dotted

ABSENT = object()


def plain_config(value: Any) -> dict[Any, Any]:
    """Write a configuration, of whatever kind, in values that YAML holds.

    Paths become strings, enum members their names, tuples lists, and what no YAML can hold the name of its type. A
    mandatory value that nobody gave stays ``???``.
    """
    plain = _plain(value, ())
    return plain if isinstance(plain, dict) else {}


def _plain(value: Any, above: tuple[Any, ...]) -> Any:
    """``above`` are the containers that the value lies in: one that lies in itself is not followed."""
    if isinstance(value, Container):
        value = _content(value)
    if any(value is container for container in above):
        return _type_name(value)
    if isinstance(value, Mapping):
        return {_plain_key(key): _plain(item, (*above, value)) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item, (*above, value)) for item in value]
    names = _field_names(value)
    if names is not None:
        return {name: _plain(getattr(value, name, "???"), (*above, value)) for name in names}
    return _plain_scalar(value)


def _field_names(value: Any) -> list[str] | None:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return [field.name for field in dataclasses.fields(value)]
    attributes = getattr(type(value), "__attrs_attrs__", None)
    return None if attributes is None else [attribute.name for attribute in attributes]


def _plain_scalar(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.name
    for kind in (bool, int, float, str, bytes):  # subclasses too, such as NumPy's float64
        if isinstance(value, kind):
            return kind(value)  # type: ignore[arg-type]  # one of its own
    if value is None:
        return None
    if getattr(value, "ndim", None) == 0:  # a number of NumPy's
        return _plain_scalar(value.item())
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return str(value) if hasattr(value, "__fspath__") else _type_name(value)


def _type_name(value: Any) -> str:
    return f"<{type(value).__module__}.{type(value).__qualname__}>"


def _plain_key(key: Any) -> Any:
    plain = _plain_scalar(key)
    return plain if not isinstance(plain, str) or isinstance(key, str | Enum) else str(key)


def _content(cfg: Container) -> Any:
    try:
        return OmegaConf.to_container(cfg, resolve=True)
    except OmegaConfBaseException:
        return OmegaConf.to_container(cfg, resolve=False)


def value_at(plain: Mapping[Any, Any], key: str) -> Any:
    """Look a dotted key up in a plain configuration; None where there is none."""
    value: Any = plain
    for name in key.split("."):
        if isinstance(value, Mapping):
            value = next((item for own, item in value.items() if str(own) == name), None)
        elif isinstance(value, list | tuple) and name.isdecimal() and int(name) < len(value):
            value = value[int(name)]
        else:
            return None
    return value


def differing_keys(a: Mapping[Any, Any], b: Mapping[Any, Any]) -> tuple[str, ...]:
    """Name the values in which two plain configurations differ, by their dotted keys."""
    return tuple(_differing(a, b, ()))


def _differing(a: Any, b: Any, keys: tuple[Any, ...]) -> Iterator[str]:
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        for key in dict.fromkeys([*a, *b]):
            yield from _differing(a.get(key, ABSENT), b.get(key, ABSENT), (*keys, key))
    elif not _same(a, b):
        yield dotted(keys)


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(_same, a, b))
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        return a.keys() == b.keys() and all(_same(a[key], b[key]) for key in a)
    if isinstance(a, float) and isinstance(b, float) and math.isnan(a) and math.isnan(b):
        return True
    return type(a) is type(b) and bool(a == b)
