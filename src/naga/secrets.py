"""Secrets, which are used and never written down: how they are told, and what stands in their place.

A value is a secret by the name of its key (``password``, ``db.api_key``, ``HF_TOKEN``), by being the value of an
environment variable with such a name, or by its place in an address (``https://user:password@host``). Everything that
Naga writes (run.lock, claims, MLflow, commit messages, errors, the log of the console) goes through these functions.
What a process has once met as a secret stays one until it ends, whatever becomes of the variable that it came from.
"""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

MARK = "<redacted>"

Keys = tuple[Any, ...]

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_SECRET = {"password", "passwords", "passwd", "passphrase", "pwd", "secret", "secrets", "apikey", "authorization"}
_SECRET |= {"credential", "credentials", "creds"}
_KEYS = {"access", "account", "api", "auth", "encryption", "master", "private", "secret", "signing", "ssh"}
_PASSES = {"admin", "database", "db", "ftp", "mail", "mysql", "pg", "postgres", "redis", "root", "smtp", "user"}
# `pad_token` and its like are words of a language model; `password_file` says where a secret is, not what.
_NO_TOKENS = {"bos", "class", "cls", "end", "eos", "eot", "first", "image", "last", "mask", "max", "min", "next", "num"}
_NO_TOKENS |= {"pad", "per", "prefix", "sep", "special", "start", "stop", "unk"}
_ABOUT = {"column", "count", "dir", "enabled", "env", "field", "file", "folder", "len", "length", "name", "path"}
_ABOUT |= {"policy", "required", "size", "type"}

_SHORTEST = 6  # characters of a secret that is looked for in other places; below, it would be found by chance
_LONG = 12  # from here on it is looked for inside words, too

_PASSWORD_IN_URL = re.compile(r"""(?<=://)([^/\s:@'"]*):([^/\s'"]+)@""")
_TOKEN_IN_URL = re.compile(r"""(?<=://)[\w~%-]{20,}@""")
_QUOTED = r"""(?:"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')"""
_KEY = r"""(?P<key>(?<![\w.-])[\w.-]+)"""
_VALUE = rf"""(?P<value>{_QUOTED}|[^\s&;,'"()\[\]{{}}<]+)"""
_IN_TEXT = re.compile(rf"""{_KEY}(?P<between>["']?(?:\s*[:=]\s*(?=["'])|=)){_VALUE}""")
_IN_WORD = re.compile(rf"""{_KEY}(?P<between>["']?\s*[:=]\s*){_VALUE}""")

# By design one for the process: a secret that one run has met is one for whatever is written after it, too.
_met: dict[str, None] = {}


@lru_cache(4096)
def is_secret_key(key: str) -> bool:
    """Tell whether a key, or the name of an environment variable, is that of a secret.

    Examples
    --------
    >>> [key for key in ("password", "db.apiKey", "HF_TOKEN", "aws_secret_access_key") if not is_secret_key(key)]
    []
    >>> [key for key in ("tokenizer", "max_tokens", "pad_token", "author", "password_file") if is_secret_key(key)]
    []
    """
    words = [word.lower() for word in _WORD.findall(key)]
    if not words or words[-1] in _ABOUT:
        return False
    pairs = list(zip(["", *words], words, strict=False))
    return (
        not _SECRET.isdisjoint(words)
        or any(second == "key" and first in _KEYS for first, second in pairs)
        or (words[-1] == "token" and _NO_TOKENS.isdisjoint(words))
        or words[-1] in ("auth", "oauth")
        or (words[-1] == "pass" and pairs[-1][0] in _PASSES)
    )


def known_secrets() -> tuple[str, ...]:
    """List the values that are looked for everywhere: those of the environment, and what this process has met."""
    # Names first: another thread may take a variable away meanwhile, as MLflow's do.
    for name in list(os.environ):
        value = os.environ.get(name, "")
        if len(value) >= _SHORTEST and is_secret_key(name) and not _is_place(value):
            _remember(value)
    return tuple(sorted(_met, key=len, reverse=True))


def _is_place(value: str) -> bool:
    """Tell a secret from where it is kept: ``PWD`` and ``GOOGLE_APPLICATION_CREDENTIALS`` hold paths."""
    return value.startswith(("/", "~")) and Path(value).expanduser().exists()


def _remember(value: str) -> None:
    lines = value.splitlines() if "\n" in value else ()
    for form in (value, value.strip(), quote(value, safe=""), repr(value)[1:-1], *lines):
        if len(form) >= _SHORTEST:
            _met.setdefault(form)


def _remember_value(value: Any) -> None:
    """Remember a value of a configuration, unless it is a plain word, such as ``postgres``, that stands anywhere."""
    if isinstance(value, str) and len(value) >= 8 and not (value.isalpha() and len(value) < _LONG):
        _remember(value)


def redact_text(text: str) -> str:
    """Take the secrets out of a text: an error, a warning, a path, a line of a log.

    Examples
    --------
    >>> redact_text("cannot reach https://ana:tr0ub4dor@host/x?token=abc123 (password='hunter2')")
    'cannot reach https://ana:<redacted>@host/x?token=<redacted> (password=<redacted>)'
    """
    return _clean(text, _pattern(known_secrets()))


