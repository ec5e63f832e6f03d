"""Tracked inputs: what the keys named by ``@track_data`` hold, and the hash of what lies there.

A key holds a path, a list or mapping of paths, or a glob. `_places` alone knows these forms; what it finds is hashed
like a folder whose names are the positions of the list, the keys of the mapping, or the paths that match.
"""

import difflib
import glob
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from naga.capture.manifest import write_inputs
from naga.capture.tree_hash import Tree, combine, hash_path
from naga.errors import ConfigError, DataError
from naga.marks import Tracked
from naga.record.schema import Data

__all__ = ["capture_data", "changed_inputs", "require_inputs", "tracked_paths"]


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the data of one value lies: at a path, or at several under names of their own."""

    kind: str
    path: Path = Path()
    inside: Mapping[str, "_Place"] | None = None

    def paths(self) -> Iterator[Path]:
        if self.inside is None:
            yield self.path
        else:
            for place in self.inside.values():
                yield from place.paths()


def tracked_paths(config: Mapping[Any, Any], tracked: Sequence[Tracked], base: Path) -> tuple[Path, ...]:
    """List the absolute paths of all inputs, whether or not anything lies there.

    Parameters
    ----------
    config : mapping
        The resolved configuration.
    tracked : sequence of Tracked
        What the decorators declare.
    base : Path
        What relative paths are relative to.

    Raises
    ------
    ConfigError
        A key is not in the configuration, or holds no path.

    Examples
    --------
    >>> [str(path) for path in tracked_paths({"train": "data/a.csv"}, [Tracked(keys=("train",))], Path("/home/me"))]
    ['/home/me/data/a.csv']
    """
    places = _all_places(config, tracked, base).values()
    return tuple(dict.fromkeys(path for _, place in places for path in place.paths()))


def require_inputs(config: Mapping[Any, Any], tracked: Sequence[Tracked], base: Path) -> None:
    """Refuse where an input is missing, before anything is written; nothing is read.

    Raises
    ------
    ConfigError
        A key is not in the configuration, or holds no path.
    DataError
        Nothing lies where a key points.
    """
    for key, (_, place) in _all_places(config, tracked, base).items():
        _require(key, place)


def _require(key: str, place: _Place) -> None:
    if place.inside is None:
        if not place.path.exists():
            _refuse_missing(key, place.path)
        return
    if place.kind == "glob" and not place.inside:
        raise DataError(f"{key}: nothing matches '{place.path}'", hint=f"{key}=PATH")
    for name, inner in place.inside.items():
        _require(f"{key}.{name}", inner)


def _refuse_missing(key: str, path: Path) -> NoReturn:
    if path.is_symlink():
        raise DataError(f"{key}: '{path}' is a link to '{path.readlink()}', which does not exist", hint=f"{key}=PATH")
    raise DataError(f"{key}: no file or folder {str(path)!r}", hint=f"{key}=PATH")


def capture_data(
    config: Mapping[Any, Any], tracked: Sequence[Tracked], base: Path, *, manifest_dir: Path | None
) -> dict[str, Data]:
    """Hash all inputs.

    Parameters
    ----------
    config, tracked, base
        As for `tracked_paths`.
    manifest_dir : Path, optional
        Where to write ``inputs.json``, the list of all files.

    Raises
    ------
    ConfigError
        A key is not in the configuration, or holds no path.
    DataError
        An input is missing, cannot be read, keeps changing, or is neither file nor folder.
    """
    captured, manifests = {}, {}
    for key, (declared, place) in _all_places(config, tracked, base).items():
        tree = _hash_place(key, place, declared)
        captured[key] = _data(_value(config, key), tree)
        manifests[key] = tree.entries(place.path.name if tree.kind == "file" else "")
    if manifest_dir is not None and captured:
        manifest_dir.mkdir(parents=True, exist_ok=True)
        write_inputs(manifest_dir / "inputs.json", manifests)
    return captured


def changed_inputs(
    before: Mapping[str, Data], config: Mapping[Any, Any], tracked: Sequence[Tracked], base: Path
) -> tuple[str, ...]:
    """Hash all inputs once more and name those that are not what they were, one warning each."""
    warnings = []
    for declared in tracked:
        for key in declared.keys:
            if key not in before:
                continue
            try:
                after = capture_data(config, [Tracked(keys=(key,), ignore=declared.ignore)], base, manifest_dir=None)
            except DataError as error:
                warnings.append(f"{error.message}: it was there when the run began")
                continue
            if after[key].hash != before[key].hash:
                warnings.append(f"{key}: {_shown(before[key].path)} changed while the run was running")
    return tuple(warnings)


def _all_places(config: Mapping[Any, Any], tracked: Sequence[Tracked], base: Path) -> dict[str, tuple[Tracked, _Place]]:
    """Find every tracked key's places; a key that is null tracks nothing."""
    keys = ((key, declared) for declared in tracked for key in declared.keys)
    found = ((key, declared, _value(config, key)) for key, declared in keys)
    return {key: (declared, _places(key, value, base)) for key, declared, value in found if value is not None}


