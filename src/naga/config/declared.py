"""What a function declares as its configuration: the default, or the type, of its first parameter."""

import inspect
import types
from collections.abc import Callable
from typing import Any, Literal, get_type_hints

from omegaconf import DictConfig, OmegaConf

from naga.config.field_types import is_structured, plain_hint, split_optional
from naga.config.objects import is_object, mirrored
from naga.config.plain import value_at
from naga.errors import ConfigError
from naga.frozen import dataclass

Kind = Literal["dictconfig", "object", "dict"]


@dataclass(frozen=True, slots=True)
class Declared:
    """A function's configuration: the parameter that takes it, what it takes, and the defaults.

    ``base`` belongs to the declaration: it is never handed out and never changed, only copied. ``original`` is a
    default that is an object.
    """

    parameter: str
    kind: Kind
    base: DictConfig
    original: Any = None


def declared_config(function: Callable[..., Any]) -> Declared | None:
    """Read the configuration that a function declares."""
    parameters = list(inspect.signature(function).parameters.values())
    if not parameters or parameters[0].kind in (parameters[0].VAR_POSITIONAL, parameters[0].VAR_KEYWORD):
        return None
    first = parameters[0]
    try:
        if first.default is first.empty or first.default is None:
            kind, source = _of_annotation(_annotation(function, first))
        else:
            kind, source = _of_default(first)
        base = OmegaConf.create(_without_numpy(source)) if isinstance(source, dict) else _structured(source)
    except ConfigError:
        raise
    except Exception as error:  # noqa: BLE001  # a class may do anything when its defaults are asked for
        name = getattr(function, "__name__", "the task")
        place = getattr(error, "full_key", None)
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        hint = plain_hint(value_at(source, place)) if place and isinstance(source, dict) else ""
        raise ConfigError(
            f"the configuration of {name}(){f' at {place!r}' if place else ''}: {reason}", hint=hint
        ) from None
    is_original = kind == "object" and not isinstance(source, type)
    return Declared(first.name, kind, base, source if is_original else None)


def _without_numpy(value: Any) -> Any:
    """Replace NumPy's numbers by Python's, as for an override."""
    if isinstance(value, dict):
        return {key: _without_numpy(item) for key, item in value.items()}
    if type(value) in (list, tuple):
        return type(value)(map(_without_numpy, value))
    return value.item() if getattr(value, "ndim", None) == 0 else value


def _structured(source: Any) -> DictConfig:
    if isinstance(source, DictConfig):
        return source
    kind = source if isinstance(source, type) else type(source)
    return OmegaConf.structured(source) if is_structured(kind) else mirrored(source)


def _of_default(parameter: inspect.Parameter) -> tuple[Kind, Any]:
    default = parameter.default
    if isinstance(default, DictConfig):
        return "dictconfig", default
    if isinstance(default, dict):
        return "dict", default
    if any(is_structured(kind) or is_object(kind) for kind in (default, type(default))):
        return "object", default
    raise ConfigError(
        f"{parameter.name}={default!r} is not a configuration",
        hint=f"{parameter.name}=OmegaConf.structured(Config), Config() or a dict",
    )


def _annotation(function: Callable[..., Any], parameter: inspect.Parameter) -> Any:
    """Return the annotation of a parameter, evaluated where it is a string and can be."""
    plain = inspect.unwrap(function)
    holder = types.SimpleNamespace(__annotations__={"it": parameter.annotation})
    try:
        return get_type_hints(holder, globalns=getattr(plain, "__globals__", {}))["it"]
    except Exception:  # noqa: BLE001  # a name that only a type checker knows: it says nothing here
        return Any


def _of_annotation(annotation: Any) -> tuple[Kind, Any]:
    wanted, _ = split_optional(annotation)
    if is_structured(wanted) or (is_object(wanted) and mirrored(wanted)):
        return "object", wanted
    return ("dict" if wanted is dict or getattr(wanted, "__origin__", None) is dict else "dictconfig"), {}
