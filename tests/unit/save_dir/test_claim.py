"""Who owns a save_dir, and what happens to what is there."""

import contextlib
import errno
import fcntl
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from workbench import some_record

from naga.declarations import Existing
from naga.errors import ClaimError, LockError, SaveDirError
from naga.process.identity import started_ticks, this_process
from naga.record.lockfile import read_lock, write_lock
from naga.record.schema import BEING_HASHED, Outputs, Process, Record
from naga.save_dir import chain, kernel_lock
from naga.save_dir.claim import Claim, TakenError, claim_folder, set_aside


def dead_process() -> Process:
    """A process that has ended on this machine."""
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        pid = child.pid
    return replace(this_process(), pid=pid, started_ticks=1)


def leave(folder: Path, run_id: str, status: str, process: Process | None = None) -> Record:
    """Leave a run in a folder as its owner would."""
    process = process or dead_process()
    record = Record(
        run_id=run_id, status=status, task="t", save_dir="s", started="2026-01-01T00:00:00.000Z", process=process
    )
    claim_folder(folder, run_id, process).release()
    write_lock(folder, record)
    return record


def test_a_new_folder_is_made_and_belongs_to_its_first_run(tmp_path: Path) -> None:
    """The folder and its parents appear, and a second live run is refused."""
    folder = tmp_path / "a" / "b"
    assert claim_folder(folder, "one", this_process()).attempt == 1
    with pytest.raises(ClaimError, match="in use by run one, which is still running") as refused:
        claim_folder(folder, "two", this_process())
    assert "seen" not in str(refused.value)


def test_a_folder_without_a_run_is_used_as_it_lies(tmp_path: Path) -> None:
    """What a user put there stays."""
    (tmp_path / "notes.txt").write_text("mine")
    assert claim_folder(tmp_path, "one", this_process()).archived is None
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_a_live_run_keeps_its_folder(tmp_path: Path) -> None:
    """A lock that says running, of a process that lives, is never taken over."""
    leave(tmp_path / "r", "one", "running", this_process())
    for existing in ("archive", "refuse"):
        with pytest.raises(ClaimError):
            claim_folder(tmp_path / "r", "two", this_process(), existing=existing)
    assert read_lock(tmp_path / "r").run_id == "one"


@pytest.mark.parametrize("status", ["failed", "killed", "running"])
def test_after_a_broken_run_the_folder_is_used_again(tmp_path: Path, status: str) -> None:
    """Checkpoints stay in place, the old lock is kept, and attempts are counted."""
    folder = tmp_path / "r"
    leave(folder, "one", status)
    (folder / "checkpoint.pt").write_text("epoch 3")
    claim = claim_folder(folder, "two", this_process())
    assert (claim.attempt, claim.archived) == (2, None)
    assert (folder / "checkpoint.pt").read_text() == "epoch 3"
    assert read_lock(folder / ".naga" / "attempts" / "0001-one.lock").status == status


def test_a_finished_run_is_moved_aside_whole(tmp_path: Path) -> None:
    """Everything it had is in the archive, and its path is free."""
    folder = tmp_path / "r"
    leave(folder, "one", "finished", this_process())
    (folder / "model.pkl").write_text("model")
    claim = claim_folder(folder, "two", this_process())
    assert claim.archived == tmp_path / ".archive" / "r~one"
    assert (claim.archived / "model.pkl").read_text() == "model"
    assert read_lock(claim.archived).status == "finished"
    assert sorted(os.listdir(claim.archived / ".naga" / "claims")) == ["first"]
    assert os.listdir(folder) == [".naga"]


