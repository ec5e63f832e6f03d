"""Paths as people write them."""

import os
import re

from naga.errors import ConfigError

# Not `${...}`, which is OmegaConf's, nor an escaped one.
_VARIABLE = re.compile(r"(?<!\\)\$([A-Za-z_]\w*)")


def expanded(path: str) -> str:
    """Put the home folder in the place of ``~`` and variables of the environment in that of ``$NAME``, as shells do.

    What cannot be had is refused: a folder of that name would surprise its owner.
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
    """Name a folder as other commands take it from here."""
    name, here = os.fspath(folder), os.getcwd()  # noqa: PTH109  # `naga ls` asks ten thousand times
    return name.removeprefix(f"{here}/") if name != here else "."
