"""One call seeds all generators, and is remembered for the run.lock."""

import os
import random

import pytest

from naga.errors import UsageError
from naga.process.seeding import seed_everything, taken_seed


def test_the_generators_repeat(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python's and NumPy's, and children's hashes."""
    numpy = pytest.importorskip("numpy")
    monkeypatch.setenv("PYTHONHASHSEED", "0")
    drawn = [(seed_everything(7), random.random(), numpy.random.rand()) for _ in range(2)]
    assert drawn[0] == drawn[1]
    assert os.environ["PYTHONHASHSEED"] == "7"


def test_it_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last one, and to one run."""
    monkeypatch.setenv("PYTHONHASHSEED", "0")
    seed_everything(1)
    seed_everything(2)
    assert [taken_seed(), taken_seed()] == [2, None]


@pytest.mark.parametrize("seed", [-1, 2**32, True, 1.0, "1"])
def test_what_no_generator_takes(seed: object) -> None:
    """NumPy takes 32 bits."""
    with pytest.raises(UsageError, match="not a whole number"):
        seed_everything(seed)  # type: ignore[arg-type]
