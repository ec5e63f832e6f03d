"""Wording that several rooms share: the nearest name to an unknown one, the first of many, durations."""

import math
from collections.abc import Iterable, Sequence

_SHOWN = 1000  # letters of a message: who types a word of a megabyte does not want to read it again


def nearest(word: str, known: Iterable[str], *, cutoff: float = 0.6) -> str:
    """Return the known word that was probably meant; '' where none is close.

    Examples
    --------
    >>> nearest("learning_rte", ["epochs", "learning_rate"]), nearest("x", ["epochs"])
    ('learning_rate', '')
    """
    import difflib

    return next(iter(difflib.get_close_matches(word, list(known), n=1, cutoff=cutoff)), "")


class Unrepaired(str):
    """A line of ``naga doctor`` about what it could not repair."""

    __slots__ = ()


def did_you_mean(near: str, known: Sequence[str] = ()) -> str:
    """Return the hint for an unknown name: the nearest one, or else what there is.

    Examples
    --------
    >>> did_you_mean("lr"), did_you_mean("", ["a", "b"]), did_you_mean("")
    ("did you mean 'lr'?", 'there is: a, b', '')
    """
    if near:
        return f"did you mean {near!r}?"
    return f"there is: {first_of(known)}" if known else ""


def first_of(names: Iterable[str], shown: int = 10) -> str:
    """List the first of some names, and say how many more there are.

    Examples
    --------
    >>> first_of("abcd", 3)
    'a, b, c and 1 more'
    """
    found = list(names)
    return ", ".join(found[:shown]) + and_more(len(found) - shown)


def shortened(text: str) -> str:
    """Write a text for one line of a terminal: control characters made visible, a very long text cut in the middle."""
    if len(text) > _SHOWN:
        text = f"{text[: _SHOWN - 100]} [...] {text[-100:]}"
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def text_of(error: BaseException) -> str:
    """Return the text of an exception; that of a user's own class may raise, or end the process."""
    try:
        return str(error)
    except BaseException:  # noqa: BLE001
        return "<its text cannot be shown>"


def first_line_of(error: BaseException) -> str:
    """Name an exception in one line: its type, and the beginning of its text."""
    return f"{type(error).__name__}: {text_of(error)}".splitlines()[0][:500].strip()


def ended(text: str, most: int = 200) -> str:
    """Cut a text to the width of a cell, with a mark: one long value must not push others out of a table.

    Examples
    --------
    >>> ended("abcdefgh", 6), ended("abc", 6)
    ('abc...', 'abc')
    """
    return text if len(text) <= most else f"{text[: most - 3]}..."


def and_more(rest: int) -> str:
    """Say that there are more, where there are."""
    return f" and {rest:,} more" if rest > 0 else ""


def plural(count: int, name: str) -> str:
    """Count things.

    Examples
    --------
    >>> plural(1, "run"), plural(2, "run")
    ('1 run', '2 runs')
    """
    return f"{count} {name}" if count == 1 else f"{count} {name}s"


def took(seconds: float | None) -> str:
    """Write a duration.

    Examples
    --------
    >>> took(0.031), took(3.14), took(75), took(7200)
    ('31 ms', '3.1 s', '1 min 15 s', '2 h 0 min')
    """
    if seconds is None or not math.isfinite(seconds):
        return "" if seconds is None else str(seconds)
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
