"""From what was declared, written in files and typed, to the one configuration of a run."""

import copy
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from naga.config.declared import Declared
from naga.config.hints import hint_name, is_structured
from naga.config.merge import merge, override, override_text
from naga.config.nodes import (
    Keys,
    as_written,
    close_again,
    dotted,
    empty_open,
    escaped,
    is_missing,
    node_hint,
    open_up,
    own_copy,
    walk,
)
from naga.config.plain import differing_keys, plain_config
from naga.config.resolve import resolve
from naga.config.text import read_file
from naga.errors import ConfigError
from naga.redaction import MARK, redact_config, redacted_keys, without_redacted

__all__ = ["Resolved", "compose", "differing_keys", "plain_config", "rebuild", "reveal", "same_secrets", "with_secrets"]


@dataclass(frozen=True)
class Resolved:
    """The configuration of one run.

    ``value`` is what the function gets, of the kind that it declared, with an absolute save_dir; ``plain`` is what is
    recorded, with save_dir as the user wrote it.
    """

    value: Any
    plain: dict[Any, Any]
    save_dir: Path | None
    written_save_dir: str | None


def compose(
    declared: Declared,
    *,
    given: Any = None,
    keywords: Mapping[str, Any] = MappingProxyType({}),
    overrides: Sequence[str] = (),
    file: Path | None = None,
    experiment: str | None = None,
    base: Path | None = None,
) -> Resolved:
    """Lay everything that was said over the declared defaults, and resolve it once.

    Parameters
    ----------
    declared : Declared
        The defaults, and the kind of configuration that the function takes.
    given : mapping, DictConfig or dataclass instance, optional
        What the function was called with: mappings are laid over the defaults, typed configurations replace them.
    keywords : mapping
        Single values, by dotted key.
    overrides : sequence of str
        Single values as typed on the command line: ``key=value``.
    file : Path, optional
        A YAML file; ``experiment`` is the dotted key of the part of it that counts.
    base : Path, optional
        What a relative save_dir and file are relative to; the working directory.

    Raises
    ------
    ConfigError
        A key, value, file or interpolation is wrong, or a mandatory value is missing.

    Examples
    --------
    >>> from naga.config.declared import declared_config
    >>> def main(cfg={"lr": 0.1, "save_dir": "results/${lr}"}): ...
    >>> compose(declared_config(main), overrides=["lr=1e-3"]).plain
    {'lr': 0.001, 'save_dir': 'results/0.001'}
    """
    folder = base or Path.cwd()
    cfg = own_copy(declared.base)
    if file is not None:
        merge(cfg, without_redacted(read_file(base / file if base else file, experiment)), source=str(file))
    if given is not None:
        cfg = _with_given(cfg, given)
    for key, value in keywords.items():
        override(cfg, key, value)
    for text in overrides:
        override_text(cfg, text)
    _settle(cfg)
    return _resolved(declared, cfg, folder)


def same_secrets(plain: Mapping[Any, Any], recorded: Mapping[Any, Any]) -> dict[Any, Any]:
    """Redact a configuration where a recorded one is, so that the two can be compared.

    Examples
    --------
    >>> same_secrets({"lr": 0.1, "note": "abc"}, {"lr": 0.2, "note": "<redacted>"})
    {'lr': 0.1, 'note': '<redacted>'}
    """
    alike: dict[Any, Any] = _hidden_as(redact_config(plain), recorded)
    return alike


def _hidden_as(plain: Any, recorded: Any) -> Any:
    if isinstance(plain, Mapping) and isinstance(recorded, Mapping):
        return {key: _hidden_as(item, recorded.get(key)) for key, item in plain.items()}
    return recorded if redacted_keys({"it": recorded}) and not isinstance(recorded, Mapping) else plain


def reveal(plain: Mapping[Any, Any], overrides: Sequence[str]) -> dict[Any, Any]:
    """Give the values that were redacted in a recorded configuration, as ``key=value``; others cannot be changed.

    Raises
    ------
    ConfigError
        An override names something else.

    Examples
    --------
    >>> reveal({"lr": 0.1, "token": "<redacted>"}, ["token=abc"])
    {'lr': 0.1, 'token': 'abc'}
    """
    hidden = {dotted(keys) for keys in redacted_keys(plain)}
    cfg = OmegaConf.create(escaped(dict(plain)))
    for text in overrides:
        key = text.partition("=")[0]
        if key not in hidden:
            raise ConfigError(
                f"--reuse computes nothing, so {key} cannot be changed: only what was redacted can be given",
                hint=f"leave out --reuse, or {key}",
            )
        override_text(cfg, text)
    return plain_config(cfg)


def rebuild(declared: Declared | None, plain: Mapping[Any, Any], save_dir: Path) -> Any:
    """Give a recorded configuration the kind that the function declares.

    Nothing in it is interpolated. Where the declaration has changed so much that the record does not fit it any more,
    it is a plain DictConfig. A value that was redacted is what the declaration gives now, from the environment if it
    says so; where that gives nothing, it stays ``<redacted>``.

    Parameters
    ----------
    declared : Declared or None
        None where no function says what it takes.
    plain : mapping
        What a run.lock holds.
    save_dir : Path
        Where the run lies now.

    Examples
    --------
    >>> rebuild(None, {"note": "${HOME}", "save_dir": "a"}, Path("/runs/a")).note
    '${HOME}'
    """
    literal = escaped(_filled(declared, plain))
    place = {"save_dir": escaped(str(save_dir))}
    if declared is not None:
        try:
            return _refilled(declared, literal | place if "save_dir" in plain else literal)
        except ConfigError:
            pass
    return OmegaConf.create(literal | place)


