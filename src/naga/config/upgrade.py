"""Old configurations read by new code: fields that were renamed, added, removed or changed since.

A run.lock is never rewritten. What it holds is brought into today's words each time it is read, in this order: the
functions that the author has written for it; then the former names of fields; then values for fields that did not exist
yet: what the older code did, where the author says so, else today's default. What is no longer declared is taken out,
and stays readable where the kind of configuration has room for it.
"""

import copy
import dataclasses
import json
from collections.abc import Iterator, Mapping
from dataclasses import field
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf, open_dict

from naga.config.compose import as_kind, resolve_values
from naga.config.declared import Declared
from naga.config.field_types import element_hint
from naga.config.merge import dotted_keys, merge, nearest_key, override
from naga.config.omegaconf_nodes import (
    Keys,
    as_written,
    child,
    children,
    dotted,
    empty_open,
    escaped,
    expanded,
    is_live,
    is_open,
    node_hint,
    open_up,
    own_copy,
)
from naga.config.plain import differing_keys, plain_config, value_at
from naga.config.recorded import rebuild, with_declared_secrets
from naga.declarations import Former, Upgrade
from naga.errors import ConfigError, NagaError, UsageError
from naga.frozen import dataclass
from naga.secrets import MARK, redact_config, redacted_keys
from naga.wording import did_you_mean

_ABSENT = object()


@dataclass(frozen=True, slots=True)
class Filled:
    """A value that the run.lock does not hold, and its source: ``default``, ``before`` or ``upgrade``."""

    value: Any
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Upgraded:
    """A recorded configuration as today's code takes it."""

    value: Any  # of the declared kind
    filled: Mapping[str, Filled] = field(default_factory=dict)
    renamed: Mapping[str, str] = field(default_factory=dict)  # today's key -> the recorded one
    removed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Past:
    """What is declared of one field's past."""

    was: tuple[str, ...] = ()
    before: Any = _ABSENT


def read_recorded(
    declared: Declared | None,
    recorded: Mapping[Any, Any],
    save_dir: Path,
    *,
    former: Former | None = None,
    further: Upgrade | None = None,
    run: Any = None,
) -> Upgraded:
    """Turn a recorded configuration into the kind and the fields that are declared today.

    The function that upgrades for the task comes before the ``further`` one, a diag's.

    Raises
    ------
    ConfigError
        Where a value does not fit its type any more, or a field without a default did not exist yet.
    """
    if declared is None:
        return Upgraded(value=rebuild(None, recorded, save_dir))
    plain: dict[Any, Any] = copy.deepcopy(dict(recorded))
    for function in (former.upgrade if former else None, further):
        plain = _applied(function, plain, run) if function else plain
    changed = differing_keys(recorded, plain)
    cfg = own_copy(declared.base)
    open_up(cfg)
    past = declared_past(declared, former)
    renamed = _rename(plain, past)
    removed = dict(_take_out_unknown(plain, cfg, ()))
    absent = {keys: past.get(dotted(keys), Past()).before for keys in _absent(plain, cfg, ())}
    before = {keys: value for keys, value in absent.items() if value is not _ABSENT}
    value = _built(declared, plain, before, save_dir)
    given = redact_config(plain_config(value))  # what was filled is printed and published
    why = {dotted(keys): "before" if keys in before else "default" for keys in absent}
    why |= {key: "upgrade" for key in changed if value_at(given, key, _ABSENT) is not _ABSENT}
    return Upgraded(
        value=_with_removed(value, removed),
        filled={key: Filled(value_at(given, key), reason) for key, reason in why.items() if key != "save_dir"},
        renamed=renamed,
        removed=tuple(map(dotted, removed)),
    )


def declared_past(declared: Declared, former: Former | None) -> dict[str, Past]:
    """Collect what fields and ``@clicfg`` declare of the past; a field wins, and contradictions are refused."""
    cfg = own_copy(declared.base)
    open_up(cfg)
    past = {dotted(keys): _of_metadata(metadata) for keys, metadata in _fields(cfg, ())}
    former = former or Former()
    for key in [*former.keys, *former.before]:
        if key not in past:
            known = list(dotted_keys(cfg))
            raise UsageError(
                f"@clicfg says of {key!r} what it was, which the configuration does not have",
                hint=did_you_mean(nearest_key(key, known), known),
            )
        past[key] = _both(key, past[key], Past(former.keys.get(key, ()), former.before.get(key, _ABSENT)))
    return past


