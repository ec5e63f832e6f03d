"""The switches of snapshots, as they are written in the environment."""

import pytest

from naga.errors import UsageError
from naga.process.switches import require_switches, why_no_cells, why_off


@pytest.mark.parametrize("word", ["0", "off", "no", "OFF"])
def test_off(monkeypatch: pytest.MonkeyPatch, word: str) -> None:
    """In any spelling, and as it was written."""
    monkeypatch.setenv("NAGA_SNAPSHOT", word)
    monkeypatch.setenv("NAGA_CELLS", word)
    assert why_off() == f"NAGA_SNAPSHOT={word}"
    assert why_no_cells(declared=True) == f"left out by NAGA_CELLS={word}"


@pytest.mark.parametrize("word", ["1", "on", "yes", "On"])
def test_on(monkeypatch: pytest.MonkeyPatch, word: str) -> None:
    """Under pytest, too."""
    monkeypatch.setenv("NAGA_SNAPSHOT", word)
    monkeypatch.setenv("NAGA_CELLS", word)
    assert why_off() is None
    assert why_no_cells(declared=True) is None
    assert why_no_cells(declared=False) == "left out by @snapshot(cells=False)"


def test_where_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests make no snapshots; everything else does."""
    monkeypatch.setenv("NAGA_SNAPSHOT", "")
    monkeypatch.delenv("NAGA_CELLS", raising=False)
    assert why_off() == "under pytest there are no snapshots (NAGA_SNAPSHOT=on makes them)"
    assert why_no_cells(declared=True) is None
    with monkeypatch.context() as patch:
        patch.delenv("PYTEST_CURRENT_TEST")
        assert why_off() is None


@pytest.mark.parametrize("name", ["NAGA_SNAPSHOT", "NAGA_CELLS"])
def test_a_word_that_is_neither_is_refused(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """With the name, the word, and what could be typed."""
    monkeypatch.setenv(name, "maybe")
    with pytest.raises(UsageError, match=f"{name}=maybe: neither on nor off") as caught:
        require_switches()
    assert caught.value.hint == f"{name}=off"
    monkeypatch.setenv(name, "off")
    require_switches()