def test_an_archived_run_can_be_put_back_and_archived_again(tmp_path: Path) -> None:
    """A copy never overwrites the one that is in the archive already."""
    folder = tmp_path / "r"
    for number in range(3):
        leave(folder, "one", "finished", this_process())
        (folder / "copy").write_text(str(number))
        archived = claim_folder(folder, f"next{number}", this_process()).archived
        assert archived is not None
        assert (archived / "copy").read_text() == str(number)
        for path in sorted(folder.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        folder.rmdir()
    assert sorted(os.listdir(tmp_path / ".archive")) == ["r~one", "r~one~2", "r~one~3"]


def test_an_archive_without_a_free_name_is_named(tmp_path: Path) -> None:
    """Ninety-nine copies of one run: nothing is moved."""
    leave(tmp_path / "r", "one", "finished")
    for number in range(1, 100):
        (tmp_path / ".archive" / ("r~one" if number == 1 else f"r~one~{number}")).mkdir(parents=True)
    with pytest.raises(SaveDirError, match="'.*/.archive' holds too many copies of run one"):
        claim_folder(tmp_path / "r", "two", this_process())
    assert read_lock(tmp_path / "r").run_id == "one"


@pytest.mark.parametrize("existing", ["refuse", "reuse"])
def test_a_finished_run_is_refused_where_asked(tmp_path: Path, existing: Existing) -> None:
    """Nothing moves, and the hint says what to type."""
    leave(tmp_path / "r", "one", "finished")
    before = sorted(path.name for path in (tmp_path / "r").rglob("*"))
    with pytest.raises(SaveDirError, match="--existing archive"):
        claim_folder(tmp_path / "r", "two", this_process(), existing=existing)
    assert sorted(path.name for path in (tmp_path / "r").rglob("*")) == before


def test_a_folder_with_other_runs_below_is_never_moved(tmp_path: Path) -> None:
    """The runs below would lose their paths."""
    leave(tmp_path / "r", "one", "finished")
    leave(tmp_path / "r" / "sub", "below", "finished")
    with pytest.raises(SaveDirError, match="other runs below"):
        claim_folder(tmp_path / "r", "two", this_process())
    assert read_lock(tmp_path / "r" / "sub").run_id == "below"


def test_the_folder_that_one_works_in_is_never_moved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`save_dir=.` must not move the project."""
    leave(tmp_path, "one", "finished")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SaveDirError, match="folder you work in"):
        claim_folder(tmp_path, "two", this_process())


def test_a_folder_with_what_the_run_reads_is_never_moved(tmp_path: Path) -> None:
    """`save_dir=data` must not move the data, which the run then misses."""
    leave(tmp_path / "data", "one", "finished")
    (tmp_path / "data" / "raw.csv").write_text("1")
    with pytest.raises(SaveDirError, match="which this run needs"):
        claim_folder(tmp_path / "data", "two", this_process(), needs=[tmp_path / "data" / "raw.csv"])
    assert (tmp_path / "data" / "raw.csv").exists()
    assert read_lock(tmp_path / "data").run_id == "one"


def test_a_foreign_lock_is_left_alone(tmp_path: Path) -> None:
    """Another tool's run.lock is not Naga's to overwrite or to move."""
    (tmp_path / "run.lock").write_text("timestamp: 2024\n")
    with pytest.raises(LockError, match="not a run.lock of Naga"):
        claim_folder(tmp_path, "one", this_process())
    assert (tmp_path / "run.lock").read_text() == "timestamp: 2024\n"


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """A file where a folder should be is found before anything is computed."""
    (tmp_path / "file").write_text("")
    with pytest.raises(SaveDirError, match="cannot be used: Not a directory"):
        claim_folder(tmp_path / "file" / "r", "one", this_process())


def test_an_owner_that_died_before_its_first_word_leaves_the_finished_run_finished(tmp_path: Path) -> None:
    """A claim without a lock of its own changes nothing about the run that is there."""
    folder = tmp_path / "r"
    leave(folder, "one", "finished", this_process())
    ghost = {"run_id": "ghost", "process": {"argv": ["x"], "cwd": "/", "host": this_process().host, "pid": 1,
                                            "boot_id": "an earlier boot"}}  # fmt: skip
    (folder / ".naga" / "claims" / "after-one").write_text(json.dumps(ghost))
    for file in (folder / "run.lock", *(folder / ".naga" / "claims").iterdir()):
        os.utime(file, (1, 1))
    assert claim_folder(folder, "two", this_process()).archived == tmp_path / ".archive" / "r~one"


RACER = """
import sys, time
from pathlib import Path
from naga.errors import ClaimError
from naga.save_dir.claim import claim_folder
from naga.process.identity import started_ticks, this_process
root, name, rounds = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
print("ready", flush=True)
start = float(sys.stdin.readline())
for number in range(rounds):
    while time.time() < start + number * 0.02:
        pass
    try:
        claim_folder(root / str(number), f"{name}-{number}", this_process())
    except ClaimError:
        continue
    (root / f"won-{number}-{name}").touch()
print("done", flush=True)
sys.stdin.read()  # a winner lives until the slowest has tried
"""


@pytest.mark.parametrize("rounds", [50, pytest.param(200, marks=pytest.mark.stress)])
@pytest.mark.parametrize("left", ["nothing", "finished", "failed", "running"])
def test_racers_have_exactly_one_winner_each_round(tmp_path: Path, left: str, rounds: int) -> None:
    """Eight processes claim the same folder at the same moment, whatever is there."""
    if left != "nothing":
        process = dead_process()
        for number in range(rounds):
            leave(tmp_path / str(number), f"old-{number}", left, process)
    with contextlib.ExitStack() as stack:
        racers = [
            stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", RACER, str(tmp_path), f"r{i}", str(rounds)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
            for i in range(8)
        ]
        answers = [racer.stdout for racer in racers if racer.stdout]
        assert [answer.readline() for answer in answers] == ["ready\n"] * 8
        for racer in racers:
            assert racer.stdin
            racer.stdin.write(f"{time.time() + 0.2}\n")
            racer.stdin.flush()
        assert [answer.readline() for answer in answers] == ["done\n"] * 8
    winners = [len(list(tmp_path.glob(f"won-{number}-*"))) for number in range(rounds)]
    assert winners == [1] * rounds
    if left == "finished":
        assert len(list((tmp_path / ".archive").iterdir())) == rounds


def test_claims_are_not_read_through_a_link(tmp_path: Path) -> None:
    """A `.naga` that leads elsewhere is another folder's history."""
    (tmp_path / "run").mkdir()
    (tmp_path / "elsewhere/claims").mkdir(parents=True)
    (tmp_path / "elsewhere/claims/first").write_text("{}")
    (tmp_path / "run/.naga").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SaveDirError, match="leads out of its folder"):
        claim_folder(tmp_path / "run", "two", this_process())


