"""Configurations of points that are not composed one by one are what composing gives."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from naga.config.compose import compose
from naga.config.declared import declared_config
from naga.errors import ConfigError
from naga.sweep import variations as room
from naga.sweep.variations import variations


class Kind(Enum):
    A = 1
    B = 2


@dataclass
class Inner:
    lr: float = 0.1
    sizes: list[int] = field(default_factory=lambda: [1, 2])


@dataclass
class Flat:
    save_dir: str = "r"
    seed: int = 0
    name: str | None = None
    kind: Kind = Kind.A
    place: Path = Path("p")
    any: Any = 1
    either: int | str = 1
    further: dict[str, int] = field(default_factory=dict)
    inner: Inner = field(default_factory=Inner)


@dataclass(frozen=True)
class Frozen:
    save_dir: str = "r"
    seed: int = 0


@dataclass
class Follows:
    save_dir: str = "r"
    seed: int = 0
    twice: str = "${seed}${seed}"


@dataclass
class Computes:
    save_dir: str = "r"
    seed: int = 0
    twice: int = 0

    def __post_init__(self) -> None:
        self.twice = 2 * self.seed


PLAIN = {"save_dir": "r", "seed": 0, "text": "a", "inner": {"lr": 1, "of": None}}


def of_class(cfg: Flat) -> None: ...
def of_frozen(cfg: Frozen) -> None: ...
def of_dict(cfg: dict[str, Any] = PLAIN) -> None: ...
def of_omegaconf(cfg: Any = OmegaConf.structured(Computes)) -> None: ...
def follows(cfg: Follows) -> None: ...
def computes(cfg: Computes) -> None: ...


TYPED = ["seed=0,1,7", "inner.lr=1,2e-3,nan", "kind=A,B", "name=null,None,3,a", "place=a,~/b", "either=2,x"]
MORE = ["any=1,a,null,[1],x", "further.x=1,2", "inner.sizes=[4],[3]", "inner.sizes.0=5,6", "inner={lr: 3},{}"]


@pytest.mark.parametrize(
    ("task", "axes"),
    [
        (of_class, TYPED),
        (of_class, MORE),
        (of_frozen, ["seed=0,1,7"]),
        (of_dict, ["seed=1,a,null", "text=1,b,null,''", "inner.lr=2,x", "inner.of=1,{a: 1}"]),
        (of_omegaconf, ["seed=1,2"]),
        (follows, ["seed=1,2", "twice=x,'${seed}'"]),
        (computes, ["seed=1,2"]),
    ],
)
def test_as_if_one_by_one(task: Callable[..., None], axes: list[str]) -> None:
    """For every kind of configuration and of value, and whatever came before."""
    declared = declared_config(task)
    assert declared
    for axis in [*([axis] for axis in axes), *itertools.pairwise(axes)]:
        values = [[f"{key}={value}" for value in _split(text)] for key, _, text in (one.partition("=") for one in axis)]
        listing = list(itertools.product(*values))
        found = variations(declared, listing, keywords={"save_dir": "s"}, overrides=["seed=5"], files=())
        for point, one in zip(listing, found, strict=True):
            alone = compose(declared, keywords={"save_dir": "s"}, overrides=["seed=5", *point])
            assert repr(one.plain) == repr(alone.plain), point
            assert (one.save_dir, one.written_save_dir) == (alone.save_dir, alone.written_save_dir)


def _split(text: str) -> list[str]:
    return text.split(",")


def test_points_of_different_keys() -> None:
    """What one row of a file says is no other row's."""
    declared = declared_config(of_class)
    assert declared
    listing = [("seed=1",), ("inner.lr=3",), ("seed=2", "seed=3"), ("seed=4",), ("save_dir=x",)]
    found = variations(declared, listing, keywords={}, overrides=(), files=())
    seen = [(one.plain["seed"], one.plain["inner"]["lr"], one.plain["save_dir"]) for one in found]
    assert seen == [(1, 0.1, "r"), (0, 3.0, "r"), (3, 0.1, "r"), (4, 0.1, "r"), (0, 0.1, "x")]


def test_composed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing follows from what varies, the first alone is composed; a class that computes is asked each time."""
    calls: list[Any] = []

    def counted(*words: Any, **more: Any) -> Any:
        calls.append(words)
        return compose(*words, **more)

    monkeypatch.setattr(room, "compose", counted)
    for task, count in ((of_class, 1), (of_frozen, 1), (of_dict, 1), (follows, 9), (computes, 9)):
        declared = declared_config(task)
        assert declared
        variations(declared, [(f"seed={n}",) for n in range(9)], keywords={}, overrides=(), files=())
        assert len(calls) == count
        calls.clear()


@pytest.mark.parametrize("wrong", ["sed=1", "seed=x", "kind=C", "inner.lr.x=1"])
def test_a_wrong_point_is_refused(wrong: str) -> None:
    """Wherever it stands in the list."""
    declared = declared_config(of_class)
    assert declared
    with pytest.raises(ConfigError, match=r"unknown key|is '|not "):
        variations(declared, [("seed=1",), (wrong,)], keywords={}, overrides=(), files=())