def _value(config: Mapping[Any, Any], key: str) -> Any:
    node: Any = config
    for name in key.split("."):
        if not isinstance(node, Mapping) or name not in node:
            raise _unknown(key, config)
        node = node[name]
    return node


def _unknown(key: str, config: Mapping[Any, Any]) -> ConfigError:
    near = difflib.get_close_matches(key, list(_keys(config, "")), n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else "name a key of the configuration"
    return ConfigError(f"@track_data({key!r}): the configuration has no such key", hint=hint)


def _keys(config: Mapping[Any, Any], above: str) -> Iterator[str]:
    for name, value in config.items():
        yield f"{above}{name}"
        if isinstance(value, Mapping):
            yield from _keys(value, f"{above}{name}.")


def _places(key: str, value: Any, base: Path) -> _Place:
    if isinstance(value, Mapping):
        return _Place("dict", inside=_several(key, value.items(), base))
    if isinstance(value, list | tuple):
        return _Place("list", inside=_several(key, enumerate(value), base))
    if not isinstance(value, str | os.PathLike) or os.fspath(value) in ("", "???"):
        raise ConfigError(f"{key} is {value!r}, not a path", hint=f"{key}=PATH")
    text = os.fspath(value)
    if glob.has_magic(text) and not os.path.lexists(base / text):
        return _Place("glob", base / text, _matches(text, base))
    return _Place("path", base / text)


def _several(key: str, items: Any, base: Path) -> dict[str, _Place]:
    return {str(name): _places(f"{key}.{name}", value, base) for name, value in items if value is not None}


def _matches(pattern: str, base: Path) -> dict[str, _Place]:
    """Find what a glob matches, by the path from the first name that is a pattern on."""
    names = Path(pattern).parts
    fixed = Path(*names[: next(place for place, name in enumerate(names) if glob.has_magic(name))])
    found = [Path(match) for match in glob.glob(pattern, root_dir=base, recursive=True)]  # noqa: PTH207  # has root_dir
    known = set(found)
    topmost = [path for path in found if known.isdisjoint(path.parents)]  # what a matching folder holds is in its hash
    return {str(path.relative_to(fixed)): _Place("path", base / path) for path in topmost}


def _hash_place(key: str, place: _Place, declared: Tracked) -> Tree:
    _require(key, place)
    if place.inside is not None:
        trees = {name: _hash_place(f"{key}.{name}", inner, declared) for name, inner in place.inside.items()}
        return combine(place.kind, trees)
    try:
        return hash_path(place.path, ignore=declared.ignore)
    except DataError as error:
        raise DataError(f"{key}: {error.message}", hint=error.hint or f"{key}=PATH") from None


def _data(value: Any, tree: Tree) -> Data:
    return Data(
        path=_plain(value),
        kind=tree.kind,
        hash=tree.hash,
        size_bytes=tree.size_bytes,
        files=tree.files,
        source="fresh",
    )


def _plain(value: Any) -> Any:
    """Write a value as the user did, with strings for path objects."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value if value is None else os.fspath(value)


def _shown(path: Any) -> str:
    text = repr(path)
    return text if len(text) <= 80 else text[:77] + "..."