def config_digest(plain: Mapping[Any, Any], before: Mapping[str, Any]) -> str:
    """Digest of all in a configuration that decides a run's results: equal digests mean equal configurations.

    Left out are secrets, save_dir wherever it stands, and every key that has the value which stands in ``before`` for
    runs that are older than the key: adding a key with its ``before`` changes no digest. It is the same under all
    versions of OmegaConf, since it is made of plain values.

    Examples
    --------
    >>> one = config_digest({"lr": 0.1, "save_dir": "a", "log": "a/log"}, {})
    >>> two = {"lr": 0.1, "dropout": 0.5, "save_dir": "b", "log": "b/log", "password": "x"}
    >>> one == config_digest(two, {"dropout": 0.5})
    True
    """
    import hashlib

    rest = {key: value for key, value in plain.items() if key != "save_dir"}
    text = json.dumps(_deciding(rest, plain.get("save_dir") or "", before, ""), sort_keys=True, default=str)
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()


def _deciding(value: Any, save_dir: str, before: Mapping[str, Any], above: str) -> Any:
    if isinstance(value, list | tuple):
        return [_deciding(item, save_dir, {}, "") for item in value]
    if isinstance(value, str) and save_dir and f"{value}/".startswith(f"{save_dir}/"):
        return "<save_dir>" + value.removeprefix(save_dir)
    if not isinstance(value, Mapping):
        return value
    secrets = {keys[0] for keys in redacted_keys(redact_config(value)) if len(keys) == 1}
    items = {
        key: _deciding(item, save_dir, before, f"{above}{key}.") for key, item in value.items() if key not in secrets
    }
    return {str(key): item for key, item in items.items() if item != before.get(f"{above}{key}", _ABSENT)}


def _fields(box: Any, keys: Keys) -> Iterator[tuple[Keys, Mapping[str, Any]]]:
    kind = OmegaConf.get_type(box)
    for key, node in children(box):
        yield (*keys, key), _metadata(kind, str(key))
        if isinstance(node, DictConfig):
            yield from _fields(node, (*keys, key))


def _metadata(kind: Any, name: str) -> Mapping[str, Any]:
    if model := getattr(getattr(kind, "mirrors", None), "model_fields", None):  # pydantic's fields have no metadata
        extra = model[name].json_schema_extra if name in model else None
        return extra if isinstance(extra, dict) else {}
    if dataclasses.is_dataclass(kind):
        return next((one.metadata for one in dataclasses.fields(kind) if one.name == name), {})
    return next((one.metadata for one in getattr(kind, "__attrs_attrs__", ()) if one.name == name), {})


def _of_metadata(metadata: Mapping[str, Any]) -> Past:
    was = metadata.get("was", ())
    return Past((was,) if isinstance(was, str) else tuple(was), metadata.get("before", _ABSENT))


def _both(key: str, own: Past, other: Past) -> Past:
    for what, mine, theirs, nothing in (("was", own.was, other.was, ()), ("before", own.before, other.before, _ABSENT)):
        if nothing not in (mine, theirs) and mine != theirs:
            raise UsageError(
                f"{key}: the field says {what}={mine!r}, @clicfg {what}={theirs!r}", hint="say it once, on the field"
            )
    return Past(own.was or other.was, other.before if own.before is _ABSENT else own.before)


def _applied(function: Upgrade, plain: dict[Any, Any], run: Any) -> dict[Any, Any]:
    name = getattr(function, "__qualname__", repr(function))
    try:
        result = function(plain, run)
    except NagaError:
        raise
    except Exception as error:  # it is the user's code
        raise ConfigError(f"{name}(): {type(error).__name__}: {error}".splitlines()[0]) from error
    if not isinstance(result, Mapping):
        raise ConfigError(f"{name}() returned {type(result).__name__}, not the configuration", hint="return config")
    return plain_config(result)


def _rename(plain: dict[Any, Any], past: Mapping[str, Past]) -> dict[str, str]:
    """Move values to their new places; groups come before what is in them, and take it with them."""
    renamed: dict[str, str] = {}
    for key, one in past.items():
        for former in one.was:
            place = _followed(former, renamed)
            if value_at(plain, key, _ABSENT) is _ABSENT and value_at(plain, place, _ABSENT) is not _ABSENT:
                _put(plain, key, _pop(plain, place))
                renamed[key] = former
                break
    return renamed


def _followed(path: str, renamed: Mapping[str, str]) -> str:
    """Say where a recorded path is after the renamings so far."""
    for key, former in renamed.items():
        if path.startswith(f"{former}."):
            path = key + path.removeprefix(former)
    return path


