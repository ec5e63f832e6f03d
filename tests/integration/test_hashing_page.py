"""What docs/hashing.md says is enough to compute the hash of a run's folder, without Naga."""

import os
import stat
from pathlib import Path

from blake3 import blake3
from workbench import Script

from naga import load_run, runlock

TREE = "naga.tree/1"


def folder_hash(folder: Path, left_out: set[Path]) -> bytes | None:
    """A folder by the page: one record a thing, sorted by name; None where everything in it is left out."""
    records, left = [], False
    for name in sorted(map(os.fsencode, os.listdir(folder))):
        path = folder / os.fsdecode(name)
        one = record(name, path, left_out)
        left |= one is None
        records += [one] if one else []
    return None if left and not records else blake3(b"".join(records), derive_key_context=TREE).digest()


def record(name: bytes, path: Path, left_out: set[Path]) -> bytes | None:
    """The type, the length of the name, the name, and the digest."""
    mode = path.lstat().st_mode
    if path in left_out or not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISLNK(mode)):
        return None
    if stat.S_ISDIR(mode):
        kind = b"d"
        digest = None if (path / "run.lock").exists() else folder_hash(path, left_out)
    elif stat.S_ISLNK(mode):
        kind, digest = b"l", blake3(os.fsencode(path.readlink())).digest()
    else:
        kind, digest = b"f", blake3(path.read_bytes()).digest()
    return None if digest is None else kind + len(name).to_bytes(8, "little") + name + digest


def outputs_hash(save_dir: Path) -> str:
    """The section on outputs."""
    left_out = {save_dir / name for name in ("run.lock", "console.log", ".naga")} | {*save_dir.glob(".naga-*.tmp")}
    marks = save_dir / ".naga/diag"
    given = {mark.name for mark in marks.iterdir()} if marks.is_dir() else set()
    diags = {path.name for path in (save_dir / "diag").iterdir()} if (save_dir / "diag").is_dir() else set()
    left_out |= {save_dir / "diag" / name for name in given & diags}
    left_out |= {save_dir / "diag"} if diags and diags <= given else set()
    digest = folder_hash(save_dir, left_out) or blake3(b"", derive_key_context=TREE).digest()
    return f"blake3:{digest.hex()}"


def task(cfg: object = {"save_dir": "results/run"}) -> None:
    folder = Path("results/run")
    (folder / "deep/er").mkdir(parents=True)
    (folder / "empty").mkdir()
    (folder / "deep/er/model").write_bytes(os.urandom(1000))
    (folder / "naïve.txt").write_text("a")
    (folder / "link").symlink_to("deep/er/model")
    (folder / "diag").mkdir()
    (folder / "diag/own.txt").write_text("the task's own")
    (folder / ".naga-left.tmp").write_text("of a killed writer")
    os.mkfifo(folder / "fifo")
    runlock(lambda cfg={"save_dir": "results/run/inner"}: None)()


def test_the_page_gives_the_hash_of_a_run(project: Path) -> None:
    """With links, an empty folder, another run inside, a fifo, and a diag folder that came later."""
    runlock(task)()
    run = load_run("results/run")
    assert run.record.outputs
    assert outputs_hash(run.save_dir) == run.record.outputs.hash
    (run.save_dir / "diag/1").mkdir()
    (run.save_dir / ".naga/diag").mkdir()
    (run.save_dir / ".naga/diag/1").touch()
    assert outputs_hash(run.save_dir) == run.record.outputs.hash
    (run.save_dir / "naïve.txt").write_text("b")
    assert outputs_hash(run.save_dir) != run.record.outputs.hash


def test_the_page_gives_the_hash_of_a_script(script: Script, project: Path) -> None:
    """Whose output was logged to console.log beside its results."""
    script("exp.py")
    run = load_run("results/run")
    assert (run.save_dir / "console.log").exists()
    assert run.record.outputs
    assert outputs_hash(run.save_dir) == run.record.outputs.hash
