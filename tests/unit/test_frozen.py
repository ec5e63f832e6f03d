"""Frozen dataclasses that share their methods are what those of the standard library are."""

import copy
import dataclasses
import pickle
from dataclasses import FrozenInstanceError, field

import pytest

from naga.frozen import dataclass


@dataclass(frozen=True, slots=True)
class Point:
    """Two numbers and a remark that does not count."""

    x: int
    y: int = 2
    seen: list[int] = field(default_factory=list, repr=False, compare=False)


@dataclasses.dataclass(frozen=True, slots=True)
class Standard:
    """The same, made by the standard library."""

    x: int
    y: int = 2
    seen: list[int] = field(default_factory=list, repr=False, compare=False)


@dataclass(frozen=True, slots=True, repr=False)
class Own:
    """One that shows itself in its own words."""

    x: int

    def __repr__(self) -> str:
        return f"<{self.x}>"


def test_is_shown_and_compared_as_the_standard_one() -> None:
    """By its name and its fields, but for those that say otherwise."""
    assert repr(Point(1)) == repr(Standard(1)).replace("Standard", "Point") == "Point(x=1, y=2)"
    assert Point(1, seen=[1]) == Point(1, 2)
    assert hash(Point(1, seen=[1])) == hash(Point(1, 2))
    assert Point(1) != Point(2)
    assert Point(1) != Standard(1)  # type: ignore[comparison-overlap]  # that they never are is what is tested
    assert repr(Own(3)) == "<3>"


def test_cannot_be_changed() -> None:
    """Neither a field nor anything else."""
    point = Point(1)
    with pytest.raises(FrozenInstanceError):
        point.x = 5  # type: ignore[misc]  # that it cannot be is what is tested
    with pytest.raises(FrozenInstanceError):
        del point.y
    assert point == Point(1)


def test_is_a_dataclass() -> None:
    """What the standard library does with one."""
    point = Point(1, seen=[3])
    assert dataclasses.replace(point, y=5) == Point(1, 5)
    assert dataclasses.asdict(point) == {"x": 1, "y": 2, "seen": [3]}
    assert copy.deepcopy(point) == point
    assert pickle.loads(pickle.dumps(point)) == point
    assert not hasattr(point, "__dict__")


def test_others_are_the_standard_ones() -> None:
    """Those that may change, and those that have room for more."""

    @dataclass(slots=True)
    class Open:
        x: int = 1

    @dataclass(frozen=True)
    class Roomy:
        x: int = 1

    one = Open()
    one.x = 2
    assert one == Open(2)
    with pytest.raises(FrozenInstanceError):
        Roomy().x = 2  # type: ignore[misc]  # as above