def _put(plain: dict[Any, Any], path: str, value: Any) -> None:
    *groups, name = path.split(".")
    for group in groups:
        if not isinstance(plain.get(group), dict):
            plain[group] = {}
        plain = plain[group]
    plain[name] = value


def _pop(plain: dict[Any, Any], path: str) -> Any:
    """Remove a value, and any group that this leaves empty."""
    group, _, name = path.rpartition(".")
    box = value_at(plain, group) if group else plain
    value = box.pop(name)
    if group and not box:
        _pop(plain, group)
    return value


def _take_out_unknown(plain: Any, box: Any, keys: Keys) -> Iterator[tuple[Keys, Any]]:
    """Remove what is not declared, and return it with its path."""
    for key, inner, node in _pairs(plain, box):
        if node is None and isinstance(plain, dict) and not is_open(box):
            yield (*keys, key), plain.pop(key)
        elif node is not None:
            yield from _take_out_unknown(inner, node, (*keys, key))


def _pairs(plain: Any, box: Any) -> list[tuple[Any, Any, Any]]:
    """Yield the keys and values of a recorded container, each with the declared one that it is for, or None."""
    if isinstance(plain, list) and isinstance(box, ListConfig):
        return [(i, item, expanded(element_hint(node_hint(box), i))) for i, item in enumerate(plain)]
    if isinstance(plain, dict) and isinstance(box, DictConfig):
        names = {str(key): key for key, _ in children(box)}
        return [
            (key, inner, _for(inner, child(box, names[str(key)])) if str(key) in names else None)
            for key, inner in plain.items()
        ]
    return []


def _for(inner: Any, node: Any) -> Any:
    """Return the container that takes a recorded value: the declared one, or one made from its type."""
    if is_live(node) or not isinstance(inner, dict):
        return node
    return expanded(node_hint(node)) or node


def _absent(plain: Mapping[Any, Any], box: Any, keys: Keys) -> Iterator[Keys]:
    """Return the paths of declared values that a recorded configuration lacks."""
    names = {str(key): inner for key, inner in plain.items()}
    for key, node in children(box):
        inner: Any = names.get(str(key), _ABSENT)
        is_group = isinstance(node, DictConfig) and is_live(node) and not is_open(node)
        if is_group and (inner is _ABSENT or isinstance(inner, Mapping)):
            yield from _absent(inner if isinstance(inner, Mapping) else {}, node, (*keys, key))
        elif inner is _ABSENT:
            yield (*keys, key)


def _is_literal(plain: dict[Any, Any], literal: dict[Any, Any], save_dir: Path) -> bool:
    """Return whether nothing is left to interpolate, to fill in or to refuse: with nothing declared, that is all."""
    text = f"{plain} {save_dir}"
    return plain == literal and not any(mark in text for mark in ("???", "${", MARK))


def _built(declared: Declared, plain: dict[Any, Any], before: Mapping[Keys, Any], save_dir: Path) -> Any:
    literal = escaped(with_declared_secrets(declared, plain))
    if declared.kind == "dictconfig" and not len(declared.base) and _is_literal(plain, literal, save_dir):
        return OmegaConf.create(plain | ({"save_dir": str(save_dir)} if "save_dir" in plain else {}))
    cfg = own_copy(declared.base)
    open_up(cfg)
    empty_open(cfg)
    merge(cfg, literal)
    for keys, value in before.items():
        override(cfg, dotted(keys), value)
    for keys in _absent(plain, cfg, ()):
        if as_written(_at(cfg, keys)) == "???":
            key = dotted(keys)
            raise ConfigError(f"{key} has no value: the run is older than it", hint=f"@clicfg(before={{{key!r}: ...}})")
    resolve_values(cfg)
    if "save_dir" in plain:  # only now: what derives from it is as it was recorded
        override(cfg, "save_dir", escaped(str(save_dir)))
    return as_kind(declared, cfg)


def _with_removed(value: Any, removed: Mapping[Keys, Any]) -> Any:
    """Add what is no longer declared to the rest, where the kind of configuration allows that."""
    for keys, item in removed.items():
        box = value
        for key in keys[:-1]:
            box = box[key] if isinstance(box, dict | list | DictConfig | ListConfig) else None
        if isinstance(box, dict):
            box[keys[-1]] = item
        elif isinstance(box, DictConfig):
            with open_dict(box):
                box[keys[-1]] = escaped(item)
    return value


def _at(cfg: Any, keys: Keys) -> Any:
    for key in keys:
        cfg = child(cfg, key)
    return cfg
