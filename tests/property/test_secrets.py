"""No form of a secret is left in what is written, at the very lengths and names where that begins."""

import os
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from naga import secrets
from naga.secrets import (
    MARK,
    is_secret_key,
    known_secrets,
    redact_config,
    redact_text,
    redact_words,
    redacted_keys,
    without_redacted,
)


@pytest.fixture(autouse=True)
def nothing_met(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test begins as a new process does."""
    monkeypatch.setattr(secrets, "_met", {})
    monkeypatch.setattr(secrets, "_met_in_text", {})
    for name in [name for name in os.environ if is_secret_key(name)]:
        monkeypatch.delenv(name)


YES = """
passwd db_password userPassword passphrase MYSQL_PWD client_secret secrets apikey API_KEY authorization Credentials
creds access_key accountKey auth_key encryption_key master_key private_key signing_key ssh_key secret_key
token HF_TOKEN access_token auth basic_auth oauth db_pass admin_pass smtpPass
"""
NO = """
key key_access
pad_session_token keys tokens
max_tokens min_token bos_token eos_token unk_token sep_token next_token token_type tokenizer
author authors pass forward_pass passes pass_db compass passenger bypass password_file password_length secret_name
access_key_path api_keyboard monkey_key primary_key sort_key secretary user_id db_host db_port
api_host oauth_enabled auth_required x 1 2_3
"""


@pytest.mark.parametrize("key", YES.split())
def test_what_names_a_secret(key: str) -> None:
    """In snake case, camel case and capitals."""
    assert is_secret_key(key)
    assert redact_config({key: "a-9/x", "deep": {key: ["a-9/y"]}}) == {key: MARK, "deep": {key: [MARK]}}


@pytest.mark.parametrize("key", NO.split())
def test_what_names_none(key: str) -> None:
    """Words of models, what is said about a secret, and words that hold one by chance."""
    assert not is_secret_key(key)
    assert redact_config({key: "x"}) == {key: "x"}


@pytest.mark.parametrize(("value", "is_met"), [("k9j", False), ("k9j8", False), ("k9j8h", False), ("k9j8h7", True)])
def test_a_variable_is_looked_for_from_six_characters(
    monkeypatch: pytest.MonkeyPatch, value: str, is_met: bool
) -> None:
    """A shorter one would be found by chance; in texts from four."""
    monkeypatch.setenv("MY_TOKEN", value)
    assert known_secrets() == ((value,) if is_met else ())
    assert redact_text(f"it is {value}!") == (f"it is {MARK}!" if len(value) >= 4 else f"it is {value}!")


@pytest.mark.parametrize(
    ("value", "is_met"),
    [
        ("k9j8h7g", False),
        ("k9j8h7g6", True),
        ("postgresdbs", False),
        ("postgresdbsx", True),
        ("postgresdbsxy", True),
        (12345678, False),
    ],
)
def test_a_value_is_looked_for_unless_it_stands_anywhere(value: object, is_met: bool) -> None:
    """From eight characters, a plain word from twelve; a number never."""
    redact_config({"password": value})
    assert (str(value) in known_secrets()) is is_met


@pytest.mark.parametrize(
    ("value", "within"), [("k9j8h7g6f5d", False), ("k9j8h7g6f5d4", True), ("k9j8h7g6f5d4s3", True)]
)
def test_inside_of_words_it_is_looked_for_from_twelve(value: str, within: bool) -> None:
    """A shorter one stands alone."""
    redact_config({"password": value})
    assert (value in redact_text(f"a{value}b")) is not within
    assert (value in redact_text(f"{value}b")) is not within
    assert (value in redact_text(f"a{value}")) is not within
    assert value not in redact_text(f"-{value}_")
    assert redact_config({"a": [{"password": ["q1w2e3r4t5z6"]}]}) == {"a": [{"password": [MARK]}]}
    assert redact_text("is q1w2e3r4t5z6") == f"is {MARK}"


def test_a_place_is_no_secret(monkeypatch: pytest.MonkeyPatch, tmp_path: os.PathLike[str]) -> None:
    """A path that is there, from the root or from home; one that is not there is a secret that looks like one."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for value in (str(tmp_path), "~"):
        monkeypatch.setenv("GOOGLE_CREDENTIALS", value.ljust(6, "/"))
        assert known_secrets() == ()
    monkeypatch.setenv("GOOGLE_CREDENTIALS", "/no/such/place")
    assert "/no/such/place" in known_secrets()


def test_what_was_met_stays_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """Although its variable has gone."""
    monkeypatch.setenv("MY_TOKEN", "k9j8h7g6")
    known_secrets()
    monkeypatch.delenv("MY_TOKEN")
    assert redact_text("k9j8h7g6") == MARK


@given(value=st.text(st.characters(codec="utf-8", exclude_characters="<>"), min_size=12, max_size=40))
def test_every_form_is_found(value: str) -> None:
    """As it is, without its margins, quoted for an address, as Python shows it, and each of its lines."""
    secrets._met.clear()
    secrets._met_in_text.clear()
    redact_config({"password": value})
    for form in (
        value,
        value.strip(),
        quote(value, safe=""),
        repr(value)[1:-1],
        *(value.splitlines() if "\n" in value else ()),
    ):
        if len(form) >= 12:
            assert form not in redact_text(f"a {form} b")
    lengths = [len(known) for known in known_secrets()]
    assert lengths == sorted(lengths, reverse=True)


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("https://ana:pw@host/x", f"https://ana:{MARK}@host/x"),
        ("https://:pw@host", f"https://:{MARK}@host"),
        (f"https://{'t' * 20}@host", f"https://{MARK}@host"),
        (f"https://{'t' * 19}@host", f"https://{'t' * 19}@host"),
        ("ana:pw@host", "ana:pw@host"),
        ("password=x lr=1", f"password={MARK} lr=1"),
        ("password: 'a b', lr: 1", f"password: {MARK}, lr: 1"),
        ('{"token": "a\\"b"}', f'{{"token": {MARK}}}'),
        ("password is x", "password is x"),
        ("the token: none was given", "the token: none was given"),
        ("my-token=abc&x=1", f"my-token={MARK}&x=1"),
    ],
)
def test_what_stands_in_texts(text: str, clean: str) -> None:
    """Addresses, and keys with their values; prose stays."""
    assert redact_text(text) == clean


