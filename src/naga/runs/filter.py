"""Filtering and sorting runs."""

import fnmatch
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from operator import eq, ge, gt, le, lt, ne
from typing import Any

from naga.config.plain import ABSENT, value_at
from naga.errors import UsageError
from naga.frozen import dataclass
from naga.record.schema import STATUSES
from naga.runs.find import Run
from naga.wording import did_you_mean, nearest

COLUMNS = ("status", "diag", "started", "took", "task", "save_dir", "run_id", "tags")
_EXAMPLE = "--filter 'config.lr>0.01 and (status=failed or tags~best)'"
_TOKEN = re.compile(
    r"""\s*(?:(?P<bracket>[()])
    |(?P<word>and|or)(?=[\s(])
    |(?P<key>[^\s()=!<>~]+)\s*(?P<sign>!=|<=|>=|=|<|>|~)\s*(?P<value>'[^']*'|"[^"]*"|(?!['"])[^\s()]*))""",
    re.VERBOSE,
)
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {"=": eq, "!=": ne, "<": lt, "<=": le, ">": gt, ">=": ge}
_WORDS = {"true": True, "false": False}

Get = Callable[[str], Any]
"""Gives what a run has for a key; None for nothing."""


@dataclass(frozen=True, slots=True)
class Term:
    """A key, an operator and a value."""

    key: str
    sign: str
    value: str

    def holds(self, get: Get) -> bool:
        """Return whether the term is true of a run; where the key is missing, only ``=null`` is."""
        value = get(self.key)
        if value is None:
            return self.value.lower() in ("null", "none") and self.sign == "="
        if isinstance(value, list | tuple):
            found = any(_compared(item, "=", self.value) for item in value)
            return not found if self.sign == "!=" else found
        return _compared(value, self.sign, self.value)


@dataclass(frozen=True, slots=True)
class Filter:
    """Terms joined by ``and`` or ``or``; without any, every run matches."""

    parts: tuple["Filter | Term", ...] = ()
    joined: str = "and"

    @property
    def keys(self) -> frozenset[str]:
        """The keys that it compares."""
        return frozenset[str]().union(*(part.keys if isinstance(part, Filter) else {part.key} for part in self.parts))

    def matches(self, run: Run) -> bool:
        """Return whether a run matches."""
        return self.holds(lambda key: value_of(run, key))

    def holds(self, get: Get) -> bool:
        """Return whether the filter is true of what ``get`` gives."""
        return (any if self.joined == "or" else all)(part.holds(get) for part in self.parts)


def parse_filter(text: str) -> Filter:
    """Read a filter.

    Examples
    --------
    >>> parse_filter("config.lr >= 1e-3 task='exp.main'").parts
    (Term(key='config.lr', sign='>=', value='1e-3'), Term(key='task', sign='=', value='exp.main'))
    >>> parse_filter("(status=failed or tags~best)").keys == {"status", "tags"}
    True
    """
    if not text.strip():
        return Filter()
    reader = _Reader(text)
    found = reader.joined()
    if reader.rest():
        reader.refuse()
    return found


class _Reader:
    """Reads an expression from its beginning: ``or`` binds weaker than ``and``, which may be left out."""

    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0

    def rest(self) -> str:
        return self.text[self.at :].strip()

    def refuse(self) -> None:
        what = f"{self.rest()!r} compares nothing" if self.rest() else "it ends too early"
        raise UsageError(f"--filter {self.text!r}: {what}", hint=_EXAMPLE)

    def next(self, *wanted: str) -> re.Match[str] | None:
        """Consume the next token, if it is one of the wanted brackets and words, or any term."""
        found = _TOKEN.match(self.text, self.at)
        if found and (found["bracket"] or found["word"] or "term") in wanted:
            self.at = found.end()
            return found
        return None

    def joined(self) -> Filter:
        parts = [self.all_of()]
        while self.next("or"):
            parts.append(self.all_of())
        return parts[0] if len(parts) == 1 else Filter(tuple(parts), "or")

    def all_of(self) -> Filter:
        parts = [self.one()]
        while self.next("and") or (self.rest() and not re.match(r"\s*(or\b|\))", self.text[self.at :])):
            parts.append(self.one())
        return Filter(tuple(parts))

    def one(self) -> Filter | Term:
        if self.next("("):
            inside = self.joined()
            if not self.next(")"):
                raise UsageError(f"--filter {self.text!r}: a bracket is not closed", hint=_EXAMPLE)
            return inside
        if not (found := self.next("term")):
            self.refuse()
        assert found  # noqa: S101  # `refuse` raises
        return _term(found["key"], found["sign"], found["value"])