def with_secrets(plain: Mapping[Any, Any], own: Mapping[Any, Any]) -> dict[Any, Any]:
    """Fill what was redacted in a configuration from another one, that was composed here.

    Raises
    ------
    ConfigError
        It has no such value.

    Examples
    --------
    >>> with_secrets({"lr": 0.1, "token": "<redacted>"}, {"lr": 0.2, "token": "abc"})
    {'lr': 0.1, 'token': 'abc'}
    """
    filled = copy.deepcopy(dict(plain))
    for keys in redacted_keys(plain):
        box: Any = filled
        value: Any = own
        for key in keys:
            value = value.get(key) if isinstance(value, Mapping) else None
        if value is None:
            raise ConfigError(f"{dotted(keys)} has no value: it was redacted", hint=f"{dotted(keys)}=<the secret>")
        for key in keys[:-1]:
            box = box[key]
        box[keys[-1]] = value
    return filled


def _filled(declared: Declared | None, plain: Mapping[Any, Any]) -> dict[Any, Any]:
    filled: dict[Any, Any] = copy.deepcopy(dict(plain))
    for keys in redacted_keys(plain):
        value = _declared_value(declared, keys) if declared is not None else None
        if value not in (None, "") and not redacted_keys({"it": value}):
            box = filled
            for key in keys[:-1]:
                box = box[key]
            box[keys[-1]] = value
    return filled


def _declared_value(declared: Declared, keys: Keys) -> Any:
    node: Any = own_copy(declared.base)
    try:
        for key in keys:
            node = node[key]
        return plain_config({"it": node})["it"]
    except (OmegaConfBaseException, KeyError, TypeError):
        return None


def _refilled(declared: Declared, literal: dict[Any, Any]) -> Any:
    cfg = own_copy(declared.base)
    open_up(cfg)
    empty_open(cfg)
    merge(cfg, literal)
    _settle(cfg)
    return _as_kind(declared, cfg)


def _with_given(cfg: DictConfig, given: Any) -> DictConfig:
    kind = OmegaConf.get_type(given) if isinstance(given, DictConfig) else type(given)
    if is_structured(kind):
        _check_kind(OmegaConf.get_type(cfg), kind)
        return own_copy(given if isinstance(given, DictConfig) else OmegaConf.structured(given))
    if not isinstance(given, Mapping):
        raise ConfigError(f"{given!r} is no configuration", hint="a mapping, a DictConfig or a dataclass instance")
    merge(cfg, _without_redacted(given))
    return cfg


def _without_redacted(given: Mapping[Any, Any]) -> Mapping[Any, Any]:
    """Leave out what a run.lock does not tell: the declared default stands for it."""
    plain = OmegaConf.to_container(given, resolve=False) if isinstance(given, DictConfig) else given
    if not isinstance(plain, Mapping) or not redacted_keys(plain):
        return given
    return without_redacted(plain)


def _check_kind(wanted: Any, kind: Any) -> None:
    """Names are compared, not classes: running a notebook's cell again makes another class of the same name."""
    if is_structured(wanted) and wanted.__qualname__ not in [parent.__qualname__ for parent in kind.__mro__]:
        raise ConfigError(f"the configuration is a {wanted.__qualname__}, not a {kind.__qualname__}")


def _settle(cfg: DictConfig) -> None:
    """Resolve a configuration that has all its values."""
    open_up(cfg)
    for keys, node in walk(cfg):
        if is_missing(node):
            what = hint_name(node_hint(node))
            raise ConfigError(f"{dotted(keys)} has no value", hint=f"{dotted(keys)}=<{what}>")
    resolve(cfg)
    for keys, node in walk(cfg):
        if isinstance(value := as_written(node), str) and MARK in value:
            raise ConfigError(f"{dotted(keys)} has no value: it was redacted", hint=f"{dotted(keys)}=<the secret>")


def _resolved(declared: Declared, cfg: DictConfig, folder: Path) -> Resolved:
    written = OmegaConf.select(cfg, "save_dir")
    absolute = _absolute(folder, written) if written and isinstance(written, str | Path) else None
    if absolute is not None:
        override(cfg, "save_dir", escaped(absolute))
    value = _as_kind(declared, cfg)
    plain = plain_config(value)
    chosen = plain.get("save_dir")
    if chosen is None:
        return Resolved(value, plain, None, None)
    if not isinstance(chosen, str) or not chosen:
        raise ConfigError(f"save_dir is {chosen!r}, not a folder", hint="save_dir=results/my_run")
    if chosen != absolute:  # by the dataclass's own __post_init__
        written, absolute = chosen, _absolute(folder, chosen)
        object.__setattr__(value, "save_dir", type(value.save_dir)(absolute))
    return Resolved(value, plain | {"save_dir": str(written)}, Path(absolute), str(written))


def _absolute(folder: Path, path: str | Path) -> str:
    return os.path.abspath(folder / path)  # noqa: PTH100  # links stay: `resolve` would follow them


def _as_kind(declared: Declared, cfg: DictConfig) -> Any:
    if declared.kind == "dict":
        return OmegaConf.to_container(cfg, resolve=True)
    if declared.kind == "dictconfig":
        close_again(cfg)
        return cfg
    try:
        return OmegaConf.to_object(cfg)
    except (OmegaConfBaseException, ValueError, TypeError, AssertionError) as error:
        name = getattr(OmegaConf.get_type(cfg), "__name__", "configuration")
        reason = " ".join(str(error).split("full_key")[0].split()) or type(error).__name__
        raise ConfigError(f"{name}: {reason}") from error
