"""The very text that is written, and the very bounds of what is read."""

import math
import time
from typing import Any

import pytest

from naga.errors import LockError
from naga.record import yaml_text
from naga.record.yaml_text import dump, load

WRITTEN: list[tuple[Any, str]] = [
    ("results/a", "results/a"), ("a b", "a b"), (".a", ".a"), ("_x", "_x"), ("/x+y@z", "/x+y@z"),
    ("a <b>(=c)", "a <b>(=c)"),
    ("a  b", '"a  b"'), ("a ", '"a "'), ("-a", '"-a"'), ("a:b", '"a:b"'), ("1a", '"1a"'), ("", '""'), ("é", '"é"'),
    ("1e5", '"1e5"'), (".5", '".5"'), ("._", '"._"'), ("E5", '"E5"'), (".inf", '".inf"'), ("e", '"e"'),
    ("yes", '"yes"'),
    ("Off", '"Off"'), ("NULL", '"NULL"'), ("infinity", '"infinity"'), ("n", '"n"'), ("none", "none"),
    ("\x7f", '"\\u007f"'), ("\u2028", '"\\u2028"'), ("\ud800", '"\\ud800"'), ("a\tb", '"a\\tb"'), ('"', '"\\""'),
    (None, "null"), (True, "true"), (False, "false"), (0, "0"), (-7, "-7"), (0.5, "0.5"), (1e20, "1.0e+20"),
    (1.5e-7, "1.5e-07"), (math.nan, ".nan"), (math.inf, ".inf"), (-math.inf, "-.inf"), (b"ab", '!!binary "YWI="'),
    ({}, "{}"), ([], "[]"), ([1, "a", None], '[1, a, null]'),
]  # fmt: skip


@pytest.mark.parametrize(("value", "text"), WRITTEN, ids=ascii)
def test_a_value_on_one_line(value: Any, text: str) -> None:
    """Plain where every reader takes it for what it is, and quoted elsewhere."""
    assert dump({"k": value}) == f"k: {text}\n"
    assert repr(load(dump({"k": value}))) == repr({"k": value})


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a\nb", "|-\n    a\n    b"),
        ("a\n", "|\n    a"),
        ("a\n\nb\n\n", "|+\n    a\n\n    b\n"),
        ("a\n\n\n", "|+\n    a\n\n"),
        (" a\nb", '" a\\nb"'),
        ("a\r\nb", '"a\\r\\nb"'),
    ],
)
def test_a_text_of_several_lines(value: str, text: str) -> None:
    """As a block, with all of its last newlines, where it has nothing that a reader would change."""
    assert dump({"m": {"k": value}, "z": 1}) == f"m:\n  k: {text}\nz: 1\n"
    assert load(dump({"m": {"k": value}, "z": 1})) == {"m": {"k": value}, "z": 1}


