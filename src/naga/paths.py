"""Paths as people write them."""

import os
import re
from collections.abc import Mapping
from typing import Any

from naga.errors import ConfigError

# Not `${...}`, which is OmegaConf's, nor an escaped one.
_VARIABLE = re.compile(r"(?<!\\)\$([A-Za-z_]\w*)")


def expanded(path: str) -> str:
    """Replace ``~`` by the home folder and ``$NAME`` by variables of the environment, as shells do.

    An unknown user or variable is refused: a folder of that name would surprise its owner.
    """
    home = os.path.expanduser(path)  # noqa: PTH111  # `Path` would lose "./~", which means no home folder
    if home.startswith("~"):
        raise ConfigError(f"{path!r}: there is no user {path.partition('/')[0][1:]!r}", hint=f"./{path}")
    return _VARIABLE.sub(_value, home)


def _value(found: re.Match[str]) -> str:
    if found[1] not in os.environ:
        raise ConfigError(f"{found[0]} is not set", hint=f"export {found[1]}=...")
    return os.environ[found[1]]


def near(folder: str | os.PathLike[str]) -> str:
    """Write a folder's path as one types it in the current folder."""
    name, here = os.fspath(folder), os.getcwd()  # noqa: PTH109  # `naga ls` asks ten thousand times
    return name.removeprefix(f"{here}/") if name != here else "."


def relocated(value: Any, places: Mapping[str, str]) -> Any:
    """Replace paths, anywhere in a value, that are in folders which have moved.

    Examples
    --------
    >>> relocated({"log": ["old/run/log.txt", "old/runs"]}, {"old/run": "new"})
    {'log': ['new/log.txt', 'old/runs']}
    """
    if isinstance(value, Mapping):
        return {key: relocated(item, places) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [relocated(item, places) for item in value]
    for old, new in places.items() if isinstance(value, str) else ():
        if f"{value}/".startswith(f"{old.rstrip('/')}/"):
            return new + value[len(old.rstrip("/")) :]
    return value
