"""Configurations that are objects: dataclasses, attrs and pydantic models, named tuples and plain classes.

OmegaConf knows the first two. Of the others a dataclass of the same fields is made (`mirrored`), so that keys and types
are checked and shown alike for all; `instantiate` then makes the object that the function declared, in the object's own
way, which may check more and refuse.
"""

import copy
import dataclasses
import inspect
import sys
import types
from collections.abc import Iterator
from functools import cache
from typing import Any, ClassVar, Optional, Union, get_args, get_origin, get_type_hints

from omegaconf import MISSING, Container, DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from naga.config.field_types import field_names, is_model, is_structured, parameters, split_optional
from naga.config.omegaconf_nodes import Keys, dotted, node_hint, node_type
from naga.config.plain import plain_config
from naga.errors import ConfigError

_NO_CONFIGURATION = {"naga", "numpy", "omegaconf", *sys.stdlib_module_names}


def is_object(kind: Any) -> bool:
    """Return whether a configuration can be made of a class that OmegaConf does not know."""
    if not isinstance(kind, type) or is_structured(kind) or issubclass(kind, dict | list):
        return False
    is_foreign = kind.__module__.partition(".")[0] not in _NO_CONFIGURATION and not inspect.isabstract(kind)
    return is_foreign or kind.__name__ in ("Namespace", "SimpleNamespace")


def mirrored(source: Any) -> DictConfig:
    """Make a configuration with the fields of a class, and with the values of an instance if it is one."""
    kind: Any = source if isinstance(source, type) else type(source)
    original = None if isinstance(source, type) else source
    # The fields of a plain object are its own: a namespace has those that it was given.
    is_own = original is None or is_model(kind) or parameters(kind)
    cfg: DictConfig = OmegaConf.structured(_mirror(kind) if is_own else _made(kind, original))
    if is_model(kind) and kind.model_config.get("extra") == "allow":
        OmegaConf.set_struct(cfg, False)
    values = dict(_defaults(kind, original)) if original is not None else {}
    if values and (lost := [item.name for item in parameters(kind) if item.name not in values and not is_model(kind)]):
        hint = f"self.{lost[0]} = {lost[0]}, or cfg: {kind.__name__} without a default"
        raise ConfigError(f"{kind.__name__} does not store the {lost[0]!r} that it was made with", hint=hint)
    for name, value in values.items():
        try:
            OmegaConf.update(cfg, name, _content(value), merge=False)
        except OmegaConfBaseException:
            raise ConfigError(f"{kind.__name__}: {name}={value!r} is not of its type") from None
    return cfg


def instantiate(node: Any, original: Any = None, keys: Keys = ()) -> Any:
    """Make the objects that the types of a resolved configuration name; ``original`` is the declared default."""
    if not isinstance(node, Container):
        return node
    if not isinstance(node, DictConfig):
        items = [instantiate(item, None, (*keys, i)) for i, item in enumerate(node)]  # a list, or a tuple since 2.4
        is_list = isinstance(node, ListConfig) and get_origin(split_optional(node_hint(node))[0]) is not tuple
        return items if is_list else tuple(items)
    kind = node_type(node)
    known: list[Any] = [key for key in node if not OmegaConf.is_missing(node, key)]
    mirrors = getattr(kind, "mirrors", None)
    defaults = dict(_defaults(mirrors, original)) if mirrors else {}
    values = {key: instantiate(node[key], defaults.get(key), (*keys, key)) for key in known}
    if not is_structured(kind):
        return values
    try:
        if mirrors:
            return _built(mirrors, original, {key: _kept(value, defaults.get(key)) for key, value in values.items()})
        return _structured(kind, values)
    except Exception as error:  # a class may check itself in any way
        raise ConfigError(f"{kind.__name__}: {_reason(error, keys)}") from error


def _reason(error: Exception, keys: Keys) -> str:
    if callable(errors := getattr(error, "errors", None)):  # pydantic names each value
        return "; ".join(f"{dotted((*keys, *item['loc']))}={item['input']!r}: {item['msg']}" for item in errors())
    text = " ".join(str(error).split())
    is_plain = isinstance(error, ValueError | TypeError | AssertionError | RuntimeError) and text
    return text if is_plain else f"{type(error).__name__}: {text}".removesuffix(": ")


def _kept(value: Any, default: Any) -> Any:
    """Return a default itself where its value was not changed: some kinds cannot be made from plain values again."""
    if default is None or type(value) is type(default) or plain_config({0: value}) != plain_config({0: default}):
        return value
    return copy.deepcopy(default)


def _structured(kind: Any, values: dict[str, Any]) -> Any:
    """Make a dataclass; what it computes itself stays, unless another value was given for it."""
    fields = dataclasses.fields(kind) if dataclasses.is_dataclass(kind) else kind.__attrs_attrs__
    arguments = {getattr(item, "alias", None) or item.name: values.pop(item.name) for item in fields if item.init}
    made = kind(**arguments)
    defaults = {item.name: item.default for item in fields}
    for name, value in values.items():
        if name not in defaults or value != defaults[name]:
            object.__setattr__(made, name, value)  # past the guard of a frozen class
    return made


