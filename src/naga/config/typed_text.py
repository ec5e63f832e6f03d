"""Reading what a person typed, on the command line or in a file, as the type of the field it is for.

Both grammars take ``1e5`` for a number, and YAML ``yes`` for true and ``00123`` for 83. A field that holds text gets
the text: what was typed travels beside what the grammar made of it (`Typed`) until the field's type is known.
"""

import shlex
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

import yaml
from omegaconf import basecontainer

from naga.config.field_types import split_optional
from naga.config.override_grammar import NotInGrammarError, Typed, parse, unquoted
from naga.config.plain import value_at
from naga.errors import ConfigError
from naga.wording import did_you_mean, nearest

_SWITCHES = {"on": True, "yes": True, "off": False, "no": False}


def read_file(file: Path, experiment: str | None = None) -> dict[Any, Any]:
    """Read a configuration file, or the part of it under a dotted key."""
    content = _load(_content(file), file)
    if experiment:
        content = _part(content, experiment, file)
    if not isinstance(content, dict):
        what = f"{experiment!r} of {file}" if experiment else str(file)
        raise ConfigError(f"{what} is not a mapping", hint="write one 'key: value' per line")
    return content


def _content(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        near = nearest(file.name, [item.name for item in file.parent.iterdir()] if file.parent.is_dir() else [])
        hint = did_you_mean(near and str(file.parent / near))
        raise ConfigError(f"no config file {str(file)!r}", hint=hint) from None
    except IsADirectoryError:
        raise ConfigError(f"config file {str(file)!r} is a folder", hint="name a file in it") from None
    except UnicodeDecodeError:
        raise ConfigError(f"config file {str(file)!r} is not UTF-8 text") from None
    except OSError as error:
        raise ConfigError(f"config file {str(file)!r} cannot be read: {error.strerror}") from None


def _part(content: Any, experiment: str, file: Path) -> Any:
    part = value_at(content, experiment)
    if part is not None:
        return part
    above = experiment
    while above and not isinstance(value_at(content, above), dict):
        above = above.rpartition(".")[0]
    level = value_at(content, above) if above else content
    names = [str(name) for name in level] if isinstance(level, dict) else []
    near = nearest(experiment[len(above) :].lstrip(".").partition(".")[0], names)
    start = above and f"{above}."
    hint = did_you_mean(near and start + near, [start + name for name in names])
    raise ConfigError(f"{file}: no experiment {experiment!r}", hint=hint)


def read_text(text: str, hint: Any, key: str, *, is_untyped: bool = False) -> Any:
    """Read the right-hand side of ``key=value`` for a field of a type; an untyped field has that of its default."""
    kind, optional = split_optional(hint)
    if (optional and text == "null") or (text == "" and kind not in (str, Any)):
        return None
    if kind in (str, Path) and not (is_untyped and text.startswith(("[", "{"))):
        return unquoted(text)
    if kind in (int, float):
        return None if optional and text == "None" else _number(text, kind)
    if text in _words(kind):
        return text
    try:
        return typed_for(parse(text), Any if is_untyped and kind is str else hint)
    except NotInGrammarError as error:
        if kind is str or text.startswith(("'", '"')):
            return text
        as_text = shlex.quote(f"{key}='{text}'")
        raise ConfigError(f"{key}={text}: {error}", hint=f"[1, 2] or {{a: 1}}; as a text: {as_text}") from None


def typed_for(value: Any, hint: Any) -> Any:
    """Convert a value of a YAML document or a command line to what a field of a type takes."""
    if getattr(value, "ndim", None) == 0:  # a number of NumPy's, as a loop over np.linspace gives
        return value.item()
    kind, optional = split_optional(hint)
    if isinstance(value, str) and kind not in (str, Any):
        is_none = optional and value == "None"
        return None if is_none else _SWITCHES.get(value.lower(), value) if kind is bool else value
    if not isinstance(value, Typed):
        return value
    choices = get_args(kind) if get_origin(kind) is Union else (kind,)
    if value.value is None:
        return value.text if str in choices and not optional else None
    wants_text = value.text in _words(kind) or (str in choices and type(value.value) not in choices)
    is_padded = str in choices and type(value.value) is int and str(value.value) != value.text
    return value.text if wants_text or is_padded else value.value


def of_kind(value: Any, hint: Any) -> Any:
    """Convert a text to what the default of an untyped field is: a path, or a member of an Enum."""
    kind, _ = split_optional(hint)
    if not isinstance(value, str) or isinstance(value, Enum) or "${" in value or value == "???":
        return value
    if kind is Path:
        return Path(value)
    is_member = isinstance(kind, type) and issubclass(kind, Enum) and value in kind.__members__
    return kind[value] if is_member else value


def _words(kind: Any) -> tuple[str, ...]:
    """List the words that a field takes, where its type lists them."""
    if isinstance(kind, type) and issubclass(kind, Enum):
        return tuple(kind.__members__)
    if get_origin(kind) is Literal:
        return tuple(item for item in get_args(kind) if isinstance(item, str))
    return ()


def _number(text: str, kind: Any) -> Any:
    try:
        return kind(text)
    except ValueError:
        return text


def _load(text: str, file: Path) -> Any:
    try:
        return yaml.load(text, Loader=_loader())  # noqa: S506  # a safe one
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{file}, line {mark.line + 1}" if mark else str(file)
        problem = " ".join(str(getattr(error, "problem", None) or error).split())
        raise ConfigError(f"{place}: {problem}") from None


@cache
def _loader() -> Any:
    """Make OmegaConf's loader keep what was typed, so that a file means the same as to `OmegaConf.load`."""

    class Loader(basecontainer.get_yaml_loader()):  # type: ignore[misc]  # a class made by a function
        pass

    def keep(tag: str) -> None:
        construct = Loader.yaml_constructors[tag]
        Loader.add_constructor(tag, lambda loader, node: Typed(construct(loader, node), node.value))

    for name in ("int", "float", "bool"):
        keep(f"tag:yaml.org,2002:{name}")
    return Loader
