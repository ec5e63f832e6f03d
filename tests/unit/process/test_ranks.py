"""How long a rank waits for what rank 0 has to say."""

from pathlib import Path

import pytest

from naga.errors import UsageError
from naga.process.ranks import Meeting, Rank


@pytest.mark.parametrize(("patience", "said"), [("soon", "NAGA_RANK_TIMEOUT_S is 'soon'"), ("0", "within 0 s")])
def test_a_rank_that_cannot_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, patience: str, said: str) -> None:
    """A time that is none is refused, and one that has passed is told, with what to type."""
    monkeypatch.setenv("NAGA_RANK_TIMEOUT_S", patience)
    with pytest.raises(UsageError, match=said) as refused:
        Meeting(Rank(1, 2), tmp_path / "announcement").wait()
    assert "NAGA_" in refused.value.hint
