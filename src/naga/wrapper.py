"""What a decorated function keeps of the function: its looks, its pickling, and being a method."""

import functools
import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Generic, ParamSpec, TypeVar

from naga.errors import UsageError

P = ParamSpec("P")
R = TypeVar("R")


class Decorated(ABC, Generic[P, R]):
    """A callable that stands in the place of its function."""

    __name__: str
    __qualname__: str

    def __init__(self, fn: Callable[P, R]) -> None:
        if not callable(fn) and not isinstance(fn, classmethod):
            raise UsageError(f"a decorator of Naga was given {fn!r}, not a function", hint="@runlock, or @runlock()")
        if inspect.iscoroutinefunction(fn) or inspect.isgeneratorfunction(fn) or inspect.isasyncgenfunction(fn):
            raise UsageError(
                f"'{fn.__qualname__}' is async or a generator: its call ends before its work does",
                hint="decorate a plain function that runs it to its end",
            )
        functools.update_wrapper(self, fn)
        self.fn = fn

    @abstractmethod
    def __call__(self, *args: Any, **kwargs: Any) -> R:
        """Do what the decorators add, and return what the function returns."""

    def __get__(self, instance: object, owner: type | None = None) -> "Decorated[..., R]":
        """Bind to an instance, as functions do."""
        bound = self.fn.__get__(instance, owner)
        if bound is self.fn:
            return self
        method = object.__new__(type(self))
        method.__dict__.update(vars(self), fn=bound, __wrapped__=bound)
        return method

    def __reduce__(self) -> Any:
        instance = getattr(self.fn, "__self__", None)
        return self.__qualname__ if instance is None else (getattr, (instance, self.__name__))

    def __repr__(self) -> str:
        return f"<naga {type(self).__name__.lower()} {self.__module__}.{self.__qualname__}>"
