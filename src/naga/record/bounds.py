"""The limits of a run.lock: whatever a task leaves or raises, the lock can be written and read again."""

import math
from collections.abc import Mapping
from typing import Any

from naga.wording import first_of

DEEPEST = 60  # containers in containers; reading allows some more
MOST_BITS = 13_000  # of a whole number: about 3,900 digits, which every reader takes
_LONGEST_KEY = 900  # YAML's readers take 1,024 bytes
_LEAST = 32  # fields that the schema asks for are never left out
_SIZES = {"config": 4 << 20, "config_end": 3 << 20, "code": 1 << 20, "data": 2 << 20}
_OTHERS = 1 << 20  # bytes of each other key: together less than what the opener reads
_TEXT = 1 << 18


def shallow(config: Mapping[Any, Any], name: str, cuts: list[str]) -> dict[Any, Any]:
    """Cut deep nesting and very long numbers, before anything else walks through a configuration."""
    cutter = _Cutter(math.inf, math.inf, 0)
    plain: dict[Any, Any] = cutter.value(config, name, 0)
    cuts += [first_of(cutter.cuts, 3)] if cutter.cuts else []
    return plain


def bounded(plain: Mapping[str, Any], cuts: list[str]) -> dict[str, Any]:
    """Cut what would make a lock larger than its readers accept, and name in its warnings what was cut."""
    result: dict[str, Any] = {}
    for name, value in plain.items():
        cutter = _Cutter(_SIZES.get(name, _OTHERS), _TEXT, 0 if name in ("config", "config_end") else _LEAST)
        result[name] = cutter.value(value, name, 1)
        cuts += [first_of(cutter.cuts, 3)] if cutter.cuts else []
    if cuts:
        said = [f"too large for a run.lock, cut there: {places}" for places in cuts]
        result["warnings"] = [*result.get("warnings", ()), *said]
        order = (*plain, "warnings") if "warnings" in plain or "error" not in plain else _before_error(plain)
        result = {name: result[name] for name in dict.fromkeys(order)}
    return result


def _before_error(plain: Mapping[str, Any]) -> list[str]:
    return [key for name in plain for key in (("warnings", name) if name == "error" else (name,))]


class _Cutter:
    """Copies a value as far as there is room, and notes what it cuts."""

    def __init__(self, room: float, longest: float, least: int) -> None:
        self._room, self._longest, self._least = room, longest, least
        self.cuts: list[str] = []

    def value(self, value: Any, place: str, depth: int) -> Any:
        self._room -= 2 * depth + 32  # so that there are not more values than the reader takes
        if isinstance(value, Mapping | list | tuple) and depth > DEEPEST:
            self.cuts.append(place)
            return f"<cut: nested deeper than {DEEPEST} levels>"
        if isinstance(value, Mapping):
            return self._mapping(value, place, depth)
        if isinstance(value, list | tuple):
            items: list[Any] = []
            for item in value:
                if self._is_full(len(items), place):
                    break
                items.append(self.value(item, f"{place}[{len(items)}]", depth + 1))
            return items
        if isinstance(value, int) and value.bit_length() > MOST_BITS:
            self.cuts.append(place)
            return f"<cut: a whole number of {value.bit_length()} bits>"
        return self._text(value, place, depth) if isinstance(value, str | bytes) else value

    def _mapping(self, value: Mapping[Any, Any], place: str, depth: int) -> dict[Any, Any]:
        items: dict[Any, Any] = {}
        for key, item in value.items():
            if self._is_full(len(items), place):
                break
            name = key
            if isinstance(key, int) and key.bit_length() > MOST_BITS:
                name = f"<cut: a whole number of {key.bit_length()} bits>"
            elif isinstance(key, str | bytes) and _size(key, 0) > _LONGEST_KEY:
                name = f"{key[:100]!r}..."
            elif key != key:  # noqa: PLR0124  # nan, of which a mapping holds several
                name = "nan"
            if name is not key and name != "nan":
                self.cuts.append(f"{place}, a key: {name}")
            while name in items:
                name = f"{name}~"
            self._room -= 32
            items[name] = self.value(item, f"{place}.{name}"[:200], depth + 1)
        return items

    def _text(self, value: str | bytes, place: str, depth: int) -> str | bytes:
        size = _size(value, depth)
        longest = min(self._longest, max(self._room, 200))
        self._room -= min(size, longest)
        if size <= longest:
            return value
        self.cuts.append(place)
        half = int(len(value) * longest / size / 2)
        # Of a traceback the end says what happened, of other texts the beginning.
        text = value if isinstance(value, str) else value.hex()
        return f"{text[:half]}\n<cut: {len(value) - 2 * half:,} characters>\n{text[len(text) - half :]}"

    def _is_full(self, done: int, place: str) -> bool:
        if self._room > 0 or done < self._least:
            return False
        self.cuts.append(f"{place}, after {done} values")
        return True


def _size(text: str | bytes, depth: int) -> int:
    """Return an upper bound of the bytes that a text takes: escapes take six times as much, and lines are indented."""
    if isinstance(text, bytes):
        return 2 * len(text) + 12
    lines = text.count("\n")
    is_plain = text.isascii() and (lines == 0 or depth > 0) and text.replace("\n", "").isprintable()
    return len(text) * (2 if is_plain else 6) + lines * (2 * depth + 4)
