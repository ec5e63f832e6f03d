"""How long a rank waits for what rank 0 has to say."""

import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from naga.errors import UsageError
from naga.process import ranks
from naga.process.identity import this_process
from naga.process.ranks import Meeting, Rank
from naga.record import yaml_text
from naga.record.schema import Process, to_plain


@pytest.mark.parametrize(("patience", "said"), [("soon", "NAGA_RANK_TIMEOUT_S is 'soon'"), ("0", "within 0 s")])
def test_a_rank_that_cannot_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, patience: str, said: str) -> None:
    """A time that is none is refused, and one that has passed is reported, with what to type."""
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


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a rank look once."""
    monkeypatch.setenv("NAGA_RANK_TIMEOUT_S", "0")


def announced(folder: Path, process: Process, age_s: float, **more: Any) -> Meeting:
    """Leave an announcement of some process, some time ago; the meeting of a rank that finds it."""
    rank_0 = Meeting(Rank(0, 2), folder / "ranks" / "announcement")
    rank_0.announce(computes=True, config={"lr": 1})
    plain = yaml_text.load(rank_0.file.read_text()) | {"process": to_plain(process)} | more
    rank_0.file.write_text(yaml_text.dump(plain))
    os.utime(rank_0.file, (time.time() - age_s,) * 2)
    return Meeting(Rank(1, 2), rank_0.file)


DEAD = replace(this_process(), pid=1, started_ticks=1)
ELSEWHERE = replace(this_process(), host="node17")


@pytest.mark.parametrize(
    ("process", "age_s", "more", "is_taken"),
    [
        (this_process(), 3600, {}, True),
        (DEAD, 3600, {}, True),  # of the launcher that started this rank: rank 0 was quick
        (DEAD, 3600, {"launcher": [1, 1]}, False),  # of a former job of the same name
        (DEAD, 10, {"launcher": [1, 1]}, True),
        (ELSEWHERE, 3600, {}, False),  # no one can see whether it lives
        (ELSEWHERE, 10, {}, True),
    ],
)
@pytest.mark.usefixtures("impatient")
def test_whose_announcement_is_taken(tmp_path: Path, process: Process, age_s: float, more: Any, is_taken: bool) -> None:
    """One of this job; each rank takes it once."""
    meeting = announced(tmp_path, process, age_s, **more)
    if is_taken:
        assert meeting.wait().config == {"lr": 1}
    with pytest.raises(UsageError, match="has not said"):
        meeting.wait()


def test_an_announcement_goes_when_all_have_taken_it(tmp_path: Path) -> None:
    """Who is late finds it still; one without a size cannot know, and leaves it to the sweep."""
    meeting = announced(tmp_path, this_process(), 0)
    rank_0 = Meeting(Rank(0, 2), meeting.file)
    rank_0.leave()
    assert meeting.file.exists()
    meeting.wait()
    Meeting(Rank(0, None), meeting.file).leave()
    assert meeting.file.exists()
    rank_0.leave()
    assert not meeting.file.parent.exists()


def test_what_is_announced_holds_no_secret(tmp_path: Path) -> None:
    """Looked at while it is there."""
    meeting = Meeting(Rank(0, 2), tmp_path / "ranks" / "announcement")
    meeting.announce(computes=True, config={"password": "s3cret-canary", "lr": 1}, save_dir=tmp_path)
    text = meeting.file.read_text()
    assert "lr: 1" in text
    assert "s3cret-canary" not in text


def test_forgotten_announcements_are_swept(tmp_path: Path) -> None:
    """After a day; those of jobs that go on stay."""
    for name, age_s in (("old", 2 * 86400), ("young", 60)):
        (tmp_path / "ranks" / name).mkdir(parents=True)
        (tmp_path / "ranks" / name / "file").touch()
        os.utime(tmp_path / "ranks" / name / "file", (time.time() - age_s,) * 2)
    Meeting(Rank(0, 2), tmp_path / "ranks" / "job" / "announcement").announce(refusal="no")
    assert sorted(folder.name for folder in (tmp_path / "ranks").iterdir()) == ["job", "young"]
