"""The chain of a folder's owners, where another process moves the folder at the worst moment."""

from pathlib import Path

import pytest

from naga.layout import claims_folder
from naga.process.identity import this_process
from naga.record.opener import make_inside
from naga.save_dir import kernel_lock
from naga.save_dir.chain import Owner, append, tail_of

MINE = Owner(run_id="mine", process=this_process())


def test_the_first_and_the_next(tmp_path: Path) -> None:
    """Each follows the one before; who comes second to a place is told so."""
    assert tail_of(tmp_path) is None
    first = append(tmp_path, None, MINE)
    assert first is not None
    assert append(tmp_path, None, Owner(run_id="late", process=this_process())) is None
    second = append(tmp_path, MINE, Owner(run_id="next", process=this_process()))
    assert second is not None
    tail = tail_of(tmp_path)
    assert tail is not None
    assert tail.run_id == "next"
    assert sorted(path.name for path in claims_folder(tmp_path).iterdir()) == ["after-mine", "first"]
    for descriptor in (first, second):
        kernel_lock.let_go(descriptor)


@pytest.mark.parametrize("moved", [True, False])
def test_a_folder_that_was_moved_away_while_it_was_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moved: bool
) -> None:
    """`mkdir` finds it there and then no folder: whoever asks looks again; or the claims of another, likewise."""

    def moving(save_dir: Path, folder: Path) -> Path:
        if not moved:
            make_inside(save_dir, folder)
        raise FileExistsError(17, "File exists", str(folder))

    monkeypatch.setattr("naga.save_dir.chain.make_inside", moving)
    assert append(tmp_path, None, MINE) is None
    assert tail_of(tmp_path) is None


def test_what_is_no_folder_of_claims(tmp_path: Path) -> None:
    """A file in its place would be there the next time, too."""
    claims_folder(tmp_path).parent.mkdir()
    claims_folder(tmp_path).write_text("mine")
    with pytest.raises(FileExistsError):
        append(tmp_path, None, MINE)
    assert claims_folder(tmp_path).read_text() == "mine"
