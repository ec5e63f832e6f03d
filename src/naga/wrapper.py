"""What a decorated function keeps of the function: its looks, its pickling, and being a method."""

import functools
import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Generic, ParamSpec, Self, TypeVar, overload

from naga.errors import UsageError

P = ParamSpec("P")
R = TypeVar("R")

_DEFERRED = (inspect.iscoroutinefunction, inspect.isgeneratorfunction, inspect.isasyncgenfunction)


class Decorated(ABC, Generic[P, R]):
    """A callable that stands in the place of its function.

    It keeps the function's name, docstring and signature, can be pickled where the function could, and works as a
    method.
    """

    __name__: str
    __qualname__: str

    def __init__(self, fn: Callable[P, R]) -> None:
        if not callable(fn) and not isinstance(fn, classmethod):
            raise UsageError(f"a decorator of Naga was given {fn!r}, not a function", hint="@runlock, or @runlock()")
        if any(is_deferred(fn) for is_deferred in _DEFERRED):
            raise UsageError(
                f"'{fn.__qualname__}' is async or a generator: its call ends before its work does",
                hint="decorate a plain function that runs it to its end",
            )
        functools.update_wrapper(self, fn)
        self.fn = fn

    @abstractmethod
    def __call__(self, *args: Any, **kwargs: Any) -> R:
        """Do what the decorators add, and return what the function returns."""

    @abstractmethod
    def on(self, fn: Callable[..., Any]) -> Self:
        """Decorate another function in the same way."""

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...
    @overload
    def __get__(self, instance: object, owner: type | None = None) -> "Decorated[..., R]": ...
    def __get__(self, instance: object, owner: type | None = None) -> "Decorated[..., R]":
        """Bind to an instance, as functions do."""
        bound = self.fn.__get__(instance, owner)
        return self if bound is self.fn else self.on(bound)

    def __reduce__(self) -> Any:
        instance = getattr(self.fn, "__self__", None)
        return self.__qualname__ if instance is None else (getattr, (instance, self.__name__))

    def __repr__(self) -> str:
        return f"<naga {type(self).__name__.lower()} {self.__module__}.{self.__qualname__}>"
