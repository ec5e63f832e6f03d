"""From a recorded configuration back to the object that the task declares."""

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from naga.config.compose import as_kind, resolve_values
from naga.config.declared import Declared
from naga.config.merge import merge, override_text
from naga.config.omegaconf_nodes import Keys, dotted, empty_open, escaped, open_up, own_copy
from naga.config.plain import plain_config
from naga.errors import ConfigError
from naga.secrets import redact_config, redacted_keys
from naga.terminal import say


def same_secrets(plain: Mapping[Any, Any], recorded: Mapping[Any, Any]) -> dict[Any, Any]:
    """Redact a configuration where a recorded one is, so that the two can be compared."""
    alike: dict[Any, Any] = _hidden_as(redact_config(plain), recorded)
    return alike


def _hidden_as(plain: Any, recorded: Any) -> Any:
    if isinstance(plain, Mapping) and isinstance(recorded, Mapping):
        return {key: _hidden_as(item, recorded.get(key)) for key, item in plain.items()}
    return recorded if redacted_keys({"it": recorded}) and not isinstance(recorded, Mapping) else plain


def reveal(plain: Mapping[Any, Any], overrides: Sequence[str]) -> dict[Any, Any]:
    """Fill in values that were redacted in a recorded configuration, from ``key=value``; others cannot be changed."""
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
    """Turn a recorded configuration into the kind of object that the function declares.

    Nothing in it is interpolated. Where the declaration has changed so much that the record does not fit it any more,
    it is a plain DictConfig. A value that was redacted is what the declaration gives now, from the environment if it
    says so; where that gives nothing, it stays ``<redacted>``.
    """
    literal = escaped(with_declared_secrets(declared, plain) if declared else dict(plain))
    place = {"save_dir": escaped(str(save_dir))}
    if declared is not None:
        try:
            return _refilled(declared, literal | place if "save_dir" in plain else literal)
        except ConfigError as error:
            say(f"warning: the recorded configuration does not fit what is declared now, so it stays plain: {error}")
    return OmegaConf.create(literal | place)


def with_secrets(plain: Mapping[Any, Any], own: Mapping[Any, Any]) -> dict[Any, Any]:
    """Fill in what was redacted in a configuration from one that was composed here."""
    filled = copy.deepcopy(dict(plain))
    for keys in redacted_keys(plain):
        value: Any = own
        for key in keys:
            value = value.get(key) if isinstance(value, Mapping) else None
        if value is None:
            raise ConfigError(f"{dotted(keys)} has no value: it was redacted", hint=f"{dotted(keys)}=<the secret>")
        _put(filled, keys, value)
    return filled


def with_declared_secrets(declared: Declared, plain: Mapping[Any, Any]) -> dict[Any, Any]:
    """Fill in what was redacted with what is declared now, from the environment where that is declared."""
    filled = copy.deepcopy(dict(plain))
    for keys in redacted_keys(plain):
        value = _declared_value(declared, keys)
        if value not in (None, "") and not redacted_keys({"it": value}):
            _put(filled, keys, value)
    return filled


def _put(box: Any, keys: Keys, value: Any) -> None:
    for key in keys[:-1]:
        box = box[key]
    box[keys[-1]] = value


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
    resolve_values(cfg)
    return as_kind(declared, cfg)
