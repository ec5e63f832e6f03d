"""Choosing runs by what they are, and putting them in order."""

import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from operator import eq, ge, gt, le, lt, ne
from typing import Any

from naga.config.plain import ABSENT, value_at
from naga.errors import UsageError
from naga.frozen import dataclass
from naga.record.schema import STATUSES
from naga.runs.find import Run, as_row
from naga.runs.metrics import last_publication
from naga.wording import did_you_mean, nearest

COLUMNS = ("run_id", "save_dir", "status", "task", "started", "duration_s", "diag")

_TERM = re.compile(r"([\w.\-\[\]]+)(!=|<=|>=|=|<|>)(.*)", re.DOTALL)
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {"=": eq, "!=": ne, "<": lt, "<=": le, ">": gt, ">=": ge}
_WORDS = {"true": True, "false": False, "null": None, "none": None}


@dataclass(frozen=True, slots=True)
class Filter:
    """Terms that all must hold: a key, how it is compared, and with what."""

    terms: tuple[tuple[str, str, str], ...] = ()

    @property
    def keys(self) -> frozenset[str]:
        """What it asks for."""
        return frozenset(key for key, _, _ in self.terms)

    def matches(self, run: Run, **further: Any) -> bool:
        """Tell whether a run is wanted; one that lacks a key is not."""
        return all(_holds(value_of(run, key, further), sign, wanted) for key, sign, wanted in self.terms)


def parse_filter(text: str) -> Filter:
    """Read a filter.

    Examples
    --------
    >>> parse_filter("config.lr>=1e-3 task='exp.main'").terms
    (('config.lr', '>=', '1e-3'), ('task', '=', 'exp.main'))
    """
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise UsageError(f"--filter {text!r}: {error}", hint="--filter 'config.lr>0.01 status=finished'") from None
    return Filter(tuple(map(_term, words)))


def _term(word: str) -> tuple[str, str, str]:
    found = _TERM.fullmatch(word)
    if not found:
        raise UsageError(f"--filter: {word!r} compares nothing", hint="--filter 'config.lr>0.01 status=finished'")
    key, sign, value = found.groups()
    if key == "status" and value not in (known := (*STATUSES, "lost")):
        raise UsageError(f"--filter: no run has status {value!r}", hint=did_you_mean(nearest(value, known), known))
    return checked_key(key, "--filter"), sign, value


def checked_key(key: str, option: str) -> str:
    """Return a key that a run may have, or refuse it."""
    if key in COLUMNS or key.startswith(("config.", "metrics.")):
        return key
    raise UsageError(f"{option}: no run has {key!r}", hint=did_you_mean(nearest(key, COLUMNS) or f"config.{key}"))


def check_config_keys(keys: Iterable[str], runs: Sequence[Run]) -> None:
    """Refuse a key of the configuration that no run has, where there are runs."""
    for key in keys:
        name = key.removeprefix("config.")
        if runs and name != key and all(value_at(run.record.config, name, ABSENT) is ABSENT for run in runs):
            known = sorted({f"config.{own}" for run in runs for own in _keys(run.record.config)})
            raise UsageError(f"no run here has {key!r}", hint=did_you_mean(nearest(key, known), known))


def _keys(config: Mapping[Any, Any]) -> Iterator[str]:
    for key, item in config.items():
        yield from (f"{key}.{below}" for below in _keys(item)) if isinstance(item, Mapping) and item else (str(key),)


def sort_key(column: str) -> Callable[[Run], tuple[bool, int, Any]]:
    """Give what to sort runs by; those that lack it come last, numbers before text."""
    checked_key(column, "--sort")

    def key(run: Run) -> tuple[bool, int, Any]:
        value = value_of(run, column, {})
        if isinstance(value, int | float):
            return False, 0, value
        return value is None, 1, "" if value is None else str(value)

    return key


def value_of(run: Run, key: str, further: Mapping[str, Any]) -> Any:
    """Give the value that a run has for a key; None where it has none."""
    if key in further:
        return further[key]
    if key.startswith("metrics."):
        return last_publication(run.save_dir).get("metrics", {}).get(key.removeprefix("metrics."))
    if not key.startswith("config."):
        return as_row(run).get(key)
    return value_at(run.record.config, key.removeprefix("config."))


def _holds(value: Any, sign: str, wanted: str) -> bool:
    if value is None:
        return wanted.lower() in ("null", "none") and sign == "="
    other: Any = wanted
    if isinstance(value, bool):
        other = _WORDS.get(wanted.lower(), wanted)
    elif isinstance(value, int | float):
        try:
            other = float(wanted)
        except ValueError:
            return sign == "!="
    else:
        value = str(value)
    try:
        return _COMPARE[sign](value, other)
    except TypeError:
        return False
