"""The text of a run.lock: a small, strict subset of YAML that every reader understands in the same way.

Writing quotes whatever any reader might take for something else: PyYAML reads ``1_0`` as 10 and ``no`` as false,
OmegaConf reads ``1e5`` as a float, YAML 1.1 reads ``12:30`` as 750. Reading walks the parser's events, with limits,
and builds plain values alone: PyYAML's C loader recurses until the interpreter dies on a file of brackets, and
aliases can multiply a kilobyte into gigabytes.
"""

import base64
import json
import math
import re
from collections.abc import Iterator
from typing import Any

from naga.errors import LockError

MAX_DEPTH = 100
MAX_NODES = 500_000

# A plain scalar starts with a letter or one of / . _ and holds only what is neutral in every YAML, in flow style too.
_PLAIN = re.compile(r"[A-Za-z/_.][A-Za-z0-9/_.@+-]*(?: [A-Za-z0-9/_.@+=()<>-]+)*", re.ASCII)
_WORDS = {"y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf", "infinity"}
_NUMBER_LIKE = re.compile(r"[.]?[0-9_.+-]*(?:e[0-9+-]*|inf|nan)?", re.IGNORECASE)
_UNSAFE_IN_QUOTES = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]")
_BLOCK_TEXT = re.compile(r"[^\s\x00-\x1f\x7f-\xa0\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]"
                         r"[^\x00-\x09\x0b-\x1f\x7f-\xa0\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]*")  # fmt: skip
_FLOW_WIDTH = 100

# libyaml refuses what a path that is not UTF-8 needs (half of a surrogate pair), and PyYAML's own parser takes a minute
# for megabytes: libyaml is given characters of private use in their place, unless the text has such characters itself.
_HALF = re.compile(r"\\ud([89a-f])")
_NOT_PLACED = re.compile(r"[\ue000-\ue7ff]|\\u(?:[eE][0-7]|D[89a-fA-F]|d[A-F])")
_HALVES = {code + 0x800: code for code in range(0xD800, 0xE000)}


def dump(value: dict[Any, Any]) -> str:
    r"""Write plain values as YAML.

    Examples
    --------
    >>> print(dump({"name": "results/a", "digest": "1e5", "layers": [64, 32], "log": "a\nb\n"}))
    name: results/a
    digest: "1e5"
    layers: [64, 32]
    log: |
      a
      b
    <BLANKLINE>
    """
    return "".join(_mapping_lines(value, 0)) if value else "{}\n"


def _mapping_lines(mapping: dict[Any, Any], depth: int) -> Iterator[str]:
    for key, item in mapping.items():
        yield f"{'  ' * depth}{_scalar(key)}:{_after_key(item, depth)}"


def _after_key(item: Any, depth: int) -> str:
    if depth >= MAX_DEPTH:
        raise ValueError(f"nested deeper than {MAX_DEPTH} levels")
    if isinstance(item, dict) and item:
        return "\n" + "".join(_mapping_lines(item, depth + 1))
    if isinstance(item, list) and item:
        flow = _flow(item)
        return f" {flow}\n" if flow else "\n" + "".join(_list_lines(item, depth + 1))
    return f" {_leaf(item, depth)}\n"


def _flow(items: list[Any]) -> str:
    if any(isinstance(item, dict | list | bytes) for item in items):
        return ""
    text = f"[{', '.join(map(_scalar, items))}]"
    return text if len(text) <= _FLOW_WIDTH else ""


def _list_lines(items: list[Any], depth: int) -> Iterator[str]:
    for item in items:
        inner = _after_key(item, depth)
        if inner.startswith("\n"):
            # A collection inside a list starts on the dash's own line.
            yield "  " * depth + "- " + inner[1:].lstrip(" ")
        else:
            yield "  " * depth + "-" + inner


def _leaf(item: Any, depth: int) -> str:
    if isinstance(item, str) and "\n" in item and _BLOCK_TEXT.fullmatch(item):
        return _block(item, depth + 1)
    return _scalar(item)


def _block(text: str, depth: int) -> str:
    body = text.rstrip("\n")
    ending = len(text) - len(body)
    chomping = {0: "-", 1: ""}.get(ending, "+")
    margin = "  " * depth
    lines = [margin + line if line else "" for line in body.split("\n")]
    return "\n".join([f"|{chomping}", *lines]) + "\n" * max(ending - 1, 0)


def _scalar(item: Any) -> str:
    if isinstance(item, str):
        return item if _is_plain(item) else _quoted(item)
    if item is None or isinstance(item, bool):
        return {None: "null", True: "true", False: "false"}[item]
    if isinstance(item, int):
        return str(item)
    if isinstance(item, float):
        return _float(item)
    if isinstance(item, bytes):
        return f"!!binary {_quoted(base64.b64encode(item).decode())}"
    if item in ({}, []):
        return "{}" if isinstance(item, dict) else "[]"
    raise TypeError(f"a run.lock cannot hold {type(item).__name__} {item!r}")


