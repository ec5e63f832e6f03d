"""Whatever a task leaves or raises, in whatever environment: its run ends with a lock that Naga reads back."""

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any
from unittest.mock import patch

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from naga import load_run, runlock
from naga.record.opener import MAX_LOCK_BYTES

PHASES = [Phase.explicit, Phase.generate, Phase.shrink]  # what explains a failure traces every line


class Raising:
    """Every question that is asked of it raises."""

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError(name)

    def __repr__(self) -> str:
        raise RuntimeError("no text")

    __str__ = __repr__


class Yes:
    """It has every attribute, and gives itself when that is called, as mocks do."""

    def __getattr__(self, name: str) -> Any:
        return self

    def __call__(self) -> Any:
        return self


class OddText(str):
    """A text that does not say what it is."""

    __slots__ = ()

    def __str__(self) -> str:
        raise RuntimeError("no text")


class OddNumber(int):
    """A number that cannot be counted with."""

    def __int__(self) -> int:
        raise RuntimeError("no number")


class OddMapping(Mapping[str, Any]):
    """A mapping that breaks off when it is read."""

    def __getitem__(self, key: str) -> Any:
        raise RuntimeError(key)

    def __iter__(self) -> Iterator[str]:
        return iter(["a"])

    def __len__(self) -> int:
        return 1


class OddPath(os.PathLike[str]):
    """A path that names nothing."""

    def __fspath__(self) -> str:
        raise RuntimeError("no path")

    __str__ = __fspath__


class Color(Enum):
    """A member whose name stands for it."""

    RED = object()


def nested(depth: int, kind: type = dict) -> Any:
    """A container in a container, and so on."""
    value: Any = kind()
    for _ in range(depth):
        value = {"a": value} if kind is dict else kind((value,))
    return value


def circle() -> dict[str, Any]:
    """A mapping that holds itself."""
    value: dict[str, Any] = {}
    value["a"] = [value]
    return value


class OddError(Exception):
    """An exception of which nothing can be asked but its type."""

    def __str__(self) -> str:
        raise RuntimeError("no text")

    def __getattribute__(self, name: str) -> Any:
        if name == "__notes__":
            raise RuntimeError("no notes")
        return super().__getattribute__(name)


class OddExit(SystemExit):
    """An exit whose code is a secret."""

    code = property(lambda self: Raising())


def noted(error: BaseException, notes: Any) -> BaseException:
    """Give an exception notes, of whatever kind."""
    error.__notes__ = notes
    return error


def chained(depth: int) -> BaseException:
    """An exception that was caused by another, and so on."""
    error: BaseException = ValueError("first")
    for n in range(depth):
        later = KeyError(n)
        later.__cause__, error = error, later
    return error


def bush(depth: int) -> BaseException:
    """A group that holds each of its members twice: few objects, and endless text."""
    error: Exception = ValueError("leaf")
    for _ in range(depth):
        error = ExceptionGroup("both", [error, error])
    return error


def ring() -> BaseException:
    """Two exceptions that caused each other."""
    one, two = ValueError(1), ValueError(2)
    one.__cause__, two.__cause__ = two, one
    return one


ODD_OBJECTS: dict[str, Callable[[], Any]] = {
    **{kind.__name__: kind for kind in (Raising, Yes, OddText, OddNumber, OddMapping, OddPath, object)},
    "circle": circle,
    "member": lambda: Color.RED,
    "set": lambda: {Raising()},
    "deep": lambda: nested(150),
    "deeper": lambda: nested(3000),
    "tuples": lambda: nested(3000, tuple),
    "many": lambda: list(range(150_000)),
    "long": lambda: "x" * 2_000_000,
    "bytes": lambda: b"x" * 2_000_000,
    "large": lambda: 10**400,
    "larger": lambda: -(10**5000),
}
ODD_ERRORS: dict[str, Callable[..., BaseException]] = {
    **{kind.__name__: kind for kind in (ValueError, SystemExit, OSError, KeyboardInterrupt, OddError, OddExit)},
    "notes": lambda *notes: noted(ValueError(), notes),
    "type": lambda *_: type("E\x1b" * 100_000, (Exception,), {})(),
    "group": lambda *texts: BaseExceptionGroup("g", [ValueError(*texts), ExceptionGroup("h", [OddError()])]),
    "ring": lambda *_: ring(),
    "chain": lambda *_: chained(3000),
    "bush": lambda *_: bush(60),
}


