"""From what was declared, written in files and typed, to the one configuration of a run."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from naga.config.declared import Declared
from naga.config.field_types import hint_name, is_structured
from naga.config.interpolation import resolve
from naga.config.merge import merge, override, override_text
from naga.config.omegaconf_nodes import (
    as_written,
    close_again,
    dotted,
    escaped,
    node_hint,
    open_up,
    own_copy,
    walk,
)
from naga.config.plain import plain_config
from naga.config.typed_text import read_file
from naga.errors import ConfigError
from naga.secrets import MARK, redacted_keys, without_redacted


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
    """Lay everything that was said over the declared defaults, and resolve it once."""
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
    resolve_values(cfg)
    return _resolved(declared, cfg, folder)


def _with_given(cfg: DictConfig, given: Any) -> DictConfig:
    kind = OmegaConf.get_type(given) if isinstance(given, DictConfig) else type(given)
    if is_structured(kind):
        _check_kind(OmegaConf.get_type(cfg), kind)
        return own_copy(given if isinstance(given, DictConfig) else OmegaConf.structured(given))
    if not isinstance(given, Mapping):
        raise ConfigError(f"{given!r} is no configuration", hint="a mapping, a DictConfig or a dataclass instance")
    plain: Any = OmegaConf.to_container(given, resolve=False) if isinstance(given, DictConfig) else given
    # What a run.lock does not tell is left out: the declared default stands for it.
    merge(cfg, without_redacted(plain) if redacted_keys(plain) else given)
    return cfg


def _check_kind(wanted: Any, kind: Any) -> None:
    """Names are compared, not classes: running a notebook's cell again makes another class of the same name."""
    if is_structured(wanted) and wanted.__qualname__ not in [parent.__qualname__ for parent in kind.__mro__]:
        raise ConfigError(f"the configuration is a {wanted.__qualname__}, not a {kind.__qualname__}")


def resolve_values(cfg: DictConfig) -> None:
    """Resolve a configuration that has all its values."""
    open_up(cfg)
    for keys, node in walk(cfg):
        if as_written(node) == "???":
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
    value = as_kind(declared, cfg)
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


def as_kind(declared: Declared, cfg: DictConfig) -> Any:
    """Give a resolved configuration as the kind of object that the task declares."""
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