def _term(key: str, sign: str, value: str) -> Term:
    value = value[1:-1] if value[:1] in ("'", '"') else value
    known = (*STATUSES, "lost")
    if key == "status" and sign in ("=", "!=") and not any(fnmatch.fnmatchcase(one, value) for one in known):
        raise UsageError(f"--filter: no run has status {value!r}", hint=did_you_mean(nearest(value, known), known))
    return Term(checked_key(key, "--filter"), sign, value)


def checked_key(key: str, option: str) -> str:
    """Return a key, or refuse it if no run can have it."""
    if key in (*COLUMNS, "duration_s", "note") or key.startswith(("config.", "metrics.")):
        return key
    head, _, rest = key.partition(".")
    part = nearest(head, ("config", "metrics")) if rest else ""
    near = f"{part}.{rest}" if part else nearest(key, COLUMNS) or f"config.{key}"
    raise UsageError(f"{option}: no run has {key!r}", hint=did_you_mean(near))


def check_keys(keys: Iterable[str], runs: Sequence[Run]) -> None:
    """Refuse a key of the configuration or the metrics that no run has, where there are runs."""
    for key in keys:
        if runs and not any(_has(run, key) for run in runs):
            known = sorted(keys_of_all(runs))
            raise UsageError(f"no run here has {key!r}", hint=did_you_mean(nearest(key, known), known))


def _has(run: Run, key: str) -> bool:
    kind, _, name = key.partition(".")
    if kind == "metrics":
        return name in run.metrics
    return kind != "config" or value_at(run.summary.config, name, ABSENT) is not ABSENT


def items_of(config: Mapping[Any, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the dotted keys of a plain configuration, and their values."""
    for key, item in config.items():
        if isinstance(item, Mapping) and item:
            yield from items_of(item, f"{before}{key}.")
        else:
            yield f"{before}{key}", item


def keys_of_all(runs: Iterable[Run]) -> list[str]:
    """Name the keys of the configurations of some runs, and then their metrics."""
    config = {key: 0 for run in runs for key, _ in items_of(run.summary.config, "config.")}
    return [*config, *{f"metrics.{key}": 0 for run in runs for key in run.metrics}]


def sort_key(column: str) -> Callable[[Run], Any]:
    """Return the sort key of a run, ``-key`` for backwards; runs that lack it come last, numbers before text."""
    name = column.removeprefix("-")
    checked_key(name, "--sort")
    sign = -1 if column.startswith("-") else 1

    def key(run: Run) -> tuple[bool, bool, Any]:
        value = value_of(run, name)
        if isinstance(value, int | float) and value == value:  # noqa: PLR0124  # not a number is no number
            return False, sign < 0, sign * value
        return value in (None, ()), sign > 0, str(value) if sign > 0 else _Backwards(str(value))

    return key


@dataclass(frozen=True, slots=True)
class _Backwards:
    """A text that sorts backwards."""

    text: str

    def __lt__(self, other: "_Backwards") -> bool:
        return other.text < self.text


def value_of(run: Run, key: str) -> Any:
    """Return the value that a run has for a key; None where it has none."""
    if key in ("status", "diag", "tags"):
        return getattr(run, key)
    kind, dot, name = key.partition(".")
    if dot:
        return run.metrics.get(name) if kind == "metrics" else value_at(run.summary.config, name)
    return run.folder if key == "save_dir" else getattr(run.summary, "duration_s" if key == "took" else key)


def _compared(value: Any, sign: str, wanted: str) -> bool:
    if sign == "~":
        return wanted.lower() in str(value).lower()
    if isinstance(value, bool):
        return _COMPARE[sign](value, _WORDS.get(wanted.lower(), wanted)) if sign in ("=", "!=") else False
    if isinstance(value, int | float):
        try:
            return _COMPARE[sign](value, float(wanted))
        except ValueError:
            return sign == "!="
    text = str(value)
    if sign in ("=", "!=") and re.search(r"[*?\[]", wanted):
        return (text == wanted or fnmatch.fnmatchcase(text, wanted)) == (sign == "=")
    return _COMPARE[sign](text, wanted)
