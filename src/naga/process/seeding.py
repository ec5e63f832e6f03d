"""Seeding the random number generators of a run, and recording the seed."""

import os
import random
import sys

from naga.errors import UsageError

_LARGEST = 2**32 - 1  # what NumPy takes

_last: list[int] = []


def seed_everything(seed: int) -> int:
    """Seed Python's, NumPy's and PyTorch's generators, those of them that are imported, and record it in the run.lock.

    ``PYTHONHASHSEED`` is set for child processes; the running interpreter took its own when it started.

    Parameters
    ----------
    seed : int
        From 0 to 2**32 - 1.

    Returns
    -------
    int
        The seed.

    Raises
    ------
    UsageError
        Not a seed that all of them take.

    Examples
    --------
    >>> import random
    >>> [random.random() for _ in range(2) if seed_everything(7)] == [random.random() for _ in range(2)]
    False
    """
    if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed <= _LARGEST:
        raise UsageError(f"seed_everything({seed!r}): not a whole number from 0 to {_LARGEST}", hint="a smaller one")
    random.seed(seed)
    os.environ["PYTHONHASHSEED"] = str(seed)
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed(seed)
    if torch := sys.modules.get("torch"):
        torch.manual_seed(seed)  # of every device
    _last[:] = [seed]
    return seed


def taken_seed() -> int | None:
    """Return the seed that was set since the last run in this process ended, and forget it."""
    return _last.pop() if _last else None
