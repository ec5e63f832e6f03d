"""What goes into a run.lock comes out of it, through every reader of YAML."""

import math
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from naga.errors import LockError
from naga.record import yaml_text
from naga.record.schema import (
    FINAL,
    Code,
    Data,
    Environment,
    Failure,
    Outputs,
    Process,
    Record,
    Skipped,
    Upstream,
    from_plain,
    to_plain,
)

# What other readers make of: numbers, booleans, dates, null, merge keys, indicators.
LOOKALIKES = st.sampled_from(
    ["1e5", "1_000", "0o17", "0x1f", "12:30:45", "2024-01-01", "yes", "No", "on", "y", "~", "null", ".inf", "=", "<<"]
    + ["- a", "a: b", "a #b", "%a", "@a", "`a", "!a", "&a", "*a", "|", ">", "{}", "[]", "?", ":", "-", "---", "...", ""]
    + ["a\nb", "\n", " a\n b", "a \nb", "a\n\n", "\ta", "a\r\nb", "\x85", "\u2028", "\ufeff", "\x00", "\x7f", "é", "😀"]
)
TEXTS = st.one_of(st.text(), LOOKALIKES, st.from_regex(r"[0-9a-fe]{6,10}", fullmatch=True))
# To OmegaConf this begins an interpolation, wherever it stands.
LITERALS = TEXTS.filter(lambda text: "${" not in text)
NUMBERS = st.one_of(st.booleans(), st.integers(), st.floats(), st.none())
KEYS = st.one_of(TEXTS, st.integers(), st.booleans())


def plain_values(texts: st.SearchStrategy[Any], keys: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Leaves, mappings and lists of them, and mappings and lists of those."""
    nested: st.SearchStrategy[Any] = st.one_of(texts, NUMBERS)
    for _ in range(2):
        nested = st.one_of(texts, NUMBERS, st.lists(nested, max_size=3), st.dictionaries(keys, nested, max_size=3))
    return nested


def same(left: Any, right: Any) -> bool:
    """Compare types too, and take nan for equal to itself."""
    if type(left) is not type(right):
        return False
    if isinstance(left, dict):
        pairs = zip(left.items(), right.items(), strict=False)
        return len(left) == len(right) and all(same(a, c) and same(b, d) for (a, b), (c, d) in pairs)
    if isinstance(left, list):
        return len(left) == len(right) and all(map(same, left, right))
    return bool(left == right) or (isinstance(left, float) and math.isnan(left) and math.isnan(right))


@settings(max_examples=2_000, deadline=None)
@given(st.dictionaries(KEYS, plain_values(TEXTS, KEYS), min_size=5, max_size=5))
def test_naga_and_pyyaml_read_what_was_written(value: dict[Any, Any]) -> None:
    """10,000 values, five to a mapping, mean the same to Naga's reader and to PyYAML."""
    text = yaml_text.dump(value)
    assert same(yaml_text.load(text), value)
    assert same(yaml.safe_load(text), value)


@settings(max_examples=2_000, deadline=None)
@given(st.dictionaries(LITERALS, LITERALS | NUMBERS | st.lists(LITERALS, max_size=2), min_size=5, max_size=5))
def test_omegaconf_reads_what_was_written(value: dict[str, Any]) -> None:
    """10,000 values mean the same to OmegaConf, which knows more kinds of numbers."""
    config = OmegaConf.create(yaml_text.dump(value))
    assert same(OmegaConf.to_container(config, resolve=False), value)


@settings(max_examples=500, deadline=None)
@given(st.binary(max_size=40), st.text(st.characters(categories=["Cs"]), min_size=1))
def test_bytes_and_undecodable_paths_survive(raw: bytes, surrogates: str) -> None:
    """Bytes, and names that are not UTF-8, come back as they were."""
    text = yaml_text.dump({"raw": raw, "path": f"results/{surrogates}"})
    text.encode()
    assert yaml_text.load(text) == {"raw": raw, "path": f"results/{surrogates}"}


@settings(max_examples=1_000, deadline=None)
@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    """Whatever a file holds, reading it gives a value or a LockError."""
    try:
        yaml_text.load(text)
    except LockError as error:
        assert "\n" not in error.message


words = st.text(min_size=1, max_size=12)


def maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """A field that may be absent."""
    return st.none() | strategy


CODES = st.builds(
    Code, name=words, path=words, commit=maybe(words), dirty=maybe(st.booleans()), reason=maybe(words),
    skipped=st.lists(st.builds(Skipped, path=words, reason=words), max_size=2).map(tuple),
)  # fmt: skip
DATA = st.builds(
    Data, path=st.one_of(words, st.lists(words, min_size=1), st.dictionaries(words, words, min_size=1)), kind=words,
    hash=maybe(words), size_bytes=maybe(st.integers(0)), files=maybe(st.integers(0)), source=maybe(words),
)  # fmt: skip
RECORDS = st.builds(
    Record, schema=st.just("naga.run/1"), run_id=words, status=st.sampled_from(("running", *FINAL)), task=words,
    save_dir=words, started=words, attempt=st.integers(1, 99), duration_s=maybe(st.floats(0, 1e9)),
    config=st.dictionaries(words, plain_values(TEXTS, TEXTS), max_size=3), config_end=st.just({}),
    code=st.lists(CODES, max_size=2).map(tuple), data=st.dictionaries(words, DATA, max_size=2),
    upstream=st.lists(st.builds(Upstream, save_dir=words, run_id=words, lock_hash=words), max_size=2).map(tuple),
    outputs=maybe(st.builds(Outputs, hash=words, size_bytes=st.integers(0), files=st.integers(0))),
    process=st.builds(Process, argv=st.lists(words).map(tuple), cwd=words, host=words, pid=st.integers(1),
                      started_ticks=maybe(st.integers(0))),
    environment=maybe(st.builds(Environment, python=words, executable=words, platform=words,
                                packages=st.dictionaries(words, words, max_size=3))),
    warnings=st.lists(words, max_size=2).map(tuple),
    error=maybe(st.builds(Failure, type=words, message=TEXTS, traceback=maybe(TEXTS))),
)  # fmt: skip


@settings(max_examples=1_000, deadline=None)
@given(RECORDS)
def test_a_record_survives_its_text(record: Record) -> None:
    """Every field of the schema comes back as it was, `nan` in a configuration apart."""
    again = from_plain(Record, yaml_text.load(yaml_text.dump(to_plain(record))))
    assert repr(again) == repr(record)


@pytest.mark.parametrize("depth", [yaml_text.MAX_DEPTH + 5, 5_000])
def test_nesting_beyond_the_limit_is_refused_on_both_sides(depth: int) -> None:
    """A value that could not be read again is not written either."""
    value: dict[str, Any] = {}
    for _ in range(depth):
        value = {"a": value}
    with pytest.raises(ValueError, match="levels"):
        yaml_text.dump(value)
    with pytest.raises(LockError):
        yaml_text.load("{a: " * depth)
