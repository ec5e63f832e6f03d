"""Where inputs are: what a key of the configuration may hold, and what it means.

A key holds a path, a list or mapping of paths, a glob, or a URL. Nothing else knows these forms.
"""

import glob
import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field
from pathlib import Path
from typing import Any

from naga.config.plain import ABSENT, value_at
from naga.errors import ConfigError, DataError
from naga.frozen import dataclass
from naga.paths import expanded
from naga.wording import did_you_mean, nearest

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[/:]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the data of one value is.

    ``kind`` is ``path`` or ``url``, or else ``list``, ``dict`` or ``glob``: several places under names of their own.
    """

    kind: str
    path: Path = Path()
    url: str = ""
    inside: Mapping[str, "Place"] = field(default_factory=dict)

    def require(self, key: str) -> None:
        """Refuse if nothing is there; what is remote is not asked for."""
        if self.kind == "path" and (problem := _problem(self.path)):
            raise DataError(f"{key}: {problem}", hint=f"{key}=PATH")
        if self.kind == "glob" and not self.inside:
            raise DataError(f"{key}: nothing matches '{self.path}'", hint=f"{key}=PATH")
        for name, place in self.inside.items():
            place.require(f"{key}.{name}")

    def is_remote(self) -> bool:
        """Return whether any of it is behind a URL."""
        return self.kind == "url" or any(place.is_remote() for place in self.inside.values())

    def paths(self) -> Iterator[Path]:
        """List the local paths, whether or not anything is there."""
        if self.kind == "path":
            yield self.path
        for place in self.inside.values():
            yield from place.paths()


def _problem(path: Path) -> str:
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, ValueError):
        if "\0" not in str(path) and path.is_symlink():
            return f"'{path}' is a link to '{path.readlink()}', which does not exist"
        return f"no file or folder '{path}'"
    except OSError as error:
        return f"'{path}' cannot be read: {error.strerror}"
    return "" if stat.S_ISREG(mode) or stat.S_ISDIR(mode) else f"'{path}' is neither a file nor a folder"


def find_place(config: Mapping[Any, Any], key: str, base: Path) -> Place | None:
    """Find the data of a key; None where the key is null, for that tracks nothing.

    Examples
    --------
    >>> [str(path) for path in find_place({"data": {"train": "a.csv"}}, "data.train", Path("/home/me")).paths()]
    ['/home/me/a.csv']
    """
    value = _value(config, key)
    return None if value is None else place_of(key, value, base)


def plain_value(config: Mapping[Any, Any], key: str, base: Path) -> Any:
    """Return the value of a key as it is recorded: paths as strings, home folder and variables expanded."""
    return _plain(key, _value(config, key), base)


def _plain(key: str, value: Any, base: Path) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _plain(key, item, base) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(key, item, base) for item in value]
    return value if value is None else _meant(key, os.fspath(value), base)


def _meant(key: str, text: str, base: Path) -> str:
    """Expand the home folder and variables, as shells do, unless a file of the literal name exists."""
    if os.path.lexists(base / text) or _URL.match(text):
        return text
    try:
        return expanded(text)
    except ConfigError as error:
        raise ConfigError(f"{key}: {error.message}", hint=error.hint) from None


def _value(config: Mapping[Any, Any], key: str) -> Any:
    value = value_at(config, key, ABSENT)
    if value is ABSENT:
        hint = did_you_mean(nearest(key, _keys(config, ""), cutoff=0.5)) or "name a key of the configuration"
        raise ConfigError(f"@track_data({key!r}): the configuration has no such key", hint=hint)
    return value


def _keys(config: Mapping[Any, Any] | list[Any] | tuple[Any, ...], above: str) -> Iterator[str]:
    for name, value in config.items() if isinstance(config, Mapping) else enumerate(config):
        yield f"{above}{name}"
        if isinstance(value, Mapping | list | tuple):
            yield from _keys(value, f"{above}{name}.")


def place_of(key: str, value: Any, base: Path) -> Place:
    """Find the data of a value; as `find_place`."""
    if isinstance(value, Mapping):
        return Place(kind="dict", inside=_several(key, value.items(), base))
    if isinstance(value, list | tuple):
        return Place(kind="list", inside=_several(key, enumerate(value), base))
    if not isinstance(value, str | os.PathLike) or os.fspath(value) in ("", "???"):
        raise ConfigError(f"{key} is {value!r}, not a path", hint=f"{key}=PATH")
    text = _meant(key, os.fspath(value), base)
    if os.path.lexists(base / text):
        return Place(kind="path", path=base / text)
    if _URL.match(text):
        return Place(kind="url", url=text)
    if glob.has_magic(text):
        return Place(kind="glob", path=base / text, inside=_matches(text, base))
    return Place(kind="path", path=base / text)


def _several(key: str, items: Iterable[tuple[Any, Any]], base: Path) -> dict[str, Place]:
    return {str(name): place_of(f"{key}.{name}", value, base) for name, value in items if value is not None}


def _matches(pattern: str, base: Path) -> dict[str, Place]:
    """Find what a glob matches, by the path from its first pattern on."""
    names = Path(pattern).parts
    fixed = Path(*names[: next(place for place, name in enumerate(names) if glob.has_magic(name))])
    found = [Path(match) for match in glob.glob(pattern, root_dir=base, recursive=True)]  # noqa: PTH207  # has root_dir
    known = set(found)
    topmost = [path for path in found if known.isdisjoint(path.parents)]  # what a matching folder holds is in its hash
    return {str(path.relative_to(fixed)): Place(kind="path", path=base / path) for path in sorted(topmost)}