def test_a_lock_of_the_kernel_comes_before_what_the_process_table_says(tmp_path: Path) -> None:
    """A run in another container of this host, stopped for an hour, lives; one that let go does not."""
    contained = replace(this_process(), pid=1, pid_namespace="pid:[1]")
    claim = claim_folder(tmp_path / "run", "one", contained)
    os.utime(tmp_path / "run" / ".naga" / "claims" / "first", (1, 1))
    with pytest.raises(ClaimError, match="in use by run one"):
        claim_folder(tmp_path / "run", "two", this_process())
    claim.release()
    assert claim_folder(tmp_path / "run", "two", this_process()).run_id == "two"


def test_a_child_that_outlives_its_run_does_not_hold_the_folder(tmp_path: Path) -> None:
    """An orphaned worker shares the files of the process that forked it."""
    claim = claim_folder(tmp_path / "run", "one", dead_process())
    reader, writer = os.pipe()
    up, ready = os.pipe()
    if not (child := os.fork()):
        os.close(writer)
        os.write(ready, b"1")
        os.read(reader, 1)
        os._exit(0)
    try:
        os.read(up, 1)
        claim.release()
        assert claim_folder(tmp_path / "run", "two", this_process()).run_id == "two"
    finally:
        for descriptor in (reader, writer, up, ready):
            os.close(descriptor)
        os.waitpid(child, 0)