def test_lists_and_mappings() -> None:
    """Short lists on one line of at most 100 characters, others item by item."""
    assert dump({}) == "{}\n"
    assert dump({"a": ["x" * 48, "y" * 48]}) == f"a: [{'x' * 48}, {'y' * 48}]\n"
    assert dump({"a": ["x" * 49, "y" * 48]}) == f"a:\n  - {'x' * 49}\n  - {'y' * 48}\n"
    assert dump({"a": [{"b": 1, "c": [2]}, [3], {}]}) == "a:\n  - b: 1\n    c: [2]\n  - [3]\n  - {}\n"
    assert dump({"a": [[{"b": 1}], b"x"]}) == 'a:\n  - - b: 1\n  - !!binary "eA=="\n'
    with pytest.raises(TypeError, match="cannot hold object"):
        dump({"a": object()})


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("~", None), ("", None), ("Null", None), ("TRUE", True), ("False", False), ("yes", "yes"),
        ("+7", 7), ("007", 7),
        ("1.", 1.0), (".5", 0.5), ("1e3", 1000.0), ("-1E-2", -0.01), ("1_0", "1_0"), ("12:30", "12:30"), (".", "."),
        ("0x1f", "0x1f"), ("2024-01-01", "2024-01-01"), ("'1'", "1"), ('"~"', "~"), ("!!binary YWI=", b"ab"),
        (".NaN", math.nan), (".Inf", math.inf), ("-.INF", -math.inf), ("9" * 4000, int("9" * 4000)),
        ("9" * 4001, math.inf),
    ],
)  # fmt: skip
def test_a_value_is_read(text: str, value: Any) -> None:
    """By few rules, which no locale and no version of YAML changes."""
    read = load(f"k: {text}")["k"]
    assert type(read) is type(value)
    assert read == value or math.isnan(read)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: 1\nb: &x 2", "line 2: anchors"),
        ("a: 1\n\nb: *x", "line 3: anchors"),
        ("a: !!python/name:os.system x", "line 1: the tag"),
        ("a: !x 1", "line 1: the tag"),
        ("a: 1\na: 2", "line 2: the key 'a' stands twice"),
        ("? [a]\n: 1", "line 1: a key that is not a scalar"),
        ("a: 1\n---\nb: 2", "line 2: a second document"),
        ("a: {]", "line 1: did not find expected"),
        ("a: [1", "line 2: did not find expected"),
        ("a: !!binary '*'", ""),
    ],
)
def test_what_does_not_belong_is_refused(text: str, problem: str) -> None:
    """With its line."""
    with pytest.raises(LockError) as refused:
        load(text)
    assert problem in refused.value.message


def test_an_empty_stream_is_nothing() -> None:
    """Torn by a full disk, perhaps."""
    assert load("") is None
    assert load("# only a comment\n") is None


def test_the_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is written at the limit is read, and one more is refused by both."""
    monkeypatch.setattr(yaml_text, "MAX_DEPTH", 3)
    deep = {"a": {"b": {"c": 1}}}
    assert load(dump(deep)) == deep
    assert load("x: [[1]]") == {"x": [[1]]}
    with pytest.raises(ValueError, match="nested deeper than 3"):
        dump({"x": deep})
    with pytest.raises(LockError, match="more than 3 levels"):
        load("x: {a: {b: {c: 1}}}")
    with pytest.raises(LockError, match="more than 3 levels"):
        load("x: [[[[1]]]]")
    monkeypatch.setattr(yaml_text, "MAX_NODES", 5)
    assert load("a: [1, 2]") == {"a": [1, 2]}
    with pytest.raises(LockError, match="5 values"):
        load("a: [1, 2, 3]")


@pytest.mark.parametrize("mark", ["", "\ue000", "\\ue0ff", "\\uDCFF", "\ue7ff\\ud800"])
@pytest.mark.parametrize("text", ["\udcff", "\ud800\udfff", "\\udcff", "\\\udcff", "a\n\\ud8ff", "\\\\ud9ff\udabc"])
def test_half_of_a_surrogate_pair_is_read_beside_anything(text: str, mark: str) -> None:
    """Also beside characters, and escapes of them, that libyaml is given in its place."""
    value = {"a": text, text: "b", "mark": mark}
    assert load(dump(value)) == value


def test_a_large_lock_with_half_of_a_surrogate_pair_is_read_fast() -> None:
    """One path that is not UTF-8 does not make of a second a minute."""
    text = dump({"path": "\udcff", "values": [str(n) for n in range(30_000)]})
    begun = time.process_time()
    load(text)
    assert time.process_time() - begun < 2


def test_the_deepest_that_is_read_and_written() -> None:
    """A hundred levels, for every reader has a limit of its own."""
    assert load("[" * 101 + "]" * 101) is not None
    with pytest.raises(LockError, match="more than 100 levels"):
        load("[" * 102 + "]" * 102)
    value: dict[str, Any] = {"a": 1}
    for _ in range(99):
        value = {"a": value}
    assert load(dump(value)) == value
    with pytest.raises(ValueError, match="deeper than 100 levels"):
        dump({"a": value})


def test_numbers_that_are_no_finite_ones() -> None:
    """As YAML 1.1 has them."""
    assert dump({"a": math.inf, "b": -math.inf, "c": math.nan}) == "a: .inf\nb: -.inf\nc: .nan\n"
