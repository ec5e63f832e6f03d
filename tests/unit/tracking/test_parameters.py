"""What MLflow can store of a configuration, at the lengths and characters where it changes."""

import json

import pytest

from naga.tracking.parameters import (
    BATCH_BYTES,
    KEY_LIMIT,
    PARAM_LIMIT,
    TAG_LIMIT,
    batches,
    escape_key,
    parameters,
    shortened,
)


def test_mlflows_limits() -> None:
    """They are MLflow's own; a megabyte is what its server takes of one request."""
    from mlflow.utils import validation

    assert KEY_LIMIT == validation.MAX_ENTITY_KEY_LENGTH
    assert PARAM_LIMIT == validation.MAX_PARAM_VAL_LENGTH
    assert TAG_LIMIT == validation.MAX_TAG_VAL_LENGTH
    assert BATCH_BYTES == 900_000 < validation.MAX_BATCH_LOG_REQUEST_SIZE


def test_a_value_at_the_limit_is_whole() -> None:
    """One character more is cut, with a mark, to the limit exactly."""
    (whole,) = parameters({"a": "x" * PARAM_LIMIT}).values()
    assert whole == "x" * PARAM_LIMIT
    (cut,) = parameters({"a": "x" * (PARAM_LIMIT + 1)}).values()
    assert len(cut) == PARAM_LIMIT
    assert cut.endswith(f"xxx... [cut: {PARAM_LIMIT + 1} characters, whole in run.lock]")
    assert shortened("a\0b", 60) == "a\\x00b"


def test_a_key_at_the_limit_is_whole() -> None:
    """One character more keeps its beginning, and a digest tells it from its neighbours, within the limit."""
    assert escape_key("k" * KEY_LIMIT) == "k" * KEY_LIMIT
    long, other = escape_key("k" * (KEY_LIMIT + 1)), escape_key("k" * (KEY_LIMIT + 2))
    assert long.startswith("k" * (KEY_LIMIT - 12) + "... ")
    assert len(long) == len(other) == KEY_LIMIT
    assert long != other


@pytest.mark.parametrize(
    ("key", "escaped"),
    [
        ("", ":empty:"),
        ("plain.key/with -_0", "plain.key/with -_0"),
        (".", ":full stop:"),
        ("..", ":full stop::full stop:"),
        ("../a", ":full stop::full stop::solidus:a"),
        ("...", ":full stop::full stop::full stop:"),
        ("/a", ":solidus:a"),
        ("a//b", "a:solidus::solidus:b"),
        ("a/./b", "a:solidus::full stop::solidus:b"),
        ("a/", "a:solidus:"),
        (".a", ".a"),
        ("!", ":exclamation mark:"),
        ("a:b", "a:colon:b"),
        ("\x01", ":u0001:"),
        ("\x7f", ":u007f:"),
        ("é", "é"),
    ],
)
def test_keys(key: str, escaped: str) -> None:
    """A key that MLflow takes stays; what it takes for another path is written by names."""
    assert escape_key(key) == escaped


def test_keys_that_are_one_once_flattened() -> None:
    """The second and the third are counted, from two on."""
    flat = parameters({"a.b.c": 1, "a.b": {"c": 2}, "a": {"b.c": 3}})
    assert flat == {"a.b.c": "1", "a.b.c:2:": "2", "a.b.c:3:": "3"}


def test_what_is_empty() -> None:
    """An empty part of a configuration is a value; an empty configuration has none."""
    assert parameters({}) == {}
    assert parameters({"a": {"b": {}}, "c": []}) == {"a.b": "{}", "c": "[]"}


def _request(batch: dict[str, str]) -> int:
    """How long MLflow's own request is, which is indented."""
    params = [{"key": key, "value": value} for key, value in batch.items()]
    return len(json.dumps({"run_id": "r" * 32, "params": params}, indent=2))


def test_requests_are_as_large_as_may_be() -> None:
    """A request is full where one value more would pass the limit; none is empty; in order, and nothing is lost."""
    params = {f"key{n}": "x" * 5950 for n in range(320)}
    divided = batches(params)
    assert {name: value for batch in divided for name, value in batch.items()} == params
    assert [len(batch) for batch in divided] == [100, 100, 100, 20]
    wide = {f"key{n:02}": "☃" * 5950 for n in range(60)}  # six bytes each in JSON
    added = len(json.dumps({"key": "key00", "value": "☃" * 5950})) + 50
    per_request = BATCH_BYTES // added
    assert [len(batch) for batch in batches(wide)] == [per_request, per_request, 60 - 2 * per_request]
    assert all(_request(batch) < 2**20 for batch in batches(wide))


def test_a_request_ends_at_its_limit_exactly() -> None:
    """What fills it to the last byte is in it; a byte more begins another."""
    overhead = len(json.dumps({"key": "a", "value": ""})) + 50
    room = BATCH_BYTES - 2 * overhead
    assert len(batches({"a": "x" * (room // 2), "b": "x" * (room - room // 2)})) == 1
    assert len(batches({"a": "x" * (room // 2), "b": "x" * (room - room // 2 + 1)})) == 2
    assert batches({}) == ()
    assert batches({"a": "x" * BATCH_BYTES}) == ({"a": "x" * BATCH_BYTES},)
