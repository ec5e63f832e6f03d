"""From defaults, files and typed words to the one configuration of a run."""

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from omegaconf import DictConfig, OmegaConf

from naga.config.declared import Declared
from naga.config.field_types import hint_name, is_computed, is_structured
from naga.config.interpolation import Memory, resolve
from naga.config.merge import merge, override, override_text
from naga.config.objects import instantiate, is_object, mirrored
from naga.config.omegaconf_nodes import (
    as_written,
    child,
    close_again,
    dotted,
    escaped,
    node_hint,
    node_type,
    open_up,
    own_copy,
    parent_type,
    walk,
)
from naga.config.plain import plain_config
from naga.config.typed_text import read_file
from naga.errors import ConfigError
from naga.frozen import dataclass
from naga.paths import expanded
from naga.secrets import MARK, redacted_keys, without_redacted


@dataclass(frozen=True, slots=True)
class Resolved:
    """The configuration of one run.

    ``value`` is what the function gets, of the kind that it declared, with an absolute save_dir; ``plain`` is what is
    recorded, with save_dir as the user wrote it.
    """

    value: Any
    plain: dict[Any, Any]
    save_dir: Path | None
    written_save_dir: str | None
    elsewhere: Callable[[str], "Resolved"] | None = None
    """Gives the same configuration with another save_dir; None where the name was meant: typed, passed, or no time."""


def compose(
    declared: Declared,
    *,
    given: Any = None,
    keywords: Mapping[str, Any] = MappingProxyType({}),
    overrides: Sequence[str] = (),
    files: Sequence[tuple[Path, str | None]] = (),
    base: Path | None = None,
) -> Resolved:
    """Merge files, arguments and overrides into the declared defaults, and resolve the result once."""
    folder = base or Path.cwd()
    cfg = with_files(declared, files, base)
    if given is not None:
        cfg = _with_given(cfg, given)
        declared = declared if isinstance(given, Mapping) else replace(declared, original=given)
    for key, value in keywords.items():
        override(cfg, key, value)
    for text in overrides:
        override_text(cfg, text)
    said = {text.partition("=")[0] for text in overrides} | keywords.keys()
    written = _time_in_save_dir(cfg)
    if not written or "save_dir" in said or (given is not None and written != _time_in_save_dir(declared.base)):
        resolve_values(cfg)
        return _resolved(declared, cfg, folder)
    unresolved, memory = own_copy(cfg), Memory()
    resolve_values(cfg, memory)

    def elsewhere(save_dir: str) -> Resolved:
        # Everything that derives from save_dir follows it; what does not stays as it was first evaluated.
        cfg = own_copy(unresolved)
        override(cfg, "save_dir", escaped(save_dir))
        resolve_values(cfg, memory)
        return _resolved(declared, cfg, folder)

    return replace(_resolved(declared, cfg, folder), elsewhere=elsewhere)


def with_files(declared: Declared, files: Sequence[tuple[Path, str | None]], base: Path | None = None) -> DictConfig:
    """Merge files into a copy of the declared defaults."""
    cfg = own_copy(declared.base)
    for file, experiment in files:
        merge(cfg, without_redacted(read_file(base / file if base else file, experiment)), source=str(file))
    return cfg


def written_save_dir(declared: Declared, *, overrides: Sequence[str], files: Sequence[tuple[Path, str | None]]) -> str:
    """Return save_dir before its interpolations are resolved, with any ``${now:...}`` of other keys put in."""
    cfg = with_files(declared, files)
    for text in overrides:
        override_text(cfg, text)
    written = as_written(child(cfg, "save_dir")) if "save_dir" in cfg.keys() else None  # noqa: SIM118  # `in` evaluates
    if written in (None, "", "???"):
        raise ConfigError("save_dir is missing: each point needs a folder", hint="save_dir=results/my_sweep")
    text = expanded(str(written))
    if _time_in_save_dir(cfg) and "${now:" not in text:  # through another key
        text = text.replace("${", "${now:", 1)
    return text