def test_a_zombie_owns_nothing(tmp_path: Path) -> None:
    """A process that has ended, and that its parent has not asked for, keeps its number."""
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as child:
        ticks = started_ticks(child.pid)
        assert child.stdin
        child.stdin.close()
        while started_ticks(child.pid) is not None:
            time.sleep(0.01)
        owner = replace(this_process(), pid=child.pid, started_ticks=ticks)
        claim_folder(tmp_path / "run", "one", owner).release()
        assert claim_folder(tmp_path / "run", "two", this_process()).run_id == "two"


def superseded(folder: Path) -> tuple[Claim, Claim]:
    """A run of another host that seemed dead, and the one that took its folder."""
    first = claim_folder(folder, "one", replace(this_process(), host="node17"))
    for file in (folder / ".naga" / "claims").iterdir():
        os.utime(file, (time.time() - 600,) * 2)
    return first, claim_folder(folder, "two", this_process())


def test_the_chain_says_whose_the_folder_is(tmp_path: Path) -> None:
    """The first owner's until another takes it over, wherever that moves it."""
    first, second = superseded(tmp_path / "run")
    assert (first.is_mine(), second.is_mine()) == (False, True)
    assert first.place() == tmp_path / "run"
    record = leave(tmp_path / "other", "two", "finished")
    write_lock(tmp_path / "run", record)
    second.release()
    third = claim_folder(tmp_path / "run", "three", this_process())
    assert [claim.is_mine() for claim in (first, second, third)] == [False, False, True]
    if sys.platform == "linux":
        assert first.place() == tmp_path / ".archive" / "run~two"


@pytest.mark.parametrize(("host", "stays"), [("node17", False), (this_process().host, True)])
def test_the_log_of_a_run_that_may_wake_is_copied(tmp_path: Path, host: str, stays: bool) -> None:
    """It has the old file open; one of this host is dead for sure, and its log may be large."""
    log = tmp_path / "run" / "console.log"
    leave(tmp_path / "run", "one", "running", replace(dead_process(), host=host))
    log.write_text("printed")
    for file in (tmp_path / "run" / "run.lock", *(tmp_path / "run" / ".naga" / "claims").iterdir()):
        os.utime(file, (1, 1))
    before = log.stat().st_ino
    with log.open():  # or the number of the inode might be used again
        claim_folder(tmp_path / "run", "two", this_process())
    assert ((log.stat().st_ino == before), log.read_text()) == (stays, "printed")


def test_what_the_function_does_to_its_folder_does_not_lose_it(tmp_path: Path) -> None:
    """It empties it, or copies an earlier run there, claims included."""
    leave(tmp_path / "earlier", "zero", "finished")
    os.utime(tmp_path / "earlier" / ".naga" / "claims" / "first", (1, 1))
    claim = claim_folder(tmp_path / "run", "one", this_process())
    shutil.copytree(tmp_path / "earlier", tmp_path / "run", dirs_exist_ok=True)
    assert claim.is_mine()
    shutil.rmtree(tmp_path / "run")
    assert claim.is_mine()


def test_a_claim_that_is_undone_leaves_the_folder_to_the_next(tmp_path: Path) -> None:
    """Where nothing could be written, in the same process too; the owners before stay."""
    leave(tmp_path / "run", "one", "failed")
    claim_folder(tmp_path / "run", "two", this_process()).undo()
    assert [owner.run_id for _, owner in chain.owners(tmp_path / "run")] == ["one"]
    assert claim_folder(tmp_path / "run", "three", this_process()).attempt == 2


