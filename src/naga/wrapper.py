"""The base of decorated functions: they look like the function, can be sent to workers, and work as methods."""

import functools
import importlib
import inspect
import itertools
import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from types import ModuleType
from typing import Any, Generic, ParamSpec, Self, TypeVar
from weakref import WeakKeyDictionary, WeakValueDictionary

from naga.errors import UsageError
from naga.process.workers import Origin, Reference, origin_of, reference_to

P = ParamSpec("P")
R = TypeVar("R")


class Decorated(ABC, Generic[P, R]):
    """A callable that replaces its function."""

    __name__: str
    __qualname__: str
    _origin: Origin | None = None  # of what has arrived in a worker
    _reference: Reference | None = None  # of what has arrived, and may not have been used yet

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
        """Do what the decorators declare, and return what the function returns."""

    def __get__(self, instance: object, owner: type | None = None) -> "Decorated[..., R]":
        """Bind to an instance, as functions do."""
        bound = self.fn.__get__(instance, owner)
        if bound is self.fn:
            return self
        method = object.__new__(type(self))
        vars(method).update(vars(self), _reference=None, fn=bound, __wrapped__=bound)
        return method

    def __getattr__(self, name: str) -> Any:
        """Load what was sent by reference at its first use: a scheduler only passes it on."""
        if self._reference is None or (name.startswith("__") and name != "__wrapped__"):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        vars(self).update(vars(self._reference.load()) | vars(self))
        return object.__getattribute__(self, name)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __reduce_ex__(self, protocol: Any) -> Any:
        """Pickle by reference, or by value where there is none: a notebook's cell, a pipe, a closure."""
        if self._reference is not None:
            return _arrive, (type(self), self._reference, self._origin, "")
        if (instance := getattr(self.fn, "__self__", None)) is not None:
            return getattr, (instance, self.__name__)
        key, origin = _key_of(self), self._origin or origin_of(self.fn)
        if reference := reference_to(self):
            return _arrive, (type(self), reference, origin, key)
        caller = sys._getframe(1).f_globals.get("__name__", "")  # noqa: SLF001  # nothing else tells the pickler
        if "cloudpickle" in caller:
            return object.__new__, (type(self),), vars(self) | {"_origin": origin}
        cloudpickle = _cloudpickle()
        return (_arrive_as, (key, cloudpickle.dumps(self))) if cloudpickle else self.__qualname__

    def __repr__(self) -> str:
        return f"<naga {type(self).__name__.lower()} {self.__module__}.{self.__qualname__}>"


_here: "WeakValueDictionary[str, Decorated[..., Any]]" = WeakValueDictionary()
_keys: "WeakKeyDictionary[Decorated[..., Any], str]" = WeakKeyDictionary()
_numbers = itertools.count()
_process = os.urandom(8).hex()


def _key_of(decorated: Decorated[..., Any]) -> str:
    """Return a key for what is pickled, by which this process and its forks find it again."""
    key = _keys.setdefault(decorated, f"{_process}-{next(_numbers)}")
    _here[key] = decorated
    return key


def _arrive(kind: type[Decorated[..., Any]], reference: Reference, origin: Origin, key: str) -> Decorated[..., Any]:
    here = _here.get(key) or (reference.at_hand() if os.path.realpath("") == origin.folder else None)
    if isinstance(here, kind):
        return here
    arrived = object.__new__(kind)
    arrived.__name__ = arrived.__qualname__ = reference.name
    arrived.__module__, arrived._reference, arrived._origin = reference.module, reference, origin
    return arrived


def _arrive_as(key: str, pickled: bytes) -> Any:
    cloudpickle = _cloudpickle()
    if here := _here.get(key):
        return here
    if cloudpickle is None:
        raise UsageError("a task of a notebook needs cloudpickle in its workers", hint="pip install cloudpickle")
    return cloudpickle.loads(pickled)


def _cloudpickle() -> ModuleType | None:
    for name in ("cloudpickle", "joblib.externals.cloudpickle"):
        with suppress(ImportError):
            return importlib.import_module(name)
    return None
