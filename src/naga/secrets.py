"""Secrets, which are used and never written down: recognising and redacting them.

A value is a secret by the name of its key (``password``, ``db.api_key``, ``HF_TOKEN``), by being the value of an
environment variable with such a name, or by its place in an address (``https://user:password@host``). Everything that
Naga writes (run.lock, claims, MLflow, commit messages, errors, the log of the console) goes through these functions.
What a process has once met as a secret stays one until it ends, whatever becomes of the variable that it came from.

Names are weak where people use them for other things, too: a ``register_token`` is a number of a vision transformer,
``auth: basic`` a way to log in. There the value decides. It imports nothing of Naga: the process of the console's log
loads it alone.
"""

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache, reduce
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

MARK = "<redacted>"

Keys = tuple[Any, ...]

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_SECRET = {"password", "passwords", "passwd", "passphrase", "pwd", "secret", "secrets", "apikey", "authorization"}
_SECRET |= {"credential", "credentials", "creds"}
_KEYS = {"access", "account", "api", "auth", "encryption", "master", "private", "secret", "signing", "ssh"}
_PASSES = {"admin", "database", "db", "ftp", "mail", "mysql", "pg", "postgres", "redis", "root", "smtp", "user"}
# `pad_token` and its like are words of a language model; `password_file` says where a secret is, not what.
_TOKENS = {"access", "api", "auth", "bearer", "bot", "client", "csrf", "deploy", "gh", "github", "gitlab", "hf", "hub"}
_TOKENS |= {"id", "jwt", "login", "my", "npm", "oauth", "personal", "pypi", "read", "refresh", "secret", "security"}
_TOKENS |= {"session", "slack", "telegram", "user", "wandb", "write"}
_NO_TOKENS = {"bos", "class", "cls", "end", "eos", "eot", "first", "image", "last", "mask", "max", "min", "next", "num"}
_NO_TOKENS |= {"pad", "per", "prefix", "sep", "special", "start", "stop", "unk"}
_ABOUT = {"column", "count", "dir", "enabled", "env", "field", "file", "folder", "len", "length", "name", "path"}
_ABOUT |= {
    "endpoint",
    "header",
    "method",
    "mode",
    "policy",
    "regex",
    "required",
    "size",
    "timeout",
    "ttl",
    "type",
    "uri",
    "url",
}
_ABOUT |= {"uri", "url", "var", "variable"}
_WEAK, _PLAIN_NAME, _STRONG = 1, 2, 3  # a value decides; any text is a secret; numbers are, too
_NO_SECRET = re.compile(r"[\d.+-]{0,5}|true|false|none|null|\?\?\?|<[^<>]*>|\[[^]]*\]", re.IGNORECASE)
_PLAIN_WORD = re.compile(r"[A-Za-z]{1,11}\d?")
_PLACEHOLDERS = {"changeme", "default", "false", "none", "null", "password", "secret", "true", "unset"}

_IN_HTML = (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;"), ("'", "&#x27;"))
_SHORTEST = 6  # characters of a secret that is looked for in other values; below, it would be found by chance
_SHORTEST_IN_TEXT = 4  # and in texts: what is printed, errors
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
_met_in_text: dict[str, None] = {}


def is_secret_key(key: str) -> bool:
    """Return whether a key, or the name of an environment variable, is that of a secret.

    Examples
    --------
    >>> [key for key in ("password", "db.apiKey", "HF_TOKEN", "aws_secret_access_key") if not is_secret_key(key)]
    []
    >>> [key for key in ("tokenizer", "max_tokens", "pad_token", "author", "password_file") if is_secret_key(key)]
    []
    """
    return _strength(key) > 0


def is_secret(key: str, value: Any) -> bool:
    """Return whether a value under that key is a secret."""
    return _counts(_strength(key), value)


@lru_cache(4096)
def _strength(key: str) -> int:
    words = [word.lower() for word in _WORD.findall(key)]
    if not words or words[-1] in _ABOUT:
        return 0
    pairs = list(zip(["", *words], words, strict=False))
    if (
        not _SECRET.isdisjoint(words)
        or any(second == "key" and first in _KEYS for first, second in pairs)
        or (words[-1] == "pass" and pairs[-1][0] in _PASSES)
        or key.rpartition(".")[2].lower() == "pin"
    ):
        return _STRONG
    if words[-1] == "token" and _NO_TOKENS.isdisjoint(words):
        own = _WORD.findall(key.rpartition(".")[2])
        return _PLAIN_NAME if len(own) < 2 or own[-2].lower() in _TOKENS or key.isupper() else _WEAK
    return _WEAK if words[-1] in ("auth", "oauth") else 0


def _counts(strength: int, value: Any) -> bool:
    """Return whether a value is a secret, under a name of that strength."""
    if not strength or value is None or isinstance(value, bool) or value in ("", b"", "???"):
        return False
    if isinstance(value, str) and strength < _STRONG:
        return not (_NO_SECRET.fullmatch(value) or (strength == _WEAK and _PLAIN_WORD.fullmatch(value)))
    return strength == _STRONG or not isinstance(value, int | float)


def known_secrets() -> tuple[str, ...]:
    """List the values to look for everywhere: secrets of the environment, and those that this process has met."""
    # Names first: another thread may take a variable away meanwhile, as MLflow's do.
    for name in list(os.environ):
        value = os.environ.get(name, "")
        if len(value) >= _SHORTEST_IN_TEXT and _counts(_strength(name), value) and not _is_place(value):
            _remember(value)
    return tuple(sorted(_met, key=len, reverse=True))


def known_in_texts() -> tuple[str, ...]:
    """List the values to look for in texts: also shorter ones, and plain words."""
    return tuple(sorted({**_met_in_text, **dict.fromkeys(known_secrets())}, key=len, reverse=True))


def _is_place(value: str) -> bool:
    """Return whether a value is a path and so no secret, as in ``PWD`` and ``GOOGLE_APPLICATION_CREDENTIALS``."""
    return value.startswith(("/", "~")) and Path(value).expanduser().exists()


def _remember(value: str, *, everywhere: bool = True) -> None:
    lines = value.splitlines() if "\n" in value else ()
    for form in (value, value.strip(), *_quoted(value), *lines):
        if everywhere and len(form) >= _SHORTEST:
            _met.setdefault(form)
        elif len(form) >= _SHORTEST_IN_TEXT and form.lower() not in _PLACEHOLDERS:
            _met_in_text.setdefault(form)


def _quoted(value: str) -> Iterator[str]:
    """Yield a text as it is quoted in addresses, Python, JSON, shells and HTML."""
    try:
        raw = value.encode(errors="surrogateescape")
    except UnicodeEncodeError:  # half of a pair, which no variable can hold
        raw = value.encode(errors="surrogatepass")
    for escaped in (quote(raw), quote(raw, safe=""), quote_plus(raw)):
        yield from (escaped, re.sub("%..", lambda found: found[0].lower(), escaped))
    yield from (repr(value)[1:-1], repr(raw)[2:-1])
    yield from (json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1])
    yield value.replace("'", "'\"'\"'")
    yield reduce(lambda text, pair: text.replace(*pair), _IN_HTML, value)