@pytest.mark.parametrize("state", ["running", "dead before its first word", "failed", "finished"])
def test_a_folder_that_must_be_unused(tmp_path: Path, state: str) -> None:
    """Any run there counts; a folder without one is used."""
    (tmp_path / "new").mkdir()
    assert claim_folder(tmp_path / "new", "one", this_process(), unused=True).attempt == 1
    if state == "dead before its first word":
        claim_folder(tmp_path / "run", "one", dead_process()).release()
    else:
        leave(tmp_path / "run", "one", state)
    with pytest.raises(TakenError):
        claim_folder(tmp_path / "run", "two", this_process(), unused=True)
    assert not (tmp_path / ".archive").exists()


def test_a_finished_run_that_is_still_hashed_keeps_its_folder(tmp_path: Path) -> None:
    """Its function has returned, its outputs are being read."""
    record = leave(tmp_path / "run", "one", "finished", this_process())
    write_lock(tmp_path / "run", replace(record, outputs=Outputs(reason=BEING_HASHED)))
    with pytest.raises(ClaimError, match="still recording its outputs"):
        claim_folder(tmp_path / "run", "two", this_process())
    write_lock(tmp_path / "run", replace(record, outputs=Outputs(reason=BEING_HASHED), process=dead_process()))
    assert claim_folder(tmp_path / "run", "two", this_process()).archived


@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts a small disk")
def test_a_full_disk_leaves_nothing_that_blocks_the_folder(tmp_path: Path) -> None:
    """With room again, the same command works."""
    small = tmp_path / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", small], check=False).returncode:
        pytest.skip("cannot mount")
    try:
        with contextlib.suppress(OSError), (small / "full").open("wb") as file:
            file.write(bytes(2**20))
        with pytest.raises(SaveDirError, match="No space left"):
            claim_folder(small / "run", "one", this_process())
        assert not [path for path in (small / "run").rglob("*") if path.is_file()]
        (small / "full").unlink()
        claim_folder(small / "run", "two", this_process()).release()
    finally:
        subprocess.run(["umount", small], check=True)


def test_without_hard_links_a_claim_is_whole_or_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on exFAT; and a write that fails leaves no name behind."""

    def refuse(*_: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    claim_folder(tmp_path / "run", "one", this_process())
    with pytest.raises(ClaimError):
        claim_folder(tmp_path / "run", "two", this_process())
    # Between its look at the chain and its claim another has made the name.
    assert chain.append(tmp_path / "run", None, chain.Owner(run_id="three", process=this_process())) is None
    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(SaveDirError):
        claim_folder(tmp_path / "other", "one", this_process())
    assert not list((tmp_path / "other" / ".naga" / "claims").iterdir())


def test_torn_claims_of_older_releases_are_cleared(tmp_path: Path) -> None:
    """Empty or cut by a full disk; whole ones, young ones and those of living processes stay."""
    claims = tmp_path / "run" / ".naga" / "claims"
    claim = claim_folder(tmp_path / "run", "one", this_process())
    (claims / "after-one").write_text("")
    (claims / "after-two").write_text('{"run_id": "th')
    assert not list(chain.clear_torn(tmp_path / "run"))
    for file in claims.iterdir():
        os.utime(file, (time.time() - 90,) * 2)
    with pytest.raises(SaveDirError, match="naga doctor"):
        claim_folder(tmp_path / "run", "four", this_process())
    assert sorted(file.name for file in chain.clear_torn(tmp_path / "run")) == ["after-one", "after-two"]
    assert [file.name for file in claims.iterdir()] == ["first"]
    claim.release()


def test_a_new_owner_sweeps_what_killed_writers_left(tmp_path: Path) -> None:
    """Half-written files; the draft of a claim that is young may be another process's, which is about to lose."""
    leave(tmp_path, "one", "failed")
    own = tmp_path / ".naga"
    (own / "attempts").mkdir()
    left = [folder / ".naga-00ff.tmp" for folder in (tmp_path, own, own / "attempts")] + [own / "claims" / ".old"]
    stays = [own / "claims" / ".young", tmp_path / "naga.tmp"]
    for file in (*left, *stays):
        file.touch()
    os.utime(own / "claims" / ".old", (time.time() - 4000,) * 2)
    os.utime(own / "claims" / ".young", (time.time() - 600,) * 2)
    claim_folder(tmp_path, "two", this_process())
    assert not [file for file in left if file.exists()]
    assert all(file.exists() for file in stays)


