"""What decorators declare and what a caller asks for: plain values that every layer may read.

They are at the bottom because `import naga` needs them and little more.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import field
from typing import Any, Literal

from naga.frozen import dataclass

# From a recorded configuration and its `naga.Run` to one as it is declared today.
Upgrade = Callable[[dict[Any, Any], Any], Mapping[Any, Any]]
# Where a file is that belongs to a run, as its configuration says.
PathOf = Callable[[Any], str | os.PathLike[str]] | str | os.PathLike[str] | None
Existing = Literal["archive", "refuse", "reuse"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Former:
    """What ``@clicfg`` says of runs that were recorded before the task became what it is.

    ``tasks`` are former names of the task, ``keys`` former paths of a key, ``before`` what the code did before a key
    existed, and ``upgrade`` turns a recorded configuration into one as it is declared today.
    """

    tasks: tuple[str, ...] = ()
    keys: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    before: Mapping[str, Any] = field(default_factory=dict)
    upgrade: Upgrade | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """What ``@runlock`` declares."""

    existing: Existing | None = None
    outputs: tuple[str, ...] = ()
    console: bool = True
    env: tuple[str, ...] = ()
    hash_limit: int | None = None  # bytes; None hashes every output


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What ``@snapshot`` declares."""

    branch: str = "run_logs"
    message: str = ""
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    strict: bool = False
    cells: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracked:
    """What one ``@track_data(...)`` declares."""

    keys: tuple[str, ...]
    fresh: bool = False
    background: bool = False
    ignore: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Declares:
    """What the decorators of a task declare."""

    command_line: bool = False
    former: Former | None = None
    lock: Lock | None = None
    snapshot: Snapshot | None = None
    tracked: tuple[Tracked, ...] = ()
    stages: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call of a task: arguments from Python, or the words of a command line.

    ``task`` is the name that the task has where it was sent from; None where it is at home. Of a point,
    ``sweep`` is what it belongs to, and ``code`` the snapshot that stands for all points.
    Of a reproduction, ``reproduces`` names the run, and ``code`` is what that recorded.
    """

    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    argv: tuple[str, ...] | None = None
    task: str | None = None
    sweep: Mapping[str, Any] = field(default_factory=dict)
    reproduces: Mapping[str, str] = field(default_factory=dict)
    code: Any = None
