"""Nodes by their paths, as they are written."""

from typing import Any

import pytest
from omegaconf import OmegaConf

from naga.config.omegaconf_nodes import select


@pytest.mark.parametrize(
    ("keys", "written"),
    [
        (("a", "b", 0), 1),
        (("a", "b", 1), "${a.c}"),
        (("a", "b", 2), None),
        (("a", "x"), None),
        (("a", "x", "y"), None),
        (("a", "c", "y"), None),
    ],
)
def test_select(keys: tuple[Any, ...], written: Any) -> None:
    """None where there is none, whatever is above; an interpolation is not resolved."""
    found = select(OmegaConf.create({"a": {"b": [1, "${a.c}"], "c": 3}}), keys)
    assert (found if found is None else found._value()) == written
