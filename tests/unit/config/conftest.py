"""What the tests of the configuration share."""

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import omegaconf
import pytest
from omegaconf import OmegaConf

from naga.config.declared import Declared, declared_config

Register = Callable[[str, Callable[..., Any]], None]


@pytest.fixture
def register() -> Iterator[Register]:
    """Register a resolver under either version of OmegaConf, for one test."""
    names: list[str] = []

    def add(name: str, function: Callable[..., Any]) -> None:
        names.append(name)
        OmegaConf.clear_resolver(name)  # another test may have left one
        is_old = omegaconf.__version__.startswith("2.3")
        (OmegaConf.register_new_resolver if is_old else OmegaConf.register_resolver)(name, function)

    yield add
    for name in names:
        OmegaConf.clear_resolver(name)


@pytest.fixture
def count(register: Register) -> Iterator[int]:
    """Count the evaluations of ``${count:}``, which is another number each time."""
    numbers = itertools.count()
    register("count", lambda *_: next(numbers))
    return numbers


@pytest.fixture
def of() -> Callable[[Any], Declared]:
    """Declare a default: ``of(default)`` is what a function with it declares."""

    def declare(default: Any) -> Declared:
        def main(cfg: Any = default) -> None: ...

        found = declared_config(main)
        assert found is not None
        return found

    return declare