def test_a_look_at_a_lock_leaves_nothing_open(tmp_path: Path) -> None:
    """A descriptor that stays would hold the lock itself."""
    claim_folder(tmp_path / "run", "one", this_process()).release()
    before = len(os.listdir("/proc/self/fd")) if sys.platform == "linux" else 0
    file = tmp_path / "run" / ".naga" / "claims" / "first"
    assert not kernel_lock.is_held(file)
    assert not kernel_lock.is_held(tmp_path / "nothing")
    if sys.platform == "linux":
        assert len(os.listdir("/proc/self/fd")) == before
    with file.open() as opened:
        fcntl.flock(opened, fcntl.LOCK_SH)  # another that looks at the same moment
        assert not kernel_lock.is_held(file)


@pytest.mark.timeout(10)
@pytest.mark.parametrize("kind", ["fifo", "link"])
def test_a_lock_is_looked_for_in_files_alone(tmp_path: Path, kind: str) -> None:
    """A fifo has no one to wait for, and a link may lead to a file that somebody else locks."""
    claim = claim_folder(tmp_path / "run", "one", this_process())
    odd = tmp_path / "odd"
    os.mkfifo(odd) if kind == "fifo" else odd.symlink_to(tmp_path / "run/.naga/claims/first")
    assert kernel_lock.is_held(tmp_path / "run/.naga/claims/first")
    assert not kernel_lock.is_held(odd)
    claim.release()


def test_the_third_attempt_is_the_third(tmp_path: Path) -> None:
    """Attempts are counted one by one."""
    folder = tmp_path / "r"
    for attempt in (1, 2, 3):
        claim = claim_folder(folder, f"run{attempt}", dead_process())
        assert claim.attempt == attempt
        write_lock(folder, some_record(run_id=f"run{attempt}", status="failed", attempt=attempt))
        claim.release()


@pytest.mark.parametrize("later", ["a", "z"])
def test_the_later_claim_owns_whatever_its_name(tmp_path: Path, later: str) -> None:
    """Run ids begin with a time, which clocks an hour apart may turn round; the chain decides."""
    old = claim_folder(tmp_path / "r", "m", dead_process())
    old.release()
    new = claim_folder(tmp_path / "r", later, this_process())
    assert (old.is_mine(), new.is_mine()) == (False, True)
    new.release()


@pytest.mark.parametrize("named", ["a", "z"])
def test_the_last_claim_is_asked_not_the_lock_of_another(tmp_path: Path, named: str) -> None:
    """A lock of another run than the last claim's says nothing of the one that begins just now."""
    folder = tmp_path / "r"
    claim = claim_folder(folder, "m", this_process())
    write_lock(folder, some_record(run_id=named, status="failed"))
    with pytest.raises(ClaimError, match="in use by run m, which is still running"):
        claim_folder(folder, "new", this_process())
    claim.release()


def test_the_seconds_since_a_sign_of_another_host_are_said(tmp_path: Path) -> None:
    """They tell whether to wait."""
    leave(tmp_path / "r", "one", "running", replace(this_process(), host="elsewhere"))
    for file in (tmp_path / "r").rglob("*"):
        os.utime(file, (time.time() - 200, time.time() - 200))
    with pytest.raises(ClaimError, match=r"elsewhere, last seen 2\d\d s ago"):
        claim_folder(tmp_path / "r", "two", this_process())