def _built(kind: Any, original: Any, values: dict[str, Any]) -> Any:
    if is_model(kind):
        aliases = {name: item.validation_alias or item.alias for name, item in kind.model_fields.items()}
        names = {name: alias for name, alias in aliases.items() if isinstance(alias, str)}
        return kind.model_validate({names.get(name, name): value for name, value in values.items()})
    if parameters(kind):
        return kind(**values)
    made = copy.copy(original) if original is not None else kind()
    for name, value in values.items():
        setattr(made, name, value)
    return made


@cache
def _mirror(kind: Any) -> Any:
    return _made(kind, None)


def _made(kind: Any, original: Any) -> Any:
    defaults = dict(_defaults(kind, original))
    hints = _hints(kind, defaults)
    helps = {name: item.description for name, item in kind.model_fields.items()} if is_model(kind) else {}
    fields = [_mirror_field(name, hint, defaults.get(name, MISSING), helps.get(name)) for name, hint in hints.items()]
    made = dataclasses.make_dataclass(kind.__name__, fields, namespace={"__doc__": kind.__doc__, "mirrors": kind})
    made.__module__, made.__qualname__ = kind.__module__, kind.__qualname__
    return made


def _mirror_field(name: str, hint: Any, default: Any, text: str | None) -> tuple[str, Any, Any]:
    """Return a field as `make_dataclass` takes it; a type that OmegaConf does not know is any."""
    value = _content(default)
    metadata = {"help": text} if text else {}
    for known in (_translated(hint), Any):
        field = dataclasses.field(default_factory=lambda: copy.deepcopy(value), metadata=metadata)
        try:
            OmegaConf.structured(dataclasses.make_dataclass("Probe", [(name, known, field)]))
        except (OmegaConfBaseException, ValueError, TypeError):
            continue
        return name, known, field
    return name, Any, dataclasses.field(default_factory=lambda: plain_config({0: default})[0], metadata=metadata)


def _translated(hint: Any) -> Any:
    if is_model(hint):
        return _mirror(hint)
    if not (arguments := get_args(hint)) or get_origin(hint) not in (Union, list, dict, tuple, types.UnionType):
        return hint
    kind, optional = split_optional(hint)
    if optional:
        return Optional[_translated(kind)]  # noqa: UP045  # as OmegaConf has it
    translated = tuple(item if item is Ellipsis else _translated(item) for item in arguments)
    return Union[translated] if get_origin(hint) in (Union, types.UnionType) else get_origin(hint)[translated]  # noqa: UP007


def _content(value: Any) -> Any:
    """Write a default as values that OmegaConf can hold: models as the dataclass made of them."""
    if is_model(type(value)):
        kind: Any = type(value)
        return _mirror(kind)(**{name: _content(item) for name, item in _defaults(type(value), value)})
    if hasattr(value, "get_secret_value"):
        return value.get_secret_value()
    if isinstance(value, dict):
        return {key: _content(item) for key, item in value.items()}
    if isinstance(value, list | tuple) and not hasattr(value, "_fields"):
        return type(value)(_content(item) for item in value)
    try:
        OmegaConf.create({"it": value})
    except OmegaConfBaseException:
        return plain_config({0: value})[0]
    return value


def _defaults(kind: Any, original: Any) -> Iterator[tuple[str, Any]]:
    """Return the values of an instance, or else those that a class gives its fields."""
    if original is not None:
        yield from ((name, getattr(original, name)) for name in field_names(original) if hasattr(original, name))
    elif is_model(kind):
        for name, item in kind.model_fields.items():
            if not item.is_required():
                yield name, item.get_default(call_default_factory=True)
    elif of_call := parameters(kind):
        yield from ((item.name, item.default) for item in of_call if item.default is not item.empty)
    else:
        made: Any = kind()
        yield from _defaults(kind, made)


def _hints(kind: Any, defaults: dict[str, Any]) -> dict[str, Any]:
    """Give each field its type, where the class says one; where only a default is a number, any number does."""
    try:
        said = get_type_hints(kind)
        of_call = get_type_hints(kind.__init__)
    except Exception:  # noqa: BLE001  # a name that only a type checker knows
        said = of_call = {}
    if is_model(kind):
        return {name: said.get(name, item.annotation) for name, item in kind.model_fields.items()}
    annotated = [name for name, hint in said.items() if get_origin(hint) is not ClassVar and not name.startswith("_")]
    names = [item.name for item in parameters(kind)] or dict.fromkeys([*annotated, *defaults])
    by_default = {bool: bool, str: str, int: int | float, float: int | float}
    return {name: (said | of_call).get(name, by_default.get(type(defaults.get(name)), Any)) for name in names}
