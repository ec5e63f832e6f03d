"""Functions that swallow Ctrl-C, found by reading their source."""

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
_LOOPS = (ast.For, ast.AsyncFor, ast.While)
_TRIES = (ast.Try, ast.TryStar)


def swallowing(fn: Callable[..., Any]) -> str | None:
    """Warn of a ``return``, ``break`` or ``continue`` that leaves a ``finally``: it drops every exception."""
    if not getattr(getattr(inspect.unwrap(fn), "__code__", None), "co_exceptiontable", True):
        return None  # no `try` at all: reading the source would take milliseconds
    try:
        lines, start = inspect.getsourcelines(fn)
        (function,) = ast.parse(textwrap.dedent("".join(lines))).body
    except (OSError, TypeError, SyntaxError, ValueError):
        return None
    ends = (node.finalbody for node in _own(ast.iter_child_nodes(function)) if isinstance(node, _TRIES))
    for found in (found for body in ends for found in _leaving(body, in_loop=False)):
        word = type(found).__name__.lower()
        place = f"{Path(inspect.getsourcefile(fn) or '').name}:{max(start, 1) + found.lineno - 1}"
        name = getattr(fn, "__name__", "the task")
        return f"{name}() has `{word}` in `finally` ({place}): it swallows Ctrl-C and every exception"
    return None


def _own(nodes: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """Walk the syntax tree of a function, without functions that are defined in it."""
    for node in nodes:
        if not isinstance(node, _SCOPES):
            yield node
            yield from _own(ast.iter_child_nodes(node))


def _leaving(nodes: Iterable[ast.AST], *, in_loop: bool) -> Iterator[ast.stmt]:
    for node in nodes:
        if isinstance(node, ast.Return) or (isinstance(node, ast.Break | ast.Continue) and not in_loop):
            yield node
        elif not isinstance(node, _SCOPES):
            yield from _leaving(ast.iter_child_nodes(node), in_loop=in_loop or isinstance(node, _LOOPS))
