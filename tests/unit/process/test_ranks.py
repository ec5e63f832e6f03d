"""How long a rank waits for what rank 0 has to say."""

from pathlib import Path

import pytest

from naga.errors import UsageError
from naga.process import ranks
from naga.process.ranks import Meeting, Rank


@pytest.mark.parametrize(("patience", "said"), [("soon", "NAGA_RANK_TIMEOUT_S is 'soon'"), ("0", "within 0 s")])
def test_a_rank_that_cannot_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, patience: str, said: str) -> None:
    """A time that is none is refused, and one that has passed is told, with what to type."""
    monkeypatch.setenv("NAGA_RANK_TIMEOUT_S", patience)
    with pytest.raises(UsageError, match=said) as refused:
        Meeting(Rank(1, 2), tmp_path / "announcement").wait()
    assert "NAGA_" in refused.value.hint


def test_a_stray_rank_says_that_it_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Once, after ten seconds, with the variable that makes it wait; before, it is silent."""
    monkeypatch.setenv("NAGA_RANK_TIMEOUT_S", "0.5")
    stray = Meeting(Rank(1, 2, "PMI_RANK"), tmp_path / "announcement")
    with pytest.raises(UsageError, match="has not said"):
        stray.wait()
    assert capfd.readouterr().err == ""
    monkeypatch.setattr(ranks, "_SILENT_S", 0.1)
    with pytest.raises(UsageError) as refused:
        stray.wait()
    assert capfd.readouterr().err.count("because PMI_RANK is set; else: unset PMI_RANK") == 1
    assert "unset PMI_RANK" in refused.value.hint


def test_what_slurm_says_of_its_step_counts_for_its_own_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """`srun -n 1` has no ranks, `srun -n 8` has eight; ranks that are named by hand may lie in steps of one task."""
    for name, tasks, expected in (
        ("PMIX_RANK", "1", None),
        ("PMIX_RANK", "8", Rank(0, 8, "PMIX_RANK")),
        ("NAGA_RANK", "1", Rank(0, None, "NAGA_RANK")),
    ):
        with monkeypatch.context() as patch:
            patch.setenv(name, "0")
            patch.setenv("SLURM_STEP_NUM_TASKS", tasks)
            assert ranks.this_rank() == expected