def _clean(text: str, known: re.Pattern[str]) -> str:
    text = known.sub(MARK, text)
    if "://" in text:
        text = _TOKEN_IN_URL.sub(f"{MARK}@", _PASSWORD_IN_URL.sub(rf"\1:{MARK}@", text))
    return _IN_TEXT.sub(_masked, text) if "=" in text or ":" in text else text


def _masked(found: re.Match[str]) -> str:
    return f"{found['key']}{found['between']}{MARK}" if is_secret_key(found["key"]) else found[0]


@lru_cache(16)
def _pattern(known: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(map(_looked_for, known)) or "(?!)")


def secrets_pattern() -> tuple[bytes, ...]:
    """Give regular expressions, on bytes, of all that `known_secrets` lists; for the log of the console."""
    return tuple(_looked_for(secret).encode(errors="surrogateescape") for secret in known_secrets())


def _looked_for(secret: str) -> str:
    literal = re.escape(secret)
    return literal if len(secret) >= _LONG else rf"(?<![A-Za-z0-9]){literal}(?![A-Za-z0-9])"


def redact_words(words: Sequence[str]) -> tuple[str, ...]:
    """Take the secrets out of a command line.

    Examples
    --------
    >>> redact_words(["exp.py", "db.password=hunter2", "lr=0.1", "--token", "abc", "db={user: ana, password: x}"])
    ('exp.py', 'db.password=<redacted>', 'lr=0.1', '--token', '<redacted>', 'db={user: ana, password: <redacted>}')
    """
    redacted: list[str] = []
    former = ""
    for word in words:
        is_value = former.startswith("--") and "=" not in former and is_secret_key(former)
        redacted.append(MARK if is_value and not word.startswith("-") else _redact_word(word))
        former = word
    return tuple(redacted)


def _redact_word(word: str) -> str:
    key, equals, value = word.partition("=")
    if equals and any(map(is_secret_key, key.split("."))):
        _remember_value(value)
        return f"{key}={MARK}"
    return redact_text(_IN_WORD.sub(_masked, word))


def redact_config(config: Mapping[Any, Any]) -> dict[Any, Any]:
    """Take the secrets out of a plain configuration; numbers and texts alike, but neither None nor truth values.

    Examples
    --------
    >>> redact_config({"lr": 0.1, "db": {"user": "ana", "password": 1234}, "token": None})
    {'lr': 0.1, 'db': {'user': 'ana', 'password': '<redacted>'}, 'token': None}
    """
    for value in _secret_leaves(config, is_secret=False):
        _remember_value(value)
    redacted: dict[Any, Any] = _redacted(config, _pattern(known_secrets()), is_secret=False)
    return redacted


def _secret_leaves(value: Any, *, is_secret: bool) -> Iterator[Any]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _secret_leaves(item, is_secret=is_secret or is_secret_key(str(key)))
    elif isinstance(value, list):
        for item in value:
            yield from _secret_leaves(item, is_secret=is_secret)
    elif is_secret:
        yield value


def _redacted(value: Any, known: re.Pattern[str], *, is_secret: bool) -> Any:
    if isinstance(value, Mapping):
        return {
            _redacted(key, known, is_secret=False): _redacted(
                item, known, is_secret=is_secret or is_secret_key(str(key))
            )
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [_redacted(item, known, is_secret=is_secret) for item in value]
    if value is None or isinstance(value, bool) or value in ("", b"", "???"):
        return value
    return MARK if is_secret else _redacted_leaf(value, known)


def _redacted_leaf(value: Any, known: re.Pattern[str]) -> Any:
    if isinstance(value, str):
        return _clean(value, known)
    text = value.decode(errors="replace") if isinstance(value, bytes) else str(value)
    return MARK if known.search(text) else value


def redacted_keys(config: Mapping[Any, Any]) -> tuple[Keys, ...]:
    """Give the paths of the values that were redacted, wholly or in part; a list counts as one value.

    Examples
    --------
    >>> redacted_keys({"lr": 0.1, "db": {"url": "https://ana:<redacted>@host"}, "keys": ["<redacted>"]})
    (('db', 'url'), ('keys',))
    """
    return tuple(_marked(config, ()))


def _marked(value: Any, path: Keys) -> Iterator[Keys]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _marked(item, (*path, key))
    elif MARK in value if isinstance(value, str) else isinstance(value, list) and MARK in repr(value):
        yield path


def without_redacted(config: Mapping[Any, Any]) -> dict[Any, Any]:
    """Leave out the values that were redacted.

    Examples
    --------
    >>> without_redacted({"lr": 0.1, "db": {"user": "ana", "password": "<redacted>"}})
    {'lr': 0.1, 'db': {'user': 'ana'}}
    """
    return {
        key: without_redacted(item) if isinstance(item, Mapping) else item
        for key, item in config.items()
        if isinstance(item, Mapping) or not list(_marked(item, ()))
    }
