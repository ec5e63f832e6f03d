"""Reading files and words."""

import os
from pathlib import Path
from typing import Any, Literal

import pytest

from naga.config.field_types import default_hint
from naga.config.override_grammar import Typed
from naga.config.typed_text import read_file, read_text
from naga.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12:30", "12:30"),
        ("010", "010"),
        ("- a", "- a"),
        ("b: c", "b: c"),
        ("x #y", "x #y"),
        ("@x", "@x"),
        ("*a", "*a"),
        ("50%", "50%"),
        ("${now:%H: %M}", "${now:%H: %M}"),
        ("${join:${a},[1]}", "${join:${a},[1]}"),
        ("2024-01-01", "2024-01-01"),
        ("'12'", "12"),
        ('"a\\nb"', r"a\nb"),
        ("'", "'"),
        ("'a' 'b'", "'a' 'b'"),
        ("~", "~"),
        ("~/a", "~/a"),
        ("", ""),
        ("None", "None"),
        ("null", None),
        ("12", Typed(12, "12")),
        ("1_000", Typed(1000, "1_000")),
        ("0x10", "0x10"),
        ("1e3", Typed(1000.0, "1e3")),
        ("on", "on"),
        ("TRUE", Typed(True, "TRUE")),
    ],
)
def test_a_word_is_a_number_or_a_truth_value_or_itself(text: str, value: object) -> None:
    """Signs that mean something to YAML mean nothing in a word."""
    found = read_text(text, Any, "key")
    assert found == (value.value if isinstance(value, Typed) else value)
    assert type(found) is type(value.value if isinstance(value, Typed) else value)


def test_a_word_that_a_type_lists_is_that_word() -> None:
    """Though YAML would take it for a number or a truth value; others of its values are read as YAML's."""
    assert read_text("on", Literal["on", "1", 2], "key") == "on"
    assert read_text("1", Literal["on", "1", 2], "key") == "1"
    assert read_text("2", Literal["on", "1", 2], "key") == 2


def test_a_list_that_is_no_list_is_an_error_in_one_line() -> None:
    """The text is shown as it was typed."""
    with pytest.raises(ConfigError) as caught:
        read_text("[1, 2", list, "sizes")
    assert caught.value.message.startswith("sizes=[1, 2: ")


def _file(folder: Path, text: str) -> Path:
    file = folder / "conf.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def test_the_part_of_a_file_is_named_by_a_dotted_key(tmp_path: Path) -> None:
    """`--experiment runs.big` reads what is there and nothing else."""
    file = _file(tmp_path, "runs: {big: {label: grün}}\nother: 1\n")
    assert read_file(file, "runs.big") == {"label": "grün"}


@pytest.mark.parametrize(
    ("text", "experiment", "message", "hint"),
    [
        ("a: 1\nb: [\n", None, "line 3: ", ""),
        ("a: 1\na: 2\n", None, "line 2: found duplicate key a", ""),
        ("- 1\n", None, "is not a mapping", "key: value"),
        ("", None, "is not a mapping", "key: value"),
        ("runs: {big: {}, small: {}}", "runs.bog", "no experiment 'runs.bog'", "did you mean 'runs.big'?"),
        ("runs: {big: {}, small: {}}", "runs.xyz", "no experiment 'runs.xyz'", "there is: runs.big, runs.small"),
        ("runs: {big: 5}", "runs.big.a", "no experiment 'runs.big.a'", ""),
        ("runs: {big: 5}", "runs.big", "'runs.big' of ", ""),
    ],
)
def test_a_file_that_cannot_be_used_is_named(
    tmp_path: Path, text: str, experiment: str | None, message: str, hint: str
) -> None:
    """With the line, or the nearest part."""
    file = _file(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        read_file(file, experiment)
    assert message in caught.value.message
    assert str(file) in caught.value.message
    assert hint in caught.value.hint
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named_with_its_neighbour(tmp_path: Path) -> None:
    """As is a folder, and bytes that are no text."""
    _file(tmp_path, "a: 1")
    with pytest.raises(ConfigError, match="no config file .*confg.yaml.*did you mean .*conf.yaml"):
        read_file(tmp_path / "confg.yaml")
    with pytest.raises(ConfigError, match="no config file"):
        read_file(tmp_path / "none" / "conf.yaml")
    with pytest.raises(ConfigError, match="is a folder"):
        read_file(tmp_path)
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="is not UTF-8 text"):
        read_file(tmp_path / "binary")


def test_a_file_under_a_file_cannot_be_read(tmp_path: Path) -> None:
    """The operating system's own word is passed on."""
    with pytest.raises(ConfigError, match=f"cannot be read: {os.strerror(20)}"):
        read_file(_file(tmp_path, "a: 1") / "below")


def test_a_value_need_not_be_utf_8() -> None:
    """A file's name need not be; alone or in a list, it is what was typed."""
    assert read_text("\udcff", Any, "name") == "\udcff"
    assert read_text("[\udcff]", list, "names") == ["\udcff"]


def test_an_untyped_field_follows_its_default_where_that_says_how() -> None:
    """Text stays text and a switch a switch, but null is None and a whole list a list."""
    words = {"NO": "NO", "1.10": "1.10", "null": None, "[a,1]": ["a", 1], "[a": "[a", "'1'": "1"}
    text = default_hint("DE")
    for typed, value in words.items():
        found = read_text(typed, text, "country", is_untyped=True)
        assert [getattr(item, "value", item) for item in found] == value if isinstance(value, list) else found == value
    assert read_text("off", default_hint(True), "flag", is_untyped=True) is False
    assert read_text("2", default_hint(True), "flag", is_untyped=True) == 2


@pytest.mark.parametrize("default", ["${base}", "???", "<redacted>", None, 1, [], ["a", 1], {"a": "b"}])
def test_a_default_that_may_be_anything_asks_for_nothing(default: object) -> None:
    """What an interpolation comes to, or what was redacted, need not be text."""
    assert default_hint(default) is Any