@dataclass(frozen=True)
class Odd:
    """Stands for an object that hypothesis itself could not live with."""

    name: str

    def __call__(self) -> Any:
        """Make it."""
        return ODD_OBJECTS[self.name]()


@dataclass
class Case:
    """What a task leaves and raises, and the environment of its process."""

    left: Any
    error: str | None
    arguments: list[Any]
    variables: dict[bytes, bytes]


def real(value: Any) -> Any:
    """Put odd objects where something stands for them."""
    if isinstance(value, Odd):
        return value()
    if isinstance(value, list):
        return [real(item) for item in value]
    return {real(key): real(item) for key, item in value.items()} if isinstance(value, dict) else value


TEXTS = st.one_of(
    st.text(),
    st.sampled_from(["\x1b[2J", "\udcff", "\x00", "a\nb", "a\r", "[/x]", "é" * 950, "${a}", "\u2028"]),
    st.text(st.characters(categories=["Cs"])),
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | TEXTS | st.binary() | st.datetimes()
LEAVES = SCALARS | st.sampled_from([*map(Odd, ODD_OBJECTS)])
KEYS = SCALARS | st.tuples(st.integers()) | st.sampled_from([Odd("Raising"), Odd("Yes"), Odd("long"), Odd("larger")])
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner), max_leaves=8)
MAPPINGS = st.dictionaries(TEXTS | KEYS, VALUES, max_size=3)
BYTES = st.binary(min_size=1).filter(lambda raw: b"\0" not in raw) | st.just(100_000).map(lambda size: b"\xff" * size)
NAMES = BYTES.map(lambda raw: b"PYTHON" + raw.replace(b"=", b""))
CASES = st.builds(
    Case,
    MAPPINGS,
    st.none() | st.sampled_from([*ODD_ERRORS]),
    st.lists(LEAVES, max_size=3),
    st.dictionaries(NAMES, BYTES, max_size=2),
)


def ended(left: dict[Any, Any], error: BaseException | None) -> None:
    """Run a task in this process that leaves that, and ends so."""

    @runlock(console=False)
    def main(cfg: Any = {"save_dir": "results/run", "lr": 0.1}) -> None:  # noqa: B006
        cfg.update(left)
        if error is not None:
            raise error

    with suppress(BaseException) if error is not None else nullcontext():
        main()


@settings(max_examples=50, deadline=None, phases=PHASES, suppress_health_check=list(HealthCheck))
@given(CASES)
def test_every_run_ends_with_a_lock_that_is_read_back(project: Path, case: Case) -> None:
    """With its status, and what was cut said in its warnings."""
    shutil.rmtree(project / "results", ignore_errors=True)
    error = ODD_ERRORS[case.error](*real(case.arguments)) if case.error else None
    variables = {os.fsdecode(name): os.fsdecode(value) for name, value in case.variables.items()}
    with patch.dict(os.environ, variables):
        ended(real(case.left), error)
    text = (project / "results/run/run.lock").read_text()
    assert len(text.encode()) <= MAX_LOCK_BYTES
    record = load_run("results/run").record
    statuses = {None: ["finished"], "KeyboardInterrupt": ["killed"], "SystemExit": ["finished", "failed"]}
    assert record.status in statuses.get(case.error, ["failed"])
    assert (record.error is None) == (record.status == "finished")
    assert not any("could not be recorded" in warning for warning in record.warnings)
    assert ("<cut: " in text) <= any("cut there" in warning for warning in record.warnings)
    wanted = {name for name in variables if len(name) < 100}
    assert record.environment
    assert wanted <= record.environment.variables.keys()
