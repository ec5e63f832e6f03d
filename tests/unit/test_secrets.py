"""Secrets are known by their names, and masked wherever they turn up."""

import html
import json
import shlex
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
import yaml

from naga.secrets import MARK, is_secret, is_secret_key, redact_config, redact_text, redact_words, redacted_keys


@pytest.mark.parametrize("key", ["password", "db.api_key", "HF_TOKEN", "clientSecret", "aws_secret_access_key"])
def test_names_of_secrets(key: str) -> None:
    """In any spelling."""
    assert is_secret_key(key)


@pytest.mark.parametrize("key", ["pad_token", "max_tokens", "password_file", "key", "monkey", "tokenizer"])
def test_names_of_other_things(key: str) -> None:
    """Words of language models, places of secrets, and words that hold one by chance."""
    assert not is_secret_key(key)


def test_a_value_is_masked_wherever_it_turns_up() -> None:
    """Longest first: a secret that begins with another leaves no end of itself."""
    config = {"password": "sw0rdfish", "api_key": "sw0rdfish-and-more", "lr": 0.1}
    assert redact_config(config) == {"password": MARK, "api_key": MARK, "lr": 0.1}
    assert redact_text("it is sw0rdfish-and-more, or sw0rdfish") == f"it is {MARK}, or {MARK}"


def test_other_forms_of_a_value() -> None:
    """As an address quotes it, and as Python shows it."""
    redact_config({"password": "sword fish\n&"})
    assert "fish" not in redact_text("https://host/?q=sword%20fish%0A%26")
    assert "fish" not in redact_text(repr("sword fish\n&"))


def test_words_of_a_command_line() -> None:
    """With the key in the same word, or in the one before."""
    assert redact_words(["exp.py", "db.password=xy", "lr=1"]) == ("exp.py", f"db.password={MARK}", "lr=1")


def test_a_password_in_an_address() -> None:
    """The user stays, and so does the host."""
    assert redact_text("postgres://ana:hunter22@host/db") == f"postgres://ana:{MARK}@host/db"


def test_the_password_of_an_address_is_looked_for() -> None:
    """Alone, too; the user and the host are not."""
    redact_config({"store": "postgres://anabelle:h7nter22x@somewhere/db"})
    text = "anabelle said h7nter22x at somewhere"
    assert redact_text(text) == f"anabelle said {MARK} at somewhere"


@pytest.mark.parametrize("value", [None, True, False, "", b"", "???"])
def test_what_says_nothing_is_no_secret(value: object) -> None:
    """Under whatever name."""
    assert not is_secret("password", value)
    assert not is_secret("hf_token", value)


def test_names_of_places_are_no_names_of_secrets() -> None:
    """Whatever is there."""
    assert not is_secret("password_file", "tr0ub4dor&3")
    assert is_secret("password", "tr0ub4dor&3")


@pytest.mark.parametrize("key", ["token.1", "token.", "a.token.0"])
def test_a_token_with_a_number(key: str) -> None:
    """As the items of a list are called, in a text and in a configuration."""
    assert redact_text(f"{key}=abc4567") == f"{key}={MARK}"
    assert redact_config({key: "abc4567"}) == {key: MARK}


@pytest.mark.parametrize(
    ("key", "secret"),
    [("my_token", True), ("my_login_token", True), ("user_register_token", False), ("MY_REGISTER_TOKEN", True)],
)
def test_the_word_before_token_decides(key: str, secret: bool) -> None:
    """Plain words are secrets only where it is one that such tokens have, or a variable's name."""
    assert is_secret(key, "word") == secret
    assert is_secret(key, "w0rd-1234")


def test_a_word_that_stands_anywhere_is_not_looked_for() -> None:
    """Neither placeholders nor values of three letters: texts would be full of marks."""
    for value in ("none", "true", "xyq", "Unset"):
        assert redact_config({"password": value}) == {"password": MARK}
        assert redact_text(f"it is {value} here") == f"it is {value} here"
    assert redact_config({"password": "xyqz"}) == {"password": MARK}
    assert redact_text("it is xyqz here") == f"it is {MARK} here"


def test_what_was_redacted_is_told() -> None:
    """By its keys."""
    assert redacted_keys({"a": {"token": MARK}, "b": 1}) == (("a", "token"),)


@pytest.mark.parametrize("key", ["password", "passwd", "pin", "secret", "api_key", "db.pin"])
def test_numbers_are_secrets_under_strong_names(key: str) -> None:
    """Truth values and nothing never are."""
    assert redact_config({key: 4711}) == {key: MARK}
    for value in (True, False, None):
        assert redact_config({key: value}) == {key: value}


@pytest.mark.parametrize("key", ["token", "hf_token", "register_token", "auth"])
def test_numbers_are_none_under_weak_names(key: str) -> None:
    """They count something."""
    for value in (8, 0.5, True, None):
        assert redact_config({key: value}) == {key: value}


def test_keys_of_public_projects() -> None:
    """More than 200 with their values, by the marks of the list; it names the nearest errors, too."""
    lines = Path(__file__).with_name("real_config_keys.txt").read_text().splitlines()
    lines = [line for line in lines if not line.startswith(("#", "["))]
    assert len(lines) > 200
    for line in lines:
        key, _, value = line.lstrip("!?~").partition(": ")
        redacted = MARK in str(redact_config({key: yaml.safe_load(value)}))
        assert redacted == line.startswith(("!", "~")), line


def test_a_value_is_masked_as_python_shows_it() -> None:
    """Control letters and quotes are written in other ways there than in JSON."""
    value = "tr0ub\x01'\"dor-\u00e9"
    assert redact_config({"password": value}) == {"password": MARK}
    shown = repr(value)[1:-1]
    assert redact_text(f"it is {shown}.") == f"it is {MARK}."


def test_a_value_is_found_however_it_is_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a shell, in an address, on a web page, as bytes, and in JSON that keeps its letters."""
    value = "pä/ss \"w0rd'$x&<y>\\z9"
    monkeypatch.setenv("MY_TOKEN", value)
    forms = [shlex.quote(value), html.escape(value), quote(value), quote(value, safe="").lower(), quote_plus(value)]
    forms += [repr(value), str(value.encode()), json.dumps(value), json.dumps(value, ensure_ascii=False)]
    assert [form for form in forms if set("pw9") & set(redact_text(f"it is {form}."))] == []


@pytest.mark.parametrize("value", ["\udcffabcdefgh", "\ud800abcdefgh"])
def test_a_value_that_is_no_text_is_one_too(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """A variable may hold any bytes, a configuration any letters."""
    assert redact_config({"token": value, "again": f"x {value} y"}) == {"token": MARK, "again": f"x {MARK} y"}
    if value.startswith("\udcff"):
        monkeypatch.setenv("MY_TOKEN", value)
        assert redact_text(f"x {value} y %FFabcdefgh") == f"x {MARK} y {MARK}"
