"""What `naga doctor` does about runs."""

import errno
import os
import shutil
from pathlib import Path

import pytest
from workbench import Script, git

from naga import load_run, runlock
from naga.record.atomic import write_atomic
from naga.record.lockfile import read_lock
from naga.runs.repair import repair_runs


@pytest.fixture
def spooled(project: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Path:
    """A run whose final lock found no room, and so waits in the cache folder."""

    def full(path: Path, data: bytes) -> None:
        if path.name == "run.lock":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write_atomic(path, data)

    with monkeypatch.context() as patch:
        patch.setattr("naga.record.final.write_atomic", full)
        assert runlock(lambda cfg={"save_dir": "results/run"}: 5)() == 5
    assert load_run("results/run").record.is_being_hashed
    assert "status: finished" in capfd.readouterr().err
    return Path("results/run")


def test_a_final_lock_is_put_back(spooled: Path) -> None:
    """Once."""
    (line,) = repair_runs(Path())
    assert "put back (finished)" in line
    assert not load_run(spooled).record.is_being_hashed
    assert list(repair_runs(Path())) == []


def test_a_final_lock_never_replaces_what_is_newer(spooled: Path) -> None:
    """The folder has another run: the final lock joins its attempts."""
    text = (spooled / "run.lock").read_text()
    former = load_run(spooled).run_id
    (spooled / "run.lock").write_text(text.replace(former, "newer").replace("status: running", "status: failed"))
    (spooled / ".naga/attempts").mkdir()
    (line,) = repair_runs(Path())
    assert "attempts" in line
    assert load_run(spooled).run_id == "newer"
    assert read_lock(spooled / ".naga" / "attempts" / f"0001-{former}.lock").status == "finished"


def test_a_final_lock_without_a_folder_is_kept(spooled: Path) -> None:
    """Until its folder is there again."""
    shutil.move(spooled, "elsewhere")
    (line,) = repair_runs(Path())
    assert "still stored" in line
    shutil.move("elsewhere", spooled)
    assert [line for line in repair_runs(Path()) if "put back" in line]


def test_lost_runs_and_orphans_are_named(project: Path, script: Script) -> None:
    """Nothing is removed: what they stand for may lie elsewhere."""
    Path("new.py").touch()
    script("exp.py")
    shutil.rmtree("results")
    code = (
        "import os, naga\n@naga.runlock\ndef main(cfg={'save_dir': 'results/lost'}): os.kill(os.getpid(), 9)\nmain()\n"
    )
    Path("killed.py").write_text(code)
    script("killed.py", check=False)
    lost, orphan = repair_runs(Path())
    assert "is lost" in lost
    assert "refs/naga/runs/" in orphan
    assert git("for-each-ref", "refs/naga/runs", cwd=project)


def test_torn_claims_are_removed(project: Path) -> None:
    """They block a folder that has no run.lock yet."""
    claim = Path("results/run/.naga/claims/first")
    claim.parent.mkdir(parents=True)
    claim.touch()
    os.utime(claim, (1, 1))
    (line,) = repair_runs(Path())
    assert str(claim) in line
    runlock(lambda cfg={"save_dir": "results/run"}: None)()
    assert load_run("results/run").status == "finished"