@pytest.mark.parametrize(
    ("words", "clean"),
    [
        (["--token", "abc", "lr=1"], ["--token", MARK, "lr=1"]),
        (["--token", "--fast", "abc"], ["--token", "--fast", "abc"]),
        (["--token=abc", "def"], [f"--token={MARK}", "def"]),
        (["token", "abc"], ["token", "abc"]),
        (["--rate", "abc"], ["--rate", "abc"]),
        (["db.password.value=x", "a.b=c"], [f"db.password.value={MARK}", "a.b=c"]),
        (["password"], ["password"]),
        (["db={password: x}"], [f"db={{password: {MARK}}}"]),
    ],
)
def test_what_stands_in_words(words: list[str], clean: list[str]) -> None:
    """In a word, or in the one after its key."""
    assert redact_words(words) == tuple(clean)


def test_what_is_typed_is_met() -> None:
    """A value on the command line is looked for in what is written later."""
    redact_words(["password=k9j8h7g6"])
    assert redact_text("k9j8h7g6") == MARK


def test_values_of_all_kinds() -> None:
    """What is nothing stays; what holds a secret goes, of whatever kind it is."""
    redact_config({"password": "k9j8h7g6f5d4"})
    kept = {"token": None, "secret": True, "password": "", "api_key": "???", "auth": b"", "n": 3, "b": b"plain"}
    assert redact_config(kept) == kept
    held = {"a": b"= k9j8h7g6f5d4", "b": ["see k9j8h7g6f5d4"], "k9j8h7g6f5d4": 1, "password": {"x": {"y": 0.5}}}
    assert redact_config(held) == {"a": MARK, "b": [f"see {MARK}"], MARK: 1, "password": {"x": {"y": MARK}}}


def test_what_was_redacted_is_found_and_left_out() -> None:
    """Whole, in part, and within lists; by all of its keys."""
    config = {"a": {"b": {"c": MARK, "d": 1}}, "list": [1, f"x {MARK}"], "url": f"//{MARK}@h", "n": 1, "m": [1]}
    assert redacted_keys(config) == (("a", "b", "c"), ("list",), ("url",))
    assert without_redacted(config) == {"a": {"b": {"d": 1}}, "n": 1, "m": [1]}