def test_a_folder_that_cannot_be_made_ready_is_given_back(tmp_path: Path) -> None:
    """The next run is not kept waiting for one that never began."""
    folder = tmp_path / "r"
    leave(folder, "one", "failed")
    (tmp_path / "there").mkdir()
    (folder / ".naga/attempts").symlink_to(tmp_path / "there")
    with pytest.raises(SaveDirError, match="is a link"):
        claim_folder(folder, "two", this_process())
    (folder / ".naga/attempts").unlink()
    claim_folder(folder, "three", this_process()).release()


def test_a_run_that_was_emptied_of_its_claims_looks_at_the_last_of_others(tmp_path: Path) -> None:
    """One that came before its own says nothing, one that came after took the folder over."""
    claim = claim_folder(tmp_path / "r", "one", this_process())
    shutil.rmtree(tmp_path / "r/.naga/claims")
    for run_id in ("b", "c"):
        claim_folder(tmp_path / "r", run_id, dead_process()).release()
    claims = [file for file, _ in chain.owners(tmp_path / "r")]
    before, after = claim.claimed_ns - 10**9, claim.claimed_ns + 10**9
    for times, mine in (((before, before), True), ((before, after), False), ((after, before), True)):
        for file, mtime in zip(claims, times, strict=True):
            os.utime(file, ns=(mtime, mtime))
        assert claim.is_mine() is mine
    os.utime(claims[-1], ns=(claim.claimed_ns, claim.claimed_ns))
    assert claim.is_mine()
    claim.release()


def test_a_run_that_ended_is_set_aside(tmp_path: Path) -> None:
    """And nothing of the asking stays in its chain, so that a new run begins in its place."""
    folder = tmp_path / "r"
    leave(folder, "one", "failed")
    target = set_aside(folder, this_process(), run_id="one")
    assert target == tmp_path / ".archive/r~one"
    assert [owner.run_id for _, owner in chain.owners(target)] == ["one"]
    assert not folder.exists()
    with pytest.raises(SaveDirError, match="does not hold run one any more"):
        set_aside(folder, this_process(), run_id="one")
    leave(folder, "two", "failed")
    with pytest.raises(SaveDirError, match="does not hold run one any more"):
        set_aside(folder, this_process(), run_id="one")
    assert [owner.run_id for _, owner in chain.owners(folder)] == ["two"]


def test_a_live_run_is_not_set_aside(tmp_path: Path) -> None:
    """Nor is anything claimed in its folder."""
    leave(tmp_path / "r", "one", "running", this_process())
    with pytest.raises(ClaimError, match="still running"):
        set_aside(tmp_path / "r", this_process(), run_id="one")
    assert [owner.run_id for _, owner in chain.owners(tmp_path / "r")] == ["one"]


def test_a_run_that_changed_while_it_was_set_aside_is_looked_at_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What somebody wrote between the two looks is not moved unseen."""
    folder, append = tmp_path / "r", chain.append
    record = leave(folder, "one", "failed")

    def slow(save_dir: Path, tail: chain.Owner | None, owner: chain.Owner) -> int | None:
        descriptor = append(save_dir, tail, owner)
        write_lock(folder, replace(record, run_id="other"))
        return descriptor

    monkeypatch.setattr(chain, "append", slow)
    with pytest.raises(SaveDirError, match="does not hold run one any more"):
        set_aside(folder, this_process(), run_id="one")
    assert folder.exists()
    assert [owner.run_id for _, owner in chain.owners(folder)] == ["one"]


def test_a_lock_that_cannot_be_closed_fails_no_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On network filesystems closing may say that the disk is full; the run has ended well all the same."""
    claim, close = claim_folder(tmp_path / "r", "one", dead_process()), os.close

    def full(descriptor: int) -> None:
        close(descriptor)
        if descriptor == claim.descriptor:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "close", full)
    claim.release()
    monkeypatch.undo()
    claim_folder(tmp_path / "r", "two", dead_process()).release()
