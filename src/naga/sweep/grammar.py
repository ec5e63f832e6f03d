"""What ``--sweep key=...`` lists: Hydra's ``1,2``, ``range(...)``, ``choice(...)``, and ``linspace``, ``logspace``.

Each value stays the text that would be typed for a single run, so that one grammar reads both.
"""

import math
import re
from collections.abc import Callable, Iterator

from naga.errors import UsageError

_CALL = re.compile(r"\s*(\w+)\s*\((.*)\)\s*", re.DOTALL)
_OPENING, _CLOSING = "([{", ")]}"
_MOST = 1_000_000  # values of one key: who types more has mistyped


def values_of(word: str) -> tuple[str, list[str]]:
    """Read ``key=values`` as the key and its values, each as it would be typed alone.

    Examples
    --------
    >>> values_of("lr=0.1,0.01"), values_of("n=range(1,7,2)")
    (('lr', ['0.1', '0.01']), ('n', ['1', '3', '5']))
    >>> values_of("layers=[8,8],[16]"), values_of("name='a,b',c")
    (('layers', ['[8,8]', '[16]']), ('name', ["'a,b'", 'c']))
    >>> values_of("lr=logspace(-3,-1,3)")
    ('lr', ['0.001', '0.01', '0.1'])
    """
    key, equals, text = word.partition("=")
    if not key or not equals:
        raise UsageError(f"--sweep {word}: not key=value,value", hint="--sweep lr=0.1,0.01 'seed=range(5)'")
    called = _CALL.fullmatch(text)
    if not called:
        return key, _split(text, word)
    name, inside = called.groups()
    if name not in _FUNCTIONS:
        raise UsageError(f"--sweep {word}: no function {name!r}", hint=f"one of {', '.join(_FUNCTIONS)}, or quotes")
    try:
        return key, _FUNCTIONS[name](_split(inside, word))
    except (ValueError, TypeError, ZeroDivisionError) as error:
        raise UsageError(f"--sweep {word}: {error}", hint=_HINTS[name]) from None


def _split(text: str, word: str) -> list[str]:
    """Split at commas outside of brackets and quotes."""
    parts, depth, quote, begun = [], 0, "", 0
    for at, sign in enumerate(text):
        if quote:
            quote = "" if sign == quote and text[at - 1] != "\\" else quote
        elif sign in "'\"":
            quote = sign
        elif sign in _OPENING + _CLOSING:
            depth += 1 if sign in _OPENING else -1
        elif sign == "," and not depth:
            parts.append(text[begun:at].strip())
            begun = at + 1
    parts.append(text[begun:].strip())
    if depth or quote:
        raise UsageError(
            f"--sweep {word}: {quote or 'a bracket'} is not closed", hint="the shell may want quotes around it"
        )
    if "" in parts:
        raise UsageError(f"--sweep {word}: a value is missing", hint='key="" is the empty text')
    return parts


def _numbers(words: list[str], names: tuple[str, ...]) -> dict[str, int | float]:
    """Read the arguments of a function, by position or by name, as numbers."""
    given: dict[str, int | float] = {}
    for place, word in enumerate(words):
        name, equals, value = word.rpartition("=")
        name = name.strip() if equals else names[place] if place < len(names) else ""
        if name not in names or name in given:
            raise ValueError(f"{word!r} is not an argument of it")
        given[name] = int(value) if re.fullmatch(r"\s*[+-]?\d+\s*", value) else float(value)
    return given


def _range(words: list[str]) -> list[str]:
    given = _numbers(words, ("start", "stop", "step"))
    if "stop" not in given:
        given = {"start": 0, "stop": given.pop("start"), **given}
    start, step = given.get("start", 0), given.get("step", 1)
    count = math.ceil((given["stop"] - start) / step)
    if not 0 < count <= _MOST:
        raise ValueError(f"it has {max(count, 0)} values")
    return [repr(start + place * step) for place in range(count)]


def _spaced(words: list[str]) -> Iterator[float]:
    given = _numbers(words, ("start", "stop", "num"))
    if len(given) < 3 or not isinstance(given["num"], int) or not 1 < given["num"] <= _MOST:
        raise ValueError("it takes start, stop and how many, at least 2")
    for place in range(given["num"]):
        share = place / (given["num"] - 1)
        yield given["start"] * (1 - share) + given["stop"] * share


def _shown(number: float) -> str:
    """Write a number without the noise of its last bits: 0.3, not 0.30000000000000004."""
    return repr(float(f"{number:.15g}"))


_FUNCTIONS: dict[str, Callable[[list[str]], list[str]]] = {
    "range": _range,
    "choice": lambda words: words,
    "linspace": lambda words: [_shown(number) for number in _spaced(words)],
    "logspace": lambda words: [_shown(10**number) for number in _spaced(words)],
}
_HINTS = {
    "range": "range(5), range(1,10,2) or range(start=0,stop=1,step=0.25)",
    "choice": "choice(adam,sgd)",
    "linspace": "linspace(0,1,5): 5 numbers from 0 to 1",
    "logspace": "logspace(-4,-1,4): 0.0001, 0.001, 0.01, 0.1",
}
