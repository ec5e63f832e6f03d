"""A configuration as MLflow's parameters: nothing is refused, and every cut is marked.

Pure functions: whatever they return, MLflow accepts, so a publication can be checked whole before its first write.
"""

import hashlib
import json
import posixpath
import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any

# MLflow's own limits; beyond them it cuts without a mark, or refuses.
KEY_LIMIT, PARAM_LIMIT, TAG_LIMIT = 250, 6000, 8000
BATCH_PARAMS, BATCH_BYTES = 100, 900_000

_ALLOWED = re.compile(r"[\w\-. /]")  # and the colon, which marks an escape here


def parameters(config: Mapping[Any, Any]) -> dict[str, str]:
    """Flatten a configuration to MLflow's parameters.

    Examples
    --------
    >>> parameters({"lr": 0.1, "model": {"layers": [64, 32], "dropout": None, "extra": {}}})
    {'lr': '0.1', 'model.layers': '[64, 32]', 'model.dropout': 'None', 'model.extra': '{}'}
    """
    flat: dict[str, str] = {}
    for path, value in _leaves(config, ()):
        flat[_unused(".".join(map(str, path)), flat)] = shortened(value, PARAM_LIMIT)
    return flat


def _leaves(value: Any, path: tuple[Any, ...]) -> Iterator[tuple[tuple[Any, ...], Any]]:
    if isinstance(value, Mapping) and (value or not path):
        for key, item in value.items():
            yield from _leaves(item, (*path, key))
    else:
        yield path, value


def _unused(key: str, taken: Mapping[str, str]) -> str:
    """Make a key unique, where flattening makes two equal, as in ``{"a.b": 1, "a": {"b": 2}}``."""
    name, count = escape_key(key), 1
    while name in taken:
        count += 1
        name = _within_limit(f"{escape_key(key)}:{count}:")
    return name


def escape_key(key: str) -> str:
    """Write a key with the characters that MLflow allows; any other one by its Unicode name, between colons.

    Examples
    --------
    >>> escape_key("a[0]"), escape_key("optimizer.lr")
    ('a:left square bracket:0:right square bracket:', 'optimizer.lr')
    """
    escaped = "".join(c if _ALLOWED.match(c) else _named(c) for c in key) or ":empty:"
    # MLflow takes keys for paths, and refuses those that are not in their shortest form.
    if posixpath.normpath(escaped) != escaped or escaped.startswith(("/", "..")) or escaped == ".":
        escaped = escaped.replace("/", _named("/")).replace(".", _named("."))
    return _within_limit(escaped)


def _named(character: str) -> str:
    return f":{unicodedata.name(character, f'u{ord(character):04x}').lower()}:"


def _within_limit(name: str) -> str:
    if len(name) <= KEY_LIMIT:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{name[: KEY_LIMIT - 12]}... {digest}"


def shortened(value: Any, limit: int) -> str:
    r"""Write a value as text that every database can store, with a visible mark where it was cut.

    Examples
    --------
    >>> shortened("caf\udce9", 100), shortened(float("nan"), 100)
    ('caf\\udce9', 'nan')
    >>> shortened("x" * 100, 60)
    'xxxxxxxxxxxxxxxx... [cut: 100 characters, whole in run.lock]'
    """
    text = str(value).encode(errors="backslashreplace").decode().replace("\0", "\\x00")
    if len(text) <= limit:
        return text
    mark = f"... [cut: {len(text)} characters, whole in run.lock]"
    return text[: limit - len(mark)] + mark


def batches(params: Mapping[str, str]) -> tuple[dict[str, str], ...]:
    """Divide parameters into requests that a server takes: at most 100 each, and less than a megabyte.

    Examples
    --------
    >>> [len(batch) for batch in batches({str(n): "" for n in range(250)})]
    [100, 100, 50]
    """
    divided: list[dict[str, str]] = []
    size = BATCH_BYTES
    for key, value in params.items():
        added = len(json.dumps({"key": key, "value": value})) + 50  # MLflow indents
        if not divided or size + added > BATCH_BYTES or len(divided[-1]) == BATCH_PARAMS:
            divided.append({})
            size = 0
        divided[-1][key] = value
        size += added
    return tuple(divided)
