"""The types of fields."""

import dataclasses
import inspect
import types
from enum import Enum
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from naga.secrets import MARK


def is_structured(kind: Any) -> bool:
    """Return whether a type is one that OmegaConf makes structured configurations of."""
    return isinstance(kind, type) and (dataclasses.is_dataclass(kind) or hasattr(kind, "__attrs_attrs__"))


def is_model(kind: Any) -> bool:
    """Return whether a type is a model of pydantic's, which need not be installed."""
    return isinstance(kind, type) and hasattr(kind, "model_fields") and hasattr(kind, "model_validate")


def parameters(kind: Any) -> list[inspect.Parameter]:
    """Return the parameters that a class is made with, where they have names."""
    try:
        found = inspect.signature(kind).parameters.values()
    except (TypeError, ValueError):  # a class of C's
        return []
    return [item for item in found if item.kind in (item.POSITIONAL_OR_KEYWORD, item.KEYWORD_ONLY)]


def field_names(value: Any) -> list[str]:
    """Name the fields of an object: what its class declares or is made with, or else its public attributes."""
    kind = type(value)
    if dataclasses.is_dataclass(kind):
        return [field.name for field in dataclasses.fields(kind)]
    if is_model(kind):
        return [*kind.model_fields, *(value.model_extra or ())]
    if declared := getattr(kind, "__attrs_attrs__", None):
        return [attribute.name for attribute in declared]
    if made_of := [item.name for item in parameters(kind) if hasattr(value, item.name)]:
        return made_of
    of_class = {name: item for parent in reversed(kind.__mro__[:-1]) for name, item in vars(parent).items()}
    return [
        name
        for name, item in {**of_class, **getattr(value, "__dict__", {})}.items()
        if not (name.startswith("_") or callable(item) or hasattr(item, "__get__"))
    ]


def is_computed(kind: Any, name: Any) -> bool:
    """Return whether a dataclass computes a field itself, in ``__post_init__``."""
    return dataclasses.is_dataclass(kind) and any(
        not item.init and item.name == name for item in dataclasses.fields(kind)
    )


def element_hint(hint: Any, key: Any) -> Any:
    """Return the type of the elements of a container type, where it says one."""
    kind, _ = split_optional(hint)
    arguments = get_args(kind)
    if get_origin(kind) is dict and arguments:
        return arguments[1]
    if get_origin(kind) is tuple and Ellipsis not in arguments and isinstance(key, int):
        return arguments[key] if key < len(arguments) else Any
    return arguments[0] if get_origin(kind) in (list, tuple) and arguments else Any


def default_hint(value: Any) -> Any:
    """Return the type that the default of an untyped field stands for: text stays text, a switch a switch."""
    if isinstance(value, bool):
        return bool | None
    if _is_text(value):
        return str | None
    if isinstance(value, Path | Enum):
        return (Path if isinstance(value, Path) else type(value)) | None
    return list[str | None] if isinstance(value, list | tuple) and value and all(map(_is_text, value)) else Any


def plain_hint(value: Any) -> str:
    """Say what to write in place of a value that no configuration can hold."""
    if hasattr(value, "tolist"):
        return "value.tolist()"
    if isinstance(value, range | set | frozenset):
        return "list(value)"
    return "numbers, text, truth values, None, and lists and dicts of them"


def _is_text(value: Any) -> bool:
    """Return whether a value is plain text: no interpolation, not missing, and not redacted."""
    if not isinstance(value, str) or isinstance(value, Enum):
        return False
    return value != "???" and MARK not in value and not (value.startswith("${") and value.endswith("}"))


def split_optional(hint: Any) -> tuple[Any, bool]:
    """Take None out of a type."""
    if hint is Any or hint is None:
        return Any, True
    if get_origin(hint) not in (Union, types.UnionType) or type(None) not in get_args(hint):
        return hint, False
    rest = tuple(item for item in get_args(hint) if item is not type(None))
    return Union[rest], True  # noqa: UP007  # any number of them


def hint_name(hint: Any) -> str:
    """Write a type as it stands in code."""
    kind, optional = split_optional(hint)
    if kind is Any:
        return "Any"
    return f"{_bare_name(kind)} or None" if optional else _bare_name(kind)


def _bare_name(kind: Any) -> str:
    arguments = [item for item in get_args(kind) if item is not Ellipsis]
    if get_origin(kind) in (Union, types.UnionType):
        return " or ".join(map(hint_name, arguments))
    if get_origin(kind) is Literal:
        return " or ".join(map(repr, arguments))
    if isinstance(kind, type) and issubclass(kind, Enum):
        return "|".join(kind.__members__)
    name = getattr(get_origin(kind) or kind, "__name__", str(kind))
    return f"{name}[{', '.join(map(hint_name, arguments))}]" if arguments and set(arguments) != {Any} else name