def _time_in_save_dir(cfg: DictConfig) -> str:
    """Return save_dir as written if ``${now:...}``, in it or in a key that it refers to, makes its name; else ''."""
    texts = {".".join(map(str, keys)): text for keys, node in walk(cfg) if isinstance(text := as_written(node), str)}
    names, seen = ["save_dir"], set[str]()
    while names:
        seen.add(name := names.pop())
        if "${now:" in texts.get(name, ""):
            return texts["save_dir"]
        names += [found for found in re.findall(r"\$\{([\w.]+)\}", texts.get(name, "")) if found not in seen]
    return ""


def _with_given(cfg: DictConfig, given: Any) -> DictConfig:
    kind = node_type(given) if isinstance(given, DictConfig) else type(given)
    if is_structured(kind):
        _check_kind(node_type(cfg), kind)
        return own_copy(given if isinstance(given, DictConfig) else OmegaConf.structured(given))
    if is_object(kind) and not isinstance(given, Mapping):
        _check_kind(node_type(cfg), kind)
        return mirrored(given)
    if not isinstance(given, Mapping):
        raise ConfigError(f"{given!r} is not a configuration", hint="a mapping, a DictConfig or a dataclass instance")
    plain: Any = OmegaConf.to_container(given, resolve=False) if isinstance(given, DictConfig) else given
    # What a run.lock does not tell is left out: the declared default stands for it.
    merge(cfg, without_redacted(plain) if redacted_keys(plain) else given)
    return cfg


def _check_kind(wanted: Any, kind: Any) -> None:
    """Refuse an object of another class; names are compared, since running a cell again makes a new class."""
    if is_structured(wanted) and wanted.__qualname__ not in [parent.__qualname__ for parent in kind.__mro__]:
        raise ConfigError(f"the configuration is a {wanted.__qualname__}, not a {kind.__qualname__}")


def resolve_values(cfg: DictConfig, memory: Memory | None = None) -> None:
    """Resolve a configuration that has all its values."""
    open_up(cfg)
    for keys, node in walk(cfg):
        if as_written(node) == "???" and not is_computed(parent_type(node), keys[-1]):
            what = hint_name(node_hint(node))
            raise ConfigError(f"{dotted(keys)} has no value", hint=f"{dotted(keys)}=<{what}>")
    written = as_written(child(cfg, "save_dir")) if "save_dir" in cfg.keys() else None  # noqa: SIM118  # `in` evaluates
    if isinstance(written, str | Path) and "${" not in str(written):
        override(cfg, "save_dir", expanded(str(written)))
    resolve(cfg, memory)
    for keys, node in walk(cfg):
        if isinstance(value := as_written(node), str) and MARK in value:
            raise ConfigError(f"{dotted(keys)} has no value: it was redacted", hint=f"{dotted(keys)}=<the secret>")


def _resolved(declared: Declared, cfg: DictConfig, folder: Path) -> Resolved:
    written = OmegaConf.select(cfg, "save_dir")
    written = expanded(str(written)) if written and isinstance(written, str | Path) else written
    absolute = _absolute(folder, written) if written and isinstance(written, str) else None
    if absolute is not None:
        override(cfg, "save_dir", escaped(absolute))
    value = as_kind(declared, cfg)
    plain = plain_config(value)
    if hasattr(node_type(cfg), "mirrors"):  # an object need not have what it is made of
        plain = {key: plain.get(key, value) for key, value in plain_config(cfg).items()}
    chosen = plain.get("save_dir")
    if chosen is None:
        return Resolved(value, plain, None, None)
    if not isinstance(chosen, str) or not chosen:
        raise ConfigError(f"save_dir is {chosen!r}, not a folder", hint="save_dir=results/my_run")
    if chosen != absolute:  # by the dataclass's own __post_init__
        written, absolute = chosen, _absolute(folder, expanded(chosen))
        object.__setattr__(value, "save_dir", type(value.save_dir)(absolute))
    return Resolved(value, plain | {"save_dir": str(written)}, Path(absolute), str(written))


def _absolute(folder: Path, path: str) -> str:
    return os.path.abspath(folder / path)  # noqa: PTH100  # links stay: `resolve` would follow them


def as_kind(declared: Declared, cfg: DictConfig) -> Any:
    """Return a resolved configuration as the kind of object that the task declares."""
    if declared.kind == "dict":
        return OmegaConf.to_container(cfg, resolve=True)
    if declared.kind == "dictconfig":
        close_again(cfg)
        return cfg
    return instantiate(cfg, declared.original)
