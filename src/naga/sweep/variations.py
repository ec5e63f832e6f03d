"""The configurations of all points: composed one by one only where a value may depend on another.

Most sweeps vary plain values that nothing refers to. There, a value is laid over what all points have in common once,
which checks its key and its type, and every point is that configuration with other leaves: thousands in a second.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from omegaconf import Container, DictConfig

from naga.config.compose import Resolved, compose, with_files
from naga.config.declared import Declared
from naga.config.merge import override, override_text
from naga.config.omegaconf_nodes import Keys, as_written, is_live, leaf, node_type, own_copy, walk
from naga.config.plain import plain_config
from naga.secrets import MARK


def variations(
    declared: Declared,
    listing: Sequence[tuple[str, ...]],
    *,
    keywords: Mapping[str, Any],
    overrides: Sequence[str],
    files: Sequence[tuple[Path, str | None]],
) -> list[Resolved]:
    """Compose what all points have in common, and each point with its own overrides, as `compose` would."""

    def composed(point: tuple[str, ...]) -> Resolved:
        return compose(declared, keywords=keywords, overrides=[*overrides, *point], files=files)

    first = composed(listing[0])
    swept = _keys(listing[0])
    common = with_files(declared, files)
    for key, value in keywords.items():
        override(common, key, value)
    for text in overrides:
        override_text(common, text)
    if len(set(swept)) < len(swept) or "save_dir" in swept or not _is_independent(declared, common):
        return [first, *map(composed, listing[1:])]
    leaf_of = cache(lambda text: _leaf_of(common, text))
    found = [first]
    for point in listing[1:]:
        leaves = [leaf_of(text) for text in point] if _keys(point) == swept else [None]
        known = [one for one in leaves if one is not None]
        found.append(_with_leaves(first, known) if len(known) == len(leaves) else composed(point))
    return found


def _keys(point: tuple[str, ...]) -> list[str]:
    return [text.partition("=")[0] for text in point]


def _is_independent(declared: Declared, cfg: DictConfig) -> bool:
    """Return whether no value can depend on another, by an interpolation or by what a class computes."""
    return all(
        not (isinstance(value := None if is_live(node) else as_written(node), str) and "${" in value)
        and (declared.kind != "object" or not isinstance(node, Container) or _only_holds(node_type(node)))
        for _, node in walk(cfg)
    )


def _only_holds(kind: Any) -> bool:
    """Return whether a class only stores what it is made with."""
    if not dataclasses.is_dataclass(kind):
        return kind in (dict, list, tuple, None)
    how = getattr(kind, "__dataclass_params__")  # noqa: B009  # no type checker knows it
    is_own = hasattr(kind, "mirrors") or hasattr(kind, "__post_init__") or not how.init
    stores = how.frozen or kind.__setattr__ is object.__setattr__
    return stores and not is_own and all(field.init for field in dataclasses.fields(kind))


def _leaf_of(common: DictConfig, text: str) -> tuple[Keys, Any] | None:
    """Try one override; return its place and its recorded value, None where it is no plain value."""
    keys = tuple(text.partition("=")[0].split("."))
    node = leaf(common, keys)
    if node is None or "${" in text or "???" in text or MARK in text:
        return None
    tried = own_copy(common)
    override_text(tried, text)
    node = leaf(tried, keys)
    return None if node is None else (keys, plain_config({0: as_written(node)})[0])


def _with_leaves(first: Resolved, leaves: Sequence[tuple[Keys, Any]]) -> Resolved:
    plain = dict(first.plain)
    for (*above, last), value in leaves:
        box = plain
        for key in above:
            box[key] = box = dict(box[key])
        box[last] = value
    return replace(first, value=None, plain=plain, elsewhere=None)
