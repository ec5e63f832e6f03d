"""Reading what a person typed, on the command line or in a file, as the type of the field it is for.

YAML takes ``yes`` for true, ``1e5`` for a number and ``00123`` for 83. A field that holds text gets the text: what was
typed travels beside what YAML made of it (`Typed`) until the field's type is known (`typed_for`).
"""

import re
from dataclasses import dataclass
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

import yaml
from omegaconf import basecontainer

from naga.config.field_types import split_optional
from naga.config.plain import value_at
from naga.errors import ConfigError
from naga.wording import did_you_mean, nearest


@dataclass(frozen=True)
class Typed:
    """A number or truth value of a YAML document, and the characters that stood for it."""

    value: Any
    text: str

    def __str__(self) -> str:
        return self.text


def read_file(file: Path, experiment: str | None = None) -> dict[Any, Any]:
    """Read a configuration file, or the part of it under a dotted key."""
    content = _load(_content(file), str(file), is_file=True)
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


def read_text(text: str, hint: Any, key: str) -> Any:
    """Read the right-hand side of ``key=value`` for a field of a type."""
    kind, optional = split_optional(hint)
    if (optional and text in ("None", "null")) or (text == "" and kind is not str):
        return None
    if kind in (str, Path):
        return _unquoted(text)
    if kind in (int, float):
        return _number(text, kind)
    if text in _words(kind):
        return text
    return typed_for(_load(text, f"{key}={text}") if text[0] in "[{" else _word(text), hint)


def _word(text: str) -> Any:
    """Read what is no list and no mapping: a number or truth value as YAML writes them, or else text, signs and all."""
    try:
        value = _yaml(text)
    except yaml.YAMLError:
        return text
    is_odd = ":" in text or re.fullmatch(r"[-+]?0\d+", text)  # YAML counts 12:30 in sixties and 010 in eights
    return value if value is None or (isinstance(value, Typed) and not is_odd) else _unquoted(text)


def typed_for(value: Any, hint: Any) -> Any:
    """Turn what a YAML document held into what a field of a type takes."""
    if getattr(value, "ndim", None) == 0:  # a number of NumPy's, as a loop over np.linspace gives
        return value.item()
    kind, optional = split_optional(hint)
    if not isinstance(value, Typed):
        return None if optional and kind not in (str, Any) and isinstance(value, str) and value == "None" else value
    choices = get_args(kind) if get_origin(kind) is Union else (kind,)
    wants_text = value.text in _words(kind) or (str in choices and type(value.value) not in choices)
    is_padded = str in choices and type(value.value) is int and str(value.value) != value.text
    return value.text if wants_text or is_padded else value.value


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


def _unquoted(text: str) -> str:
    if len(text) < 2 or text[0] not in "\"'" or text[-1] != text[0]:
        return text
    try:
        value = _yaml(text)
    except yaml.YAMLError:
        return text
    return value if isinstance(value, str) else text


def _load(text: str, where: str, *, is_file: bool = False) -> Any:
    try:
        return _yaml(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{where}, line {mark.line + 1}" if mark and is_file else where
        problem = " ".join(str(getattr(error, "problem", None) or error).split())
        raise ConfigError(f"{place}: {problem}", hint="" if is_file else "[1, 2] or {a: 1}") from None


def _yaml(text: str) -> Any:
    try:
        return yaml.load(text, Loader=_loader())  # noqa: S506  # a safe one
    except UnicodeEncodeError:  # what is typed, a file's name say, need not be UTF-8
        raise yaml.YAMLError("not UTF-8 text") from None


@cache
def _loader() -> Any:
    """Make OmegaConf's own loader keep what was typed, so that a file means what it means to `OmegaConf.load`."""

    class Loader(basecontainer.get_yaml_loader()):  # type: ignore[misc]  # a class made by a function
        pass

    def keep(tag: str) -> None:
        construct = Loader.yaml_constructors[tag]
        Loader.add_constructor(tag, lambda loader, node: Typed(construct(loader, node), node.value))

    for name in ("int", "float", "bool"):
        keep(f"tag:yaml.org,2002:{name}")
    return Loader
