"""The grammar of the right-hand side of ``key=`` where no type says how to read it: Hydra's and OmegaConf's.

Numbers, ``true``, ``false`` and ``null``, ``[lists]``, ``{keys: values}`` and quoted texts are what they are in Hydra's
overrides; any other word is text. What Hydra refuses (``#00ff00``, ``a=b``), or takes for a sweep (``a,b``), is text
too, because nothing else can be meant by it. The table in docs/decorators.md says it in full, and a test holds it
against Hydra's own parser.
"""

import re
from typing import Any

from naga.frozen import dataclass

_DIGITS = r"[0-9](?:_?[0-9])*"
_INT = r"(?:0|[1-9](?:_?[0-9])*)"
_NUMBER = re.compile(rf"[+-]?{_INT}")
_POINT = rf"(?:{_INT}\.|{_INT}?\.{_DIGITS})"
_FLOAT = re.compile(rf"[+-]?(?:(?:{_INT}|{_POINT})e[+-]?{_DIGITS}|{_POINT}|inf|nan)", re.IGNORECASE)
_CONSTANTS = {"true": True, "false": False, "null": None}
_ESCAPED = re.compile(r"\\([\\()\[\]{}:=, \t])")
_STOPS = {"list": ",]", "value": ",}", "key": ":,}"}


@dataclass(frozen=True, slots=True)
class Typed:
    """A number, a truth value or null, and the characters that were typed, which a text field gets."""

    value: Any
    text: str

    def __str__(self) -> str:
        return self.text


class NotInGrammarError(ValueError):
    """A list, mapping or quoted text that does not end as it began."""


def parse(text: str) -> Any:
    """Read a whole right-hand side; numbers and the like as `Typed`, at any depth."""
    if not text.strip().startswith(("[", "{", '"', "'")):
        return word(text.strip())
    reader = _Reader(text)
    value = reader.element("")
    if reader.rest():
        raise NotInGrammarError(f"{reader.rest()!r} is left over")
    return value


def word(text: str) -> Any:
    """Read a word that is no list, no mapping and not quoted."""
    if _NUMBER.fullmatch(text):
        return Typed(int(text), text)
    if _FLOAT.fullmatch(text):
        return Typed(float(text), text)
    if text.lower() in _CONSTANTS:
        return Typed(_CONSTANTS[text.lower()], text)
    # The escapes of an interpolation are OmegaConf's to read.
    return text if "${" in text else _ESCAPED.sub(r"\1", text)


def unquoted(text: str) -> str:
    """Take off the quotes where they enclose the whole text."""
    if text[:1] not in ("'", '"'):
        return text
    reader = _Reader(text)
    try:
        value = reader.quoted()
    except NotInGrammarError:
        return text
    return value if reader.at == len(text) else text


class _Reader:
    """Reads a text from its beginning; remembers the position."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def rest(self) -> str:
        return self.text[self.at :].strip()

    def sign(self) -> str:
        """Return the next character that is no space."""
        while self.text[self.at : self.at + 1].isspace():
            self.at += 1
        return self.text[self.at : self.at + 1]

    def element(self, stops: str) -> Any:
        sign = self.sign()
        if sign == "[":
            return self.items("]", lambda: self.element(_STOPS["list"]))
        if sign == "{":
            return self.mapping()
        return self.quoted() if sign in ("'", '"') else self.primitive(stops)

    def items(self, end: str, one: Any) -> list[Any]:
        self.at += 1
        found: list[Any] = []
        while self.sign() != end or found:
            found.append(one())
            sign = self.sign()
            if sign not in (",", end) or not sign:
                raise NotInGrammarError(f"',' or {end!r} is missing" + (f" before {self.rest()!r}" if sign else ""))
            if sign == end:
                break
            self.at += 1
        self.at += 1
        return found

    def mapping(self) -> dict[Any, Any]:
        pairs = self.items("}", self.pair)
        names = [str(key) for key, _ in pairs]
        if again := next((name for name in names if names.count(name) > 1), None):
            raise NotInGrammarError(f"{again!r} is there twice")
        return dict(pairs)

    def pair(self) -> tuple[Any, Any]:
        key = self.quoted() if self.sign() in ("'", '"') else self.primitive(_STOPS["key"])
        if self.sign() != ":":
            raise NotInGrammarError(f"':' is missing after {str(key)!r}")
        self.at += 1
        return key, self.element(_STOPS["value"])

    def quoted(self) -> str:
        quote = self.sign()
        found = re.compile(rf"{quote}((?:[^{quote}\\]|\\.)*){quote}", re.DOTALL).match(self.text, self.at)
        if not found:
            raise NotInGrammarError(f"a closing {quote} is missing")
        self.at = found.end()
        # Backslashes mean something only before a quote.
        return re.sub(rf"(\\+)({quote}|$)", lambda run: run[1][: len(run[1]) // 2] + run[2], found[1])

    def primitive(self, stops: str) -> Any:
        start, depth = self.at, 0
        while self.at < len(self.text):
            sign, is_start = self.text[self.at], self.text.startswith("${", self.at)
            if is_start or depth:
                depth += 1 if is_start else {"{": 1, "}": -1}.get(sign, 0)
            elif sign in stops or sign in "[]{}":
                break
            self.at += 2 if is_start or sign == "\\" else 1
        text = self.text[start : self.at].strip()
        if not text:
            raise NotInGrammarError(f"a value is missing before {self.rest()!r}" if self.rest() else "it does not end")
        return word(text)
