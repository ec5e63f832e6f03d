"""Whatever a configuration holds, MLflow takes what Naga makes of it, and keys can be read back."""

import re
import unicodedata
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from mlflow.entities import Param
from mlflow.utils.validation import _validate_batch_log_data, _validate_batch_log_limits, _validate_param_keys_unique

from naga.tracking.parameters import batches, escape_key, parameters, shortened
from naga.tracking.publication import logical_run_id, logical_run_key

TEXT = st.text(st.characters(exclude_categories=()), max_size=40)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | TEXT
KEYS = TEXT | st.integers() | st.sampled_from(["a", "b", "a.b", "a.b:2:", "", ".", "..", "/", "a/", "//"])
CONFIGS = st.dictionaries(
    KEYS,
    st.recursive(
        SCALARS, lambda items: st.lists(items, max_size=4) | st.dictionaries(KEYS, items, max_size=4), max_leaves=12
    ),
    max_size=8,
)


def meant(name: str) -> str:
    """Give the character that stands between two colons of an escaped key."""
    if name == "empty":
        return ""
    try:
        return unicodedata.lookup(name)
    except KeyError:
        return chr(int(name[1:], 16))


@settings(max_examples=500, deadline=None)
@given(TEXT)
def test_keys_can_be_read_back(key: str) -> None:
    """An escaped key says exactly which key it was."""
    escaped = escape_key(key)
    if "... " not in escaped:
        assert re.sub(":([^:]+):", lambda found: meant(found[1]), escaped) == key


@settings(max_examples=200, deadline=None)
@given(CONFIGS)
def test_mlflow_takes_it(config: dict[Any, Any]) -> None:
    """MLflow's own checks find nothing to refuse and nothing to cut, and no value is lost."""
    flat = parameters(config)
    assert len(flat) == _leaves(config)
    for batch in batches(flat):
        params = [Param(key, value) for key, value in batch.items()]
        _validate_param_keys_unique(params)  # type: ignore[no-untyped-call]
        _validate_batch_log_limits([], params, [])  # type: ignore[no-untyped-call]
        _, checked, _ = _validate_batch_log_data([], params, [])  # type: ignore[no-untyped-call]
        assert [(param.key, param.value) for param in checked] == list(batch.items())
        for text in (*batch, *batch.values()):
            assert "\0" not in text.encode().decode()


@given(TEXT, st.integers(60, 200))
def test_shortened(value: str, limit: int) -> None:
    """A text that fits is kept; a longer one keeps its beginning and says how long it was."""
    whole = shortened(value, 10**6)
    text = shortened(value, limit)
    assert len(text) <= limit
    assert text == whole or f"[cut: {len(whole)} characters" in text


@given(st.lists(st.sampled_from(["a", "b", ".", "é"]), min_size=1, max_size=4), st.booleans())
def test_spellings_of_a_folder(parts: list[str], trailing: bool) -> None:
    """Dots, doubled and trailing slashes change nothing of who a run is; other names do."""
    spelling = "//".join(["."] + parts) + ("/" if trailing else "")
    plain = "/".join(part for part in parts if part != ".") or "."
    assert logical_run_id(spelling) == plain
    assert (logical_run_key(plain) == logical_run_key("a/b")) == (plain == "a/b")


def _leaves(value: Any) -> int:
    if isinstance(value, dict) and value:
        return sum(_leaves(item) if isinstance(item, dict) and item else 1 for item in value.values())
    return 0
