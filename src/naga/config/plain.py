"""A configuration as plain values, as a run.lock holds it."""

import math
import os
from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any

from omegaconf import Container, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from naga.config.field_types import field_names, is_model, is_structured
from naga.config.omegaconf_nodes import dotted
from naga.secrets import MARK

ABSENT = object()
_DEEPEST = 100  # more than a run.lock holds, which says where it is cut


def plain_config(value: Any) -> dict[Any, Any]:
    """Write a configuration of any kind as values that YAML can hold.

    Paths become strings, enum members their names, tuples lists, and what no YAML can hold the name of its type. A
    mandatory value that no one gave stays ``???``.
    """
    plain = _plain(value, ())
    if isinstance(plain, str) and not isinstance(value, str | os.PathLike):  # an object that only its own class knows
        plain = _fields(value, ())
    return plain if isinstance(plain, dict) else {}


def _plain(value: Any, above: tuple[Any, ...]) -> Any:
    """``above`` are the containers that the value is in; of what cannot be asked, the type stands for it."""
    try:
        return _walked(value, above) if len(above) < _DEEPEST else _type_name(value)
    except Exception:  # noqa: BLE001  # an object of the user's own
        return _type_name(value)


def _walked(value: Any, above: tuple[Any, ...]) -> Any:
    if isinstance(value, Container):
        value = _content(value)
    if any(value is container for container in above):  # one that is in itself is not followed
        return _type_name(value)
    if isinstance(value, Mapping):
        return {_plain_key(key): _plain(item, (*above, value)) for key, item in value.items()}
    if hasattr(value, "_fields") and isinstance(value, tuple) and not above:  # a named tuple that is a configuration
        return _fields(value, above)
    if isinstance(value, list | tuple | set | frozenset):
        items = sorted(value, key=repr) if isinstance(value, set | frozenset) else value
        return [_plain(item, (*above, value)) for item in items]
    if is_structured(type(value)) or is_model(type(value)):
        return _fields(value, above)
    return _plain_scalar(value)


def _fields(value: Any, above: tuple[Any, ...]) -> dict[str, Any]:
    return {name: _plain(getattr(value, name, "???"), (*above, value)) for name in field_names(value)}


def _plain_scalar(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.name
    for kind in (bool, int, float, str, bytes):  # subclasses too, such as NumPy's float64
        if isinstance(value, kind):
            return kind(value)  # type: ignore[arg-type]  # one of its own
    if value is None or hasattr(value, "get_secret_value"):  # one of pydantic's, which says itself that it is a secret
        return value and MARK
    if getattr(value, "ndim", None) == 0:  # a number of NumPy's
        return _plain_scalar(value.item())
    if hasattr(value, "isoformat"):
        return str(value.isoformat())
    return str(value) if hasattr(value, "__fspath__") else _type_name(value)


def _type_name(value: Any) -> str:
    return f"<{type(value).__module__}.{type(value).__qualname__}>"


def _plain_key(key: Any) -> Any:
    try:
        plain = _plain_scalar(key)
        return plain if not isinstance(plain, str) or isinstance(key, str | Enum) else str(key)
    except Exception:  # noqa: BLE001  # an object of the user's own
        return _type_name(key)


def _content(cfg: Container) -> Any:
    try:
        return OmegaConf.to_container(cfg, resolve=True)
    except OmegaConfBaseException:
        return OmegaConf.to_container(cfg, resolve=False)


def value_at(plain: Mapping[Any, Any], key: str, default: Any = None) -> Any:
    """Look up a key as it is typed, ``a.0.b`` or ``a[0].b``, in a plain configuration."""
    value: Any = plain
    for name in key.replace("[", ".").replace("]", "").split("."):
        if isinstance(value, Mapping):
            value = next((item for own, item in value.items() if str(own) == name), default)
        elif isinstance(value, list | tuple) and name.isdecimal() and int(name) < len(value):
            value = value[int(name)]
        else:
            return default
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