def _is_plain(text: str) -> bool:
    return bool(_PLAIN.fullmatch(text)) and text.lower() not in _WORDS and not _NUMBER_LIKE.fullmatch(text)


def _quoted(text: str) -> str:
    return _UNSAFE_IN_QUOTES.sub(lambda match: f"\\u{ord(match[0]):04x}", json.dumps(text, ensure_ascii=False))


def _float(number: float) -> str:
    if not math.isfinite(number):
        return ".nan" if math.isnan(number) else ".inf" if number > 0 else "-.inf"
    text = repr(number)
    # YAML 1.1 asks for a point and a signed exponent.
    return text if "e" not in text or "." in text else text.replace("e", ".0e")


def load(text: str) -> Any:
    r"""Read YAML text, which may hold anything, into plain values.

    Examples
    --------
    >>> load("a: [1, '1', 1e5]")
    {'a': [1, '1', 100000.0]}
    >>> load("a: &x [1]\nb: *x")
    Traceback (most recent call last):
    naga.errors.LockError: line 1: anchors and aliases do not belong in a run.lock
    """
    import yaml

    parser = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    has_halves = re.search(r"\\u[dD][89a-fA-F]", text) is not None
    if has_halves and _NOT_PLACED.search(text):
        parser, has_halves = yaml.SafeLoader, False
    if has_halves:
        text = _HALF.sub(lambda found: f"\\ue{int(found[1], 16) - 8}", text)
    try:
        return _Builder(yaml.parse(text, Loader=parser), has_halves=has_halves).document()
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f"line {mark.line + 1}: " if mark else ""
        problem = str(getattr(error, "problem", None) or error)
        raise LockError(place + " ".join(problem.split())) from error


class _Builder:
    """Builds one document from a stream of parser events."""

    def __init__(self, events: Iterator[Any], *, has_halves: bool) -> None:
        self._events, self._has_halves = events, has_halves
        self._nodes = 0

    def document(self) -> Any:
        next(self._events)  # stream start
        event = next(self._events)
        if type(event).__name__ != "DocumentStartEvent":
            return None
        value = self._value(next(self._events), 0)
        next(self._events)  # document end
        if type(extra := next(self._events)).__name__ != "StreamEndEvent":
            self._refuse(extra, "a second document")
        return value

    def _value(self, event: Any, depth: int) -> Any:
        self._check(event, depth)
        kind = type(event).__name__
        if kind == "ScalarEvent":
            return _constructed(event, _halved(event.value) if self._has_halves else event.value)
        if kind == "SequenceStartEvent":
            return list(self._items(depth + 1))
        return self._mapping(depth + 1)

    def _check(self, event: Any, depth: int) -> None:
        self._nodes += 1
        if type(event).__name__ == "AliasEvent" or event.anchor:
            self._refuse(event, "anchors and aliases do not belong in a run.lock")
        if event.tag and event.tag != "tag:yaml.org,2002:binary":
            self._refuse(event, f"the tag {event.tag!r} does not belong in a run.lock")
        if depth > MAX_DEPTH or self._nodes > MAX_NODES:
            self._refuse(event, f"more than {MAX_DEPTH} levels or {MAX_NODES} values")

    def _items(self, depth: int) -> Iterator[Any]:
        while type(event := next(self._events)).__name__ != "SequenceEndEvent":
            yield self._value(event, depth)

    def _mapping(self, depth: int) -> dict[Any, Any]:
        mapping: dict[Any, Any] = {}
        while type(event := next(self._events)).__name__ != "MappingEndEvent":
            if type(event).__name__ not in ("ScalarEvent", "AliasEvent"):
                self._refuse(event, "a key that is not a scalar")
            key = self._value(event, depth)
            if key in mapping:
                self._refuse(event, f"the key {key!r} stands twice")
            mapping[key] = self._value(next(self._events), depth)
        return mapping

    @staticmethod
    def _refuse(event: Any, problem: str) -> None:
        raise LockError(f"line {event.start_mark.line + 1}: {problem}")


_INT = re.compile(r"[-+]?[0-9]{1,4000}")
_FLOAT = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_CONSTANTS: dict[str, Any] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
    **dict.fromkeys((".inf", ".Inf", ".INF"), math.inf),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
}


def _halved(text: str) -> str:
    return re.sub(r"\\ue([0-7])", lambda found: f"\\ud{int(found[1]) + 8:x}", text).translate(_HALVES)


def _constructed(event: Any, text: str) -> Any:
    if event.tag:
        return base64.b64decode(text, validate=True)
    if event.style in ("'", '"', "|", ">"):
        return text
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _INT.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text