def _remember_value(value: Any) -> None:
    """Remember a value of a configuration; a short one or a plain word, such as ``postgres``, for texts alone."""
    text = str(value) if isinstance(value, int | float) else value
    if isinstance(text, str):
        _remember(text, everywhere=len(text) >= 8 and not (text.isalpha() and len(text) < _LONG) and text is value)


def remember_for_texts(values: Iterable[str]) -> None:
    """Look for these values in texts from now on: secrets that another process has met."""
    _met_in_text.update(dict.fromkeys(values))


def redact_text(text: str) -> str:
    """Take the secrets out of a text: an error, a warning, a path, a line of a log.

    Examples
    --------
    >>> redact_text("cannot reach https://ana:tr0ub4dor@host/x?token=abc123 (password='hunter2')")
    'cannot reach https://ana:<redacted>@host/x?token=<redacted> (password=<redacted>)'
    """
    return _clean(text, _pattern(known_in_texts()))


def _clean(text: str, known: re.Pattern[str]) -> str:
    text = known.sub(MARK, text)
    if "://" in text:
        text = _TOKEN_IN_URL.sub(f"{MARK}@", _PASSWORD_IN_URL.sub(rf"\1:{MARK}@", text))
    return _IN_TEXT.sub(_masked, text) if "=" in text or ":" in text else text


def _masked(found: re.Match[str]) -> str:
    is_secret = _counts(_strength(found["key"]), found["value"].strip("'\""))
    return f"{found['key']}{found['between']}{MARK}" if is_secret else found[0]


@lru_cache(16)
def _pattern(known: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(map(_looked_for, known)) or "(?!)")


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
        is_value = former.startswith("--") and "=" not in former and _counts(_strength(former), word)
        redacted.append(MARK if is_value and not word.startswith("-") else _redact_word(word))
        former = word
    return tuple(redacted)


def _redact_word(word: str) -> str:
    key, equals, value = word.partition("=")
    if equals and _counts(max(map(_strength, (key, *key.split(".")))), value):
        _remember_value(value)
        return f"{key}={MARK}"
    return _clean(_IN_WORD.sub(_masked, word), _pattern(known_secrets()))


def redact_config(config: Mapping[Any, Any]) -> dict[Any, Any]:
    """Take the secrets out of a plain configuration; numbers only under strong names, never None or truth values.

    Examples
    --------
    >>> redact_config({"lr": 0.1, "db": {"user": "ana", "password": 1234}, "token": None})
    {'lr': 0.1, 'db': {'user': 'ana', 'password': '<redacted>'}, 'token': None}
    """
    for value in _secret_leaves(config, 0):
        _remember_value(value)
    redacted: dict[Any, Any] = _redacted(config, _pattern(known_secrets()), 0)
    return redacted


def _secret_leaves(value: Any, strength: int) -> Iterator[Any]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _secret_leaves(item, max(strength, _strength(str(key))))
    elif isinstance(value, list):
        for item in value:
            yield from _secret_leaves(item, strength)
    elif _counts(strength, value):
        yield value
    elif isinstance(value, str) and "://" in value:
        yield from (found[2] for found in _PASSWORD_IN_URL.finditer(value))


def _redacted(value: Any, known: re.Pattern[str], strength: int) -> Any:
    if isinstance(value, Mapping):
        return {
            _redacted(key, known, 0): _redacted(item, known, max(strength, _strength(str(key))))
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [_redacted(item, known, strength) for item in value]
    if value is None or isinstance(value, bool) or value in ("", b"", "???"):
        return value
    return MARK if _counts(strength, value) else _redacted_leaf(value, known)


def _redacted_leaf(value: Any, known: re.Pattern[str]) -> Any:
    if isinstance(value, str):
        return _clean(value, known)
    text = value.decode(errors="replace") if isinstance(value, bytes) else str(value)
    return MARK if known.search(text) else value


def redacted_keys(config: Mapping[Any, Any]) -> tuple[Keys, ...]:
    """Return the paths of the values that were redacted, wholly or in part; a list counts as one value.

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
