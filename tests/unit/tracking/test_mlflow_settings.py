"""What a publication changes of its process is put back, in whatever order publications end."""

import logging
import os
from contextlib import ExitStack

import pytest

from naga.tracking.mlflow_settings import environment, quiet


def test_sets_and_restores(monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables are set, or taken out, and come back."""
    monkeypatch.setenv("NAGA_A", "before")
    monkeypatch.delenv("NAGA_B", raising=False)
    with environment({"NAGA_A": None, "NAGA_B": "1"}):
        assert "NAGA_A" not in os.environ
        assert os.environ["NAGA_B"] == "1"
    assert os.environ["NAGA_A"] == "before"
    assert "NAGA_B" not in os.environ


@pytest.mark.parametrize("first_ends_first", [True, False])
def test_overlapping(monkeypatch: pytest.MonkeyPatch, first_ends_first: bool) -> None:
    """Two that overlap, as in two threads, restore what was there before the first."""
    monkeypatch.setenv("NAGA_A", "before")
    first, second = ExitStack(), ExitStack()
    first.enter_context(environment({"NAGA_A": "1"}))
    second.enter_context(environment({"NAGA_A": "2"}))
    assert os.environ["NAGA_A"] == "2"
    (first if first_ends_first else second).close()
    assert os.environ["NAGA_A"] == ("2" if first_ends_first else "1")
    (second if first_ends_first else first).close()
    assert os.environ["NAGA_A"] == "before"


def test_restores_after_an_error() -> None:
    """An exception restores, too."""
    before = logging.getLogger("alembic").level
    with pytest.raises(ValueError, match="no"), environment({"NAGA_C": "1"}), quiet():
        raise ValueError("no")
    assert "NAGA_C" not in os.environ
    assert logging.getLogger("alembic").level == before


def test_quiet(caplog: pytest.LogCaptureFixture) -> None:
    """Notes about housekeeping are not shown; errors are."""
    caplog.set_level(logging.INFO)
    with quiet():
        logging.getLogger("alembic.runtime.migration").info("Context impl SQLiteImpl.")
        logging.getLogger("alembic").error("broken")
    assert caplog.messages == ["broken"]
