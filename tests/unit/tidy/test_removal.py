"""What may go and what stays, whatever is asked; each rule on runs that would go but for it."""

import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from workbench import git, some_record

from naga.errors import NagaError
from naga.layout import GOING
from naga.record.lockfile import lock_hash, read_lock, write_lock
from naga.record.schema import Code, Upstream
from naga.runs.find import each_run
from naga.runs.notes import change_tags
from naga.tidy.removal import candidates, finish_removals, remove_all

Leave = Callable[..., Path]


@pytest.fixture
def leave(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Leave:
    """Leave a run that failed; what else it is, is said."""
    monkeypatch.setenv("NAGA_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)

    def leave(name: str, *, reads: str = "", **changes: Any) -> Path:
        folder = tmp_path / name
        folder.mkdir(parents=True)
        upstream: tuple[Upstream, ...] = ()
        if reads:
            known = read_lock(Path(reads))
            upstream = (Upstream(save_dir=reads, run_id=known.run_id, lock_hash=lock_hash(Path(reads, "run.lock"))),)
        about = {"run_id": name.replace("/", "-"), "status": "failed", "upstream": upstream, **changes}
        write_lock(folder, some_record(**about))
        return folder

    return leave


def gc(root: str = "results") -> dict[str, str]:
    """Remove all that may go; give what keeps each of the others."""
    place = Path(root).absolute()
    found = candidates(place, older=timedelta(), failed=False, archived=False)
    for _, done in remove_all([one for one in found if not one.needed_by], place):
        assert isinstance(done, list), done
    return {one.run.save_dir.name: one.needed_by for one in found if one.needed_by}


def test_only_what_ended_badly_or_is_archived_goes(leave: Leave) -> None:
    """Finished runs stay where they are."""
    leave("results/good", status="finished")
    leave("results/.archive/old~old", run_id="old", status="finished")
    for status in ("failed", "killed"):
        leave(f"results/{status}", status=status)
    assert gc() == {}
    assert [run.save_dir.name for run in each_run("results", archived=True)] == ["good"]


def test_what_is_tagged_stays_and_all_that_it_was_made_from(leave: Leave) -> None:
    """However far up, also where these would go themselves."""
    for name, reads in (("a", ""), ("b", "results/a"), ("c", "results/b"), ("d", "results/c")):
        leave(f"results/{name}", reads=reads)
    change_tags(Path("results/c"), ["best"], [])
    here = Path.cwd() / "results"
    assert gc() == {"c": "tagged best", "b": f"'{here}/c' was made from it", "a": f"'{here}/b' was made from it"}
    assert not Path("results/d").exists()


def test_an_upstream_of_a_run_elsewhere_stays(leave: Leave) -> None:
    """Wherever runs have been looked for; also of a copy of a run that goes."""
    leave("results/a")
    leave("results/b", reads="results/a")
    shutil.copytree("results/b", "elsewhere/b")
    assert list(each_run("elsewhere"))
    assert [*gc()] == ["a"]


def test_a_run_that_holds_another_stays(leave: Leave) -> None:
    """Removing a folder removes what is in it."""
    leave("results/a")
    leave("results/a/b", status="finished")
    assert gc() == {"a": f"'{Path.cwd()}/results/a/b' is in it"}


def test_links_are_not_followed(leave: Leave) -> None:
    """Neither a run behind a link, nor what a link in a run leads to, is touched."""
    leave("elsewhere/a")
    leave("elsewhere/deep/b")
    Path("results").mkdir()
    Path("results/linked").symlink_to("../elsewhere/a")
    Path("results/folder").symlink_to("../elsewhere/deep")
    run = leave("results/c")
    Path("data").mkdir()
    Path("data/precious").touch()
    (run / "data").symlink_to("../../data")
    assert gc() == {"linked": "it is behind a link", "b": "it is behind a link"}
    assert not run.exists()
    assert Path("elsewhere/a/run.lock").exists() and Path("elsewhere/deep/b/run.lock").exists()
    assert Path("data/precious").exists()


def test_another_run_has_come_in_its_place(leave: Leave) -> None:
    """Between the list and the removal: what was listed is no more, and what is there stays."""
    folder = leave("results/a")
    found = candidates(Path.cwd() / "results", older=timedelta(), failed=False, archived=False)
    write_lock(folder, some_record(run_id="another", status="failed"))
    [(_, done)] = remove_all(found, Path.cwd() / "results")
    assert isinstance(done, NagaError)
    assert read_lock(folder).run_id == "another"


def test_what_cannot_be_removed_keeps_its_upstream(leave: Leave) -> None:
    """Or what is left of it would rest on nothing."""
    leave("results/a", started="2026-01-01T00:00:00Z")
    folder = leave("results/b", reads="results/a", started="2026-01-02T00:00:00Z")
    found = candidates(Path.cwd() / "results", older=timedelta(), failed=False, archived=False)
    assert [one.needed_by for one in found] == ["", ""]
    write_lock(folder, some_record(run_id="another", status="failed"))
    assert [isinstance(done, NagaError) for _, done in remove_all(found, Path.cwd() / "results")] == [True, True]
    assert Path("results/a/run.lock").exists()


def test_an_interrupted_removal(leave: Leave, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder has another name before the first file goes: no half of a run is found, and the next time it goes."""
    leave("results/a")

    def interrupted(_: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(shutil, "rmtree", interrupted)
        with pytest.raises(KeyboardInterrupt):
            gc()
    assert [path.name.startswith(GOING) for path in Path("results").iterdir()] == [True]
    assert list(each_run("results", archived=True)) == []
    assert len(list(finish_removals(Path("results")))) == 1
    assert list(Path("results").iterdir()) == []


def test_a_ref_goes_with_the_last_of_its_runs(leave: Leave, tmp_path: Path) -> None:
    """Not with the first of two copies; and never the ref of another run, whatever a run.lock says."""
    git("init", "-q", cwd=tmp_path)
    git("commit", "-q", "--allow-empty", "-m", "Begin", cwd=tmp_path)
    commit = git("rev-parse", "HEAD", cwd=tmp_path).strip()
    for name in ("results-a", "other"):
        git("update-ref", f"refs/naga/runs/{name}", commit, cwd=tmp_path)
    refs = ("refs/naga/runs/results-a", "refs/naga/runs/other", "refs/heads/main")
    leave("results/a", code=tuple(Code(name="p", path=str(tmp_path), commit=commit, ref=ref) for ref in refs))
    shutil.copytree("results/a", "elsewhere/a")
    assert list(each_run("elsewhere"))
    gc()
    assert "runs/results-a" in git("for-each-ref", cwd=tmp_path)
    gc("elsewhere")
    assert git("for-each-ref", "--format=%(refname)", cwd=tmp_path).split() == [
        "refs/heads/main",
        "refs/naga/runs/other",
    ]
