"""Hydra's own command line in the place of Naga's: ``@hydra.main(...)`` under the other decorators.

``hydra.main`` makes a function that composes a configuration and calls the task with it, and forgets what the task
returned. A run has to begin between the two, so that function is made once more around another task. What it is made
of (`hydra.main.decorated_main` and its closure) has been the same from Hydra 1.1 to 1.3.
"""

import functools
from collections.abc import Callable
from types import CellType, FunctionType
from typing import Any


def hydra_start(fn: Callable[..., Any]) -> Callable[[Callable[[Any], Any]], Any] | None:
    """Find out whether ``hydra.main`` made a function."""
    code = getattr(fn, "__code__", None)
    if code is None or code.co_name != "decorated_main" or fn.__globals__.get("__name__") != "hydra.main":
        return None
    return functools.partial(_start, fn)


def _start(fn: Any, task: Callable[[Any], Any]) -> Any:
    returned: list[Any] = []
    cells = dict(zip(fn.__code__.co_freevars, fn.__closure__, strict=True))

    @functools.wraps(cells["task_function"].cell_contents)
    def instead(cfg: Any) -> Any:
        returned.append(task(cfg))
        return returned[-1]

    cells["task_function"] = CellType(instead)
    FunctionType(fn.__code__, fn.__globals__, argdefs=fn.__defaults__, closure=tuple(cells.values()))()
    return returned[-1] if returned else None
