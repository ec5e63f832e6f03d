"""Runs that are exported, and computed again from the zip alone, as if on another machine."""

import errno
import json
import os
import pty
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from blake3 import blake3
from workbench import git

from naga import load_run
from naga.cli import main

PROGRAM = str(Path(sys.executable).with_name("naga"))
REMOTE = "ssh://ana@git.example.org/secret-group/p.git"
SECRET = "swordfish-of-gold"
TASK = """
import json, os
from dataclasses import dataclass
from pathlib import Path
from naga import clicfg, load_stage, runlock, snapshot, track_data
{imports}

@dataclass
class Config:
    save_dir: str = "results/run"
    raw: str = "data/raw.csv"
    stage: str = "results/first"
    factor: int = 2
    server: str = "http://tracker.example.org:5000"
    api_key: str = "${{oc.env:API_KEY,none}}"

@runlock
@snapshot
{decorators}
@clicfg
def main(cfg: Config):
    save_dir = Path(cfg.save_dir)
    (save_dir / "result.json").write_text(json.dumps({body}))
{more}
    return cfg

if __name__ == "__main__":
    {end}
"""
DIAG = """
from naga import diag_dir
from naga.mlflow_log import mlflow_log_run

@mlflow_log_run
def diag(cfg):
    import mlflow
    mlflow.log_metric("total", 6.0)
    mlflow.log_metric("worst", float("nan"))
    if os.environ.get("FAILS"):
        raise ValueError("as ordered")
    (diag_dir() / "figure.txt").write_text("a figure")
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with data that git ignores and a secret that was deleted; the current folder."""
    folder = tmp_path / "machine-of-ana" / "p"
    (folder / "data").mkdir(parents=True)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("API_KEY", SECRET)
    Path("data/raw.csv").write_text("1\n2\n3\n")
    Path(".gitignore").write_text("results/\ndata/\n__pycache__/\nmlflow.db\nmlruns/\n")
    git("init", "-q", cwd=folder)
    git("remote", "add", "origin", REMOTE, cwd=folder)
    Path("old.txt").write_text("deleted-since")
    git("add", "-A", cwd=folder)
    git("commit", "-qm", "Begin", cwd=folder)
    Path("old.txt").unlink()
    git("commit", "-qam", "Delete", cwd=folder)
    return folder


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: Path) -> Callable[[], Path]:
    """Give what moves to another machine: an empty folder, another home, no cache, and the originals gone."""

    def move() -> Path:
        place.parent.rename(tmp_path / "hidden")
        folder = tmp_path / "another" / "machine"
        folder.mkdir(parents=True)
        monkeypatch.chdir(folder)
        monkeypatch.setenv("HOME", str(folder))
        monkeypatch.setenv("NAGA_CACHE_DIR", str(tmp_path / "another-cache"))
        return folder

    return move


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing stays where temporary files go."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)
    yield
    assert [left.name for left in folder.iterdir() if left.name.startswith("naga-")] == []


def compute(
    *words: str, body: str = "sum(map(int, Path(cfg.raw).read_text().split())) * cfg.factor",
    decorators: str = '@track_data("raw")', more: str = "", imports: str = "", script: str = "exp.py",
    end: str = "main()",
) -> None:  # fmt: skip
    """Write an experiment, and run it."""
    Path(script).parent.mkdir(exist_ok=True)
    Path(script).write_text(TASK.format(decorators=decorators, body=body, more=more, imports=imports, end=end))
    done = subprocess.run([sys.executable, script, *words], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def naga(*words: str, **options: Any) -> "subprocess.CompletedProcess[str]":
    """Run the command."""
    given = {"capture_output": True, "text": True, "timeout": 300, "stdin": subprocess.DEVNULL}
    return subprocess.run([PROGRAM, *words], check=False, **given | options)


def export(*words: str, to: Path) -> zipfile.ZipFile:
    """Export, and open the zip."""
    done = naga("export", *words, "--to", str(to))
    assert done.returncode == 0, done.stderr
    return zipfile.ZipFile(to)


def reproduce(file: Path, *words: str) -> tuple[int, Any]:
    """Reproduce, and give the exit code with what was printed."""
    done = naga("reproduce", str(file), "--trust", "--format", "json", *words)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def refused(*words: str) -> str:
    """Run what must be refused: one line and its hint, exit code 2; give the line."""
    done = naga(*words)
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    lines = [line for line in done.stderr.splitlines() if not line.startswith("  hint: ")]
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("naga: ")
    return lines[0]


def everything(folder: Path = Path()) -> dict[str, bytes]:
    """Give the bytes of every file."""
    return {str(file): file.read_bytes() for file in folder.rglob("*") if file.is_file() and not file.is_symlink()}


def test_another_machine(place: Path, tmp_path: Path, elsewhere: Callable[[], Path]) -> None:
    """The zip with its data is enough: no repository, no cache, another home; nothing of the original is touched."""
    compute()
    before = everything()
    known = load_run("results/run")
    export("results/run", "--with-data", to=tmp_path / "x.zip")
    assert everything() == before
    here = elsewhere()
    code, said = reproduce(tmp_path / "x.zip")
    assert (code, said["verdict"], said["run_id"]) == (0, "reproduced", known.run_id), said
    assert said["outputs"] == [{"path": "result.json", "verdict": "identical", "note": ""}]
    assert [line for line in said["differences"] if "left out" in line] == []
    made = load_run(said["save_dir"])
    assert made.record.reproduces["run_id"] == known.run_id
    assert made.record.reproduces["lock_hash"] == f"blake3:{blake3(before['results/run/run.lock']).hexdigest()}"
    assert made.save_dir == here / ".reproduced" / f"{known.run_id}-1"
    assert [entry.name for entry in here.iterdir()] == [".reproduced"]


def test_inputs_by_reference(place: Path, tmp_path: Path, elsewhere: Callable[[], Path]) -> None:
    """Without its data, a missing input is named, one at the same place is taken, and a changed one is not."""
    compute()
    export("results/run", to=tmp_path / "x.zip")
    elsewhere()
    code, said = reproduce(tmp_path / "x.zip")
    assert (code, said["not_restored"]) == (2, ["data: raw: no file or folder 'data/raw.csv'"])
    Path("data").mkdir()
    Path("data/raw.csv").write_text("9\n")
    code, said = reproduce(tmp_path / "x.zip")
    assert (code, said["not_restored"]) == (2, ["data: raw = data/raw.csv has changed"])
    assert not Path(".reproduced").exists()
    Path("data/raw.csv").write_text("1\n2\n3\n")
    assert reproduce(tmp_path / "x.zip", "--to", "new")[1]["verdict"] == "reproduced"
    assert Path("new/run.lock").exists()


@pytest.mark.parametrize("raw", ["data/parts", "data/parts/*.txt", "{place}/data/parts"])
def test_kinds_of_inputs(raw: str, place: Path, tmp_path: Path, elsewhere: Callable[[], Path]) -> None:
    """A folder, a pattern, and a folder named absolutely come along, and are found again."""
    Path("data/parts/deep").mkdir(parents=True)
    for name in ("a.txt", "b.txt", "deep/c.txt"):
        Path("data/parts", name).write_text(name)
    top = "Path(cfg.raw.removesuffix('/*.txt'))"
    compute(f"raw={raw.format(place=place)}", body=f"sorted(one.read_text() for one in {top}.glob('*.txt'))")
    export("results/run", "--with-data", to=tmp_path / "x.zip").close()
    elsewhere()
    code, said = reproduce(tmp_path / "x.zip")
    assert (code, said["verdict"]) == (0, "reproduced"), said


@pytest.mark.parametrize("is_with_data", [True, False])
def test_several_runs(place: Path, tmp_path: Path, elsewhere: Callable[[], Path], is_with_data: bool) -> None:
    """Runs of one zip are computed again, made from each other or not; with data, those that were read come, too."""
    compute("save_dir=results/first", body="3", decorators="")
    compute(body="(Path(cfg.stage) / 'result.json').read_text()", decorators='@load_stage("stage")')
    ids = [load_run(f"results/{name}").run_id for name in ("first", "run")]
    export(*(["--with-data"] if is_with_data else ["results/first"]), "results/run", to=tmp_path / "x.zip")
    elsewhere()
    code, said = reproduce(tmp_path / "x.zip")
    said = [said] if is_with_data else said
    assert code == 0
    assert [(one["run_id"], one["verdict"]) for one in said] == [(one, "reproduced") for one in ids[is_with_data:]]


def test_a_nested_repository_and_paths_above(place: Path, tmp_path: Path, elsewhere: Callable[[], Path]) -> None:
    """Code is in two repositories, the run began in a folder of one, and its input is above both."""
    Path("lib").mkdir()
    Path("lib/helper.py").write_text("FACTOR = 7\n")
    git("init", "-q", cwd=place / "lib")
    git("add", "-A", cwd=place / "lib")
    git("commit", "-qm", "Begin", cwd=place / "lib")
    (place.parent / "raw.csv").write_text("5\n")
    compute(script="sub/exp.py")
    os.chdir("sub")
    Path("lib").symlink_to("../lib")
    words = {"imports": "import sys; sys.path.insert(0, '../lib'); import helper"}
    compute("raw=../../raw.csv", body="helper.FACTOR + int(Path(cfg.raw).read_text())", **words)
    with export("results/run", "--with-data", to=tmp_path / "x.zip") as archive:
        assert {"code/p.bundle", "code/lib.bundle"} <= set(archive.namelist())
    elsewhere()
    code, said = reproduce(tmp_path / "x.zip")
    assert (code, said["verdict"]) == (0, "reproduced"), said


def test_absolute_paths(place: Path, tmp_path: Path, elsewhere: Callable[[], Path]) -> None:
    """The script, the folder and an input were named absolutely: the zip does not say where, and is computed again."""
    shutil.copy("data/raw.csv", tmp_path / "machine-of-ana" / "far.csv")
    compute(script="exp.py")
    words = [str(place / "exp.py"), f"save_dir={place}/results/abs", f"raw={place.parent}/far.csv", f"stage={place}/x"]
    subprocess.run([sys.executable, *words], check=True, capture_output=True)
    Path("exp.py").write_text("raise SystemExit('edited')")
    with export("results/abs", to=tmp_path / "x.zip") as archive:
        assert str(tmp_path) not in archive.read(next(n for n in archive.namelist() if n.endswith("run.lock"))).decode()
    elsewhere()
    Path("far.csv").write_text("1\n2\n3\n")
    code, said = reproduce(tmp_path / "x.zip")
    assert (code, said["verdict"]) == (0, "reproduced"), said
    assert "config: stage: what it says of the original machine is not in the zip" in said["differences"]


def test_nothing_of_the_machine_and_no_secret(place: Path, tmp_path: Path) -> None:
    """User, host, paths and addresses are in no file of the zip, unless they are asked for; secrets never are."""
    compute(more="    print('printed here:', os.getcwd())")
    sha = git("rev-parse", "HEAD", cwd=place)
    with export("results/run", to=tmp_path / "x.zip") as archive:
        text = b"\n".join(archive.read(name) for name in archive.namelist()).decode(errors="replace")
        assert not [word for word in (str(tmp_path), REMOTE, "git.example.org") if word in text]
        own = b"\n".join(archive.read(name) for name in archive.namelist() if not name.startswith("code/")).decode()
        assert not re.search(rf"(?<![\w.-]){re.escape(socket.gethostname())}(?![\w-])", own)
        assert "tracker.example.org" not in own
        assert "printed here" not in own
        assert SECRET not in text
        assert "<redacted>" in own
        assert sha[:8] not in archive.read("code/p.bundle").decode(errors="replace")
    with export("results/run", "--with-machine", to=tmp_path / "y.zip") as archive:
        run_id = load_run("results/run").run_id
        assert archive.read(f"machine/{run_id}.lock") == Path("results/run/run.lock").read_bytes()
        assert "printed here" in archive.read(f"machine/{run_id}.log").decode()
        assert SECRET.encode() not in b"".join(map(archive.read, archive.namelist()))
    assert f"{load_run('results/run').record.process.user}" in Path("results/run/run.lock").read_text()


def test_history(place: Path, tmp_path: Path) -> None:
    """The bundle holds one commit without a parent, of the tree of the snapshot; its history only if asked for."""
    compute()
    tree = load_run("results/run").record.code[0].tree
    for words, count in (([], 1), (["--with-history"], 3)):
        with export("results/run", *words, to=tmp_path / f"{count}.zip") as archive:
            archive.extract("code/p.bundle", tmp_path)
        git(
            "clone", "-q", "-b", "run", "--bare", str(tmp_path / "code/p.bundle"), str(tmp_path / f"{count}"), cwd=place
        )
        assert git("rev-list", "--count", "run", cwd=tmp_path / f"{count}").strip() == str(count)
        assert git("rev-parse", "run^{tree}", cwd=tmp_path / f"{count}").strip() == tree
        assert ("deleted-since" in git("log", "-p", "run", cwd=tmp_path / f"{count}")) == bool(words)
    assert git("for-each-ref", "--format=%(refname)", "refs/heads/run", cwd=place) == ""


def test_what_goes_in_is_listed_first(place: Path, tmp_path: Path) -> None:
    """With sizes, and what is left out, before the zip is there."""
    compute()
    done = naga("export", "results/run", "--to", str(tmp_path / "x.zip"))
    assert re.search(r"\d B  runs/\S+/result.json\n", done.stderr)
    assert "left out: inputs" in done.stderr
    assert "left out: config: server: what it says of the machine" in done.stderr
    assert done.stdout == f"{tmp_path}/x.zip\n"


def test_odd_outputs(place: Path, tmp_path: Path, elsewhere: Callable[[], Path]) -> None:
    """Links and names that not every system has are left out by name; what packs like a bomb is taken by the reader."""
    more = """
    (save_dir / "link").symlink_to("result.json")
    (save_dir / "RESULT.json").write_text("1")
    (save_dir / "empty/folder").mkdir(parents=True)
    (save_dir / "zeros.bin").write_bytes(bytes(3 * 2**20))
    (save_dir / "a b\\xe9.txt").write_text("1")
"""
    compute(more=more)
    done = naga("export", "results/run", "--with-data", "--to", str(tmp_path / "x.zip"))
    assert re.search(r"left out: runs/\S+/link: it is a link\n", done.stderr), done.stderr
    assert re.search(r"left out: runs/\S+/[Rr]\S+: it is there already, or differs", done.stderr)
    elsewhere()
    code, said = reproduce(tmp_path / "x.zip")
    assert (code, said["verdict"]) == (0, "reproduced"), said


def test_without_the_extra(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is to be installed is said."""
    compute()
    monkeypatch.setitem(sys.modules, "rocrate", None)
    assert main(["export", "results/run", "--to", str(tmp_path / "x.zip")]) == 2
    assert "pip install 'naga-runs[crate]'" in capsys.readouterr().err
    assert not (tmp_path / "x.zip").exists()


def test_what_cannot_be_exported(place: Path, tmp_path: Path) -> None:
    """One line each, and nothing is written."""
    compute()
    compute("save_dir=results/changed")
    Path("results/changed/result.json").write_text("0")
    compute("save_dir=results/failed")
    lock = Path("results/failed/run.lock")
    lock.write_text(lock.read_text().replace("status: finished", "status: failed"))
    compute("save_dir=results/plain")
    text = Path("results/plain/run.lock").read_text()
    Path("results/plain/run.lock").write_text(text[: text.index("code:\n")] + text[text.index("data:\n") :])
    (tmp_path / "there.zip").write_text("mine")
    new = str(tmp_path / "new.zip")
    before = everything()
    assert "is there already" in refused("export", "results/run", "--to", str(tmp_path / "there.zip"))
    assert "there is no folder" in refused("export", "results/run", "--to", "no/where.zip")
    assert "would be a new output" in refused("export", "results/run", "--to", "results/run/x.zip")
    assert "is failed, not finished" in refused("export", "results/failed", "--to", new)
    assert "no snapshot" in refused("export", "results/plain", "--to", new)
    assert "not what it left" in refused("export", "results/changed", "--to", new)
    assert "no run at" in refused("export", "results", "--to", new)
    Path("data/raw.csv").write_text("9")
    assert "raw = data/raw.csv has changed" in refused("export", "results/run", "--with-data", "--to", new)
    assert (tmp_path / "there.zip").read_text() == "mine"
    assert not Path(new).exists()
    assert everything() == {**before, "data/raw.csv": b"9"}


def test_a_full_disk_and_signals(place: Path, tmp_path: Path) -> None:
    """Neither leaves a part of a zip, nor anything beside it."""
    compute(more="    (save_dir / 'large.bin').write_bytes(os.urandom(40 * 2**20))")
    (tmp_path / "to").mkdir()

    def small_files() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20))

    done = naga("export", "results/run", "--to", str(tmp_path / "to/x.zip"), preexec_fn=small_files)
    assert done.returncode == 2
    assert f"\nnaga: '{tmp_path}/to/x.zip' cannot be written: {os.strerror(errno.EFBIG)}\n" in done.stderr
    assert list((tmp_path / "to").iterdir()) == []
    words = [PROGRAM, "export", "results/run", "--to", str(tmp_path / "to/x.zip")]
    for number, code, last in ((signal.SIGINT, 130, "naga: interrupted"), (signal.SIGTERM, -signal.SIGTERM, "")):
        with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            while not list((tmp_path / "to").iterdir()):
                time.sleep(0.01)
                assert process.poll() is None
            process.send_signal(number)
            said = process.communicate()[1].splitlines()
        assert process.returncode == code
        assert last in said[-1]
        assert list((tmp_path / "to").iterdir()) == []


def test_ctrl_c_while_the_code_of_a_zip_runs(place: Path, tmp_path: Path, elsewhere: Callable[[], Path]) -> None:
    """What was begun is removed, and what was opened."""
    waits = (
        f"(Path({str(tmp_path / 'slow')!r}).exists() and (Path({str(tmp_path / 'runs')!r}).touch(), time.sleep(60)))"
    )
    compute(body=waits, imports="import time")
    export("results/run", "--with-data", to=tmp_path / "x.zip").close()
    (tmp_path / "slow").touch()
    here = elsewhere()
    words = [PROGRAM, "reproduce", str(tmp_path / "x.zip"), "--trust"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        while not (tmp_path / "runs").exists():
            time.sleep(0.05)
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        said = process.communicate()[1]
    assert (process.returncode, said.splitlines()[-1]) == (130, "naga: interrupted")
    assert list(here.iterdir()) == []


def rewritten(file: Path, change: Callable[[str, bytes], bytes | None]) -> None:
    """Write a zip anew with other content."""
    with zipfile.ZipFile(file) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in files.items():
            if (new := change(name, data)) is not None:
                archive.writestr(name, new)


def entry(name: str, data: bytes = b"x", mode: int = 0o100644) -> Callable[[Path], None]:
    """Add an entry to a zip."""

    def add(file: Path) -> None:
        with zipfile.ZipFile(file, "a", zipfile.ZIP_DEFLATED) as archive:
            head = zipfile.ZipInfo(name)
            head.external_attr, head.compress_type = mode << 16, zipfile.ZIP_DEFLATED
            archive.writestr(head, data)

    return add


def lock_with(old: str, new: str) -> Callable[[Path], None]:
    """Change the run.lock in a zip."""

    def change(name: str, data: bytes) -> bytes:
        if not name.endswith("run.lock"):
            return data
        assert old.encode() in data
        return data.replace(old.encode(), new.encode())

    return lambda file: rewritten(file, change)


def without(name: str) -> Callable[[Path], None]:
    """Take a file out of a zip."""
    return lambda file: rewritten(file, lambda one, data: None if one == name else data)


def with_file(name: str, new: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    """Change a file of a zip."""
    return lambda file: rewritten(file, lambda one, data: new(data) if one.endswith(name) else data)


def damage(file: Path) -> None:
    """Change a byte of what a zip holds."""
    with zipfile.ZipFile(file) as archive:
        one = next(one for one in archive.infolist() if one.filename.endswith("raw.csv"))
    data = bytearray(file.read_bytes())
    data[one.header_offset + 30 + len(one.filename)] ^= 0xFF
    file.write_bytes(data)


HOSTILE: dict[str, tuple[Callable[[Path], object], str]] = {
    "no zip": (lambda file: file.write_text("PK no zip"), "not a valid zip"),
    "half a zip": (lambda file: file.write_bytes(file.read_bytes()[:-30]), "not a valid zip"),
    "a damaged file": (damage, "not a valid zip"),
    "another zip": (without(".naga/crate.json"), "not a zip of naga export"),
    "garbage": (with_file("crate.json", lambda _: b"[]"), "not a zip of naga export"),
    "a later schema": (with_file("crate.json", lambda data: data.replace(b"crate/1", b"crate/2")), "naga.crate/2"),
    "no list": (with_file("crate.json", lambda data: data.replace(b'"runs"', b'"run"')), "not a zip of naga export"),
    "above": (entry("runs/../../escaped"), "leads out of its folder"),
    "absolute": (entry("/escaped"), "leads out of its folder"),
    "a backslash": (entry("runs\\x"), "not a valid name on every system"),
    "a drive": (entry("C:escaped"), "not a valid name on every system"),
    "a newline": (entry("runs/a\nb"), "not a valid name on every system"),
    "a link": (entry("runs/link", b"/etc/passwd", 0o120777), "is a link"),
    "a device": (entry("runs/device", b"", 0o020666), "is a link, a device"),
    "the same name twice": (entry(".naga/crate.json"), "is there already"),
    "upper and lower case": (entry("CODE/p.bundle"), "is there already, or differs"),
    "a file as a folder": (entry("code/p.bundle/x"), "is there already, or differs"),
    "a bomb": (entry("runs/zeros", bytes(4 * 2**20)), "unpacks to"),
    "no bundle": (without("code/p.bundle"), "not as naga export writes it"),
    "a broken bundle": (with_file("p.bundle", lambda data: data[:-40] + bytes(20) + data[-20:]), "not as naga export"),
    "another result": (with_file("result.json", lambda _: b"7"), "are not those that it lists"),
    "another tree": (lock_with("tree: ", "tree: 00"), "not as naga export writes it"),
    "another run": (lock_with('run_id: "2', 'run_id: "1'), "is in the folder of another"),
    "an input above": (
        lock_with("path: data/raw.csv", "path: ../../../../../data/../../etc"),
        "leads out of its folder",
    ),
    "an input in git": (lock_with("path: data/raw.csv", "path: .git/commondir"), "leads out of its folder"),
    "a folder above": (lock_with("cwd: /naga/p", "cwd: /naga/../../p"), "leads out of its folder"),
    "code elsewhere": (lock_with("path: /naga/p", "path: /etc/naga-p"), "leads out of its folder"),
    "a name that leads out": (lock_with("name: p", "name: ../../p"), "is not the name of a repository"),
}


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_hostile_zips(
    place: Path, tmp_path: Path, elsewhere: Callable[[], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """Each is refused in one line before anything of it runs, and leaves nothing."""
    compute(imports=f"Path({str(tmp_path / 'ran')!r}).touch()")
    (tmp_path / "ran").unlink()
    good = tmp_path / "good.zip"
    export("results/run", "--with-data", to=good).close()
    here = elsewhere()
    (tmp_path / "zips").mkdir()
    others = {"hidden", "tmp", "another", "good.zip", "zips"}
    for name, (change, said) in HOSTILE.items():
        file = tmp_path / "zips" / f"{name}.zip"
        shutil.copy(good, file)
        change(file)
        for words in (["reproduce", str(file), "--trust"], ["checkout", str(file), "code"]):
            assert main(words) == 2, name
            printed = capsys.readouterr()
            assert said in printed.out + printed.err, name
            assert "Traceback" not in printed.err
        assert list(here.iterdir()) == [], name
        assert {entry.name for entry in tmp_path.iterdir()} - {"another-cache"} == others, name


def test_no_link_is_written_into_the_current_folder(place: Path, tmp_path: Path, elsewhere: Callable[[], Path]) -> None:
    """An input that is found here is linked; another, said to be inside of it, is not put there."""
    compute()
    export("results/run", to=tmp_path / "x.zip").close()
    lock_with("path: data/raw.csv", "path: [/naga/elsewhere/d, /naga/elsewhere/d/x, /naga/elsewhere/d/y/x]")(
        tmp_path / "x.zip"
    )
    elsewhere()
    Path("d").mkdir()
    Path("x").write_text("mine")
    assert reproduce(tmp_path / "x.zip")[0] == 2
    assert list(Path("d").iterdir()) == []


def hostile_tree(place: Path, row: str) -> str:
    """Write a tree that git itself would not check out."""
    blob = subprocess.run(
        ["git", "hash-object", "-w", "--stdin"], cwd=place, input=b"x", capture_output=True, check=True
    )
    listed = row.format(blob=blob.stdout.decode().strip()) + "\n"
    made = subprocess.run(["git", "mktree"], cwd=place, input=listed.encode(), capture_output=True, check=True)
    return made.stdout.decode().strip()


@pytest.mark.parametrize("row", ["100644 blob {blob}\t..", "100644 blob {blob}\t.git", "100644 blob {blob}\t.GIT"])
def test_hostile_trees(row: str, place: Path, tmp_path: Path, elsewhere: Callable[[], Path]) -> None:
    """A bundle with names that lead out of their folder passes no check, and is laid out nowhere."""
    compute()
    export("results/run", "--with-data", to=tmp_path / "x.zip").close()
    tree, known = hostile_tree(place, row), load_run("results/run").record.code[0]
    commit = git("commit-tree", tree, "-m", "x", cwd=place).strip()
    git("update-ref", "refs/heads/bad", commit, cwd=place)
    git("bundle", "create", str(tmp_path / "bad.bundle"), "refs/heads/bad", cwd=place)
    with_file("p.bundle", lambda _: (tmp_path / "bad.bundle").read_bytes())(tmp_path / "x.zip")
    lock_with(str(known.tree), tree)(tmp_path / "x.zip")
    here = elsewhere()
    assert "not as naga export writes it" in refused("reproduce", str(tmp_path / "x.zip"), "--trust")
    assert "not as naga export writes it" in refused("checkout", str(tmp_path / "x.zip"), "code")
    assert list(here.iterdir()) == []


def test_large_zips_are_taken_where_that_is_said(place: Path, tmp_path: Path) -> None:
    """What unfolds as far as a bomb does may be one's own."""
    compute()
    export("results/run", to=tmp_path / "x.zip").close()
    entry("data/zeros", bytes(4 * 2**20))(tmp_path / "x.zip")
    assert "unpacks to" in refused("reproduce", str(tmp_path / "x.zip"), "--trust")
    assert reproduce(tmp_path / "x.zip", "--large")[1]["verdict"] == "reproduced"


def test_trust(place: Path, tmp_path: Path, elsewhere: Callable[[], Path]) -> None:
    """The code of a zip is run only where that is said: by a word, or at a terminal, which shows whose and what."""
    compute()
    export("results/run", "--with-data", to=tmp_path / "x.zip").close()
    here = elsewhere()
    said = refused("reproduce", str(tmp_path / "x.zip"))
    assert f"a file of user {os.getuid()}, brings the code that would be run: exp.main" in said
    assert list(here.iterdir()) == []
    for answer, code in (("n", 2), ("y", 0)):
        ours, theirs = pty.openpty()
        os.write(ours, f"{answer}\n".encode())
        done = naga("reproduce", str(tmp_path / "x.zip"), stdin=theirs)
        assert done.returncode == code, done.stderr
        assert "Run it? [y/N]" in done.stderr
        os.close(ours)
        os.close(theirs)


def test_checkout(place: Path, tmp_path: Path, elsewhere: Callable[[], Path]) -> None:
    """The code alone, without running it; a folder that has something in it is refused, an empty one is fine."""
    compute()
    text = Path("exp.py").read_text()
    export("results/run", to=tmp_path / "x.zip").close()
    elsewhere()
    Path("full").mkdir()
    Path("full/x").touch()
    Path("code").mkdir()
    assert "is there already" in refused("checkout", str(tmp_path / "x.zip"), "full")
    done = naga("checkout", str(tmp_path / "x.zip"), "code")
    assert (done.returncode, done.stdout) == (0, "code/p\n"), done.stderr
    assert Path("code/p/exp.py").read_text() == text


def test_what_the_crate_says_of_itself(place: Path, tmp_path: Path) -> None:
    """It has what RO-Crate 1.1 and the Process Run Crate profile require, in terms of the context alone."""
    citation = {
        "title": "Sums",
        "license": "MIT",
        "authors": [{"given-names": "Ana", "family-names": "Maier", "orcid": "https://orcid.org/0000-0001-2345-6789"}],
    }
    Path("CITATION.cff").write_text(json.dumps(citation))
    compute(imports=DIAG, end="diag(main())")
    run = load_run("results/run")
    with export("results/run", to=tmp_path / "x.zip") as archive:
        crate = json.loads(archive.read("ro-crate-metadata.json"), parse_constant=pytest.fail)
        names = set(archive.namelist())
        said = json.loads(archive.read(f"runs/{run.run_id}/.naga/metrics.json"))
    assert said["metrics"]["total"] == 6.0
    assert "tracking_uri" not in said
    assert crate["@context"] == "https://w3id.org/ro/crate/1.1/context"
    context = json.loads((Path(__file__).parents[1] / "crate" / "context.json").read_text())["@context"]
    graph = {one["@id"]: one for one in crate["@graph"]}
    assert len(graph) == len(crate["@graph"])
    used = {key for one in graph.values() for key in one if not key.startswith("@")}
    used |= {kind for one in graph.values() for kind in listed(one["@type"])}
    assert used <= context.keys()
    dangling = {ref["@id"] for one in graph.values() for value in one.values() for ref in listed(value) if is_ref(ref)}
    assert dangling - graph.keys() == {"https://w3id.org/ro/crate/1.1"}
    root = graph["./"]
    assert {"name", "description", "license", "datePublished", "hasPart", "conformsTo", "author"} <= root.keys()
    assert root["conformsTo"] == {"@id": "https://w3id.org/ro/wfrun/process/0.5"}
    assert root["license"] == {"@id": "https://spdx.org/licenses/MIT"}
    assert graph[root["author"]["@id"]]["name"] == "Ana Maier"
    parts = {part["@id"] for part in root["hasPart"]}
    assert {unquote(part) for part in parts} <= names
    actions = [graph[one["@id"]] for one in root["mentions"]]
    assert [one["@id"].partition("-")[0] for one in actions] == ["#run", "#diag"]
    for action in actions:
        instrument = graph[action["instrument"]["@id"]]
        assert instrument["@type"] == "SoftwareSourceCode"
        assert instrument["hasPart"] == {"@id": "code/p/exp.py"}
        assert action["actionStatus"] == "http://schema.org/CompletedActionStatus"
        assert action["agent"] == root["author"]
    made = [graph[one["@id"]] for one in listed(actions[1]["result"])]
    assert {"figure.txt", "total", "worst"} == {one["name"] for one in made}
    read = {one["name"] for ref in actions[0]["object"] for one in [graph[ref["@id"]]]}
    assert {"raw: data/raw.csv", "factor", "api_key"} <= read


def test_a_diag_that_failed_is_no_action(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was never published has neither metrics nor figures to give."""
    monkeypatch.setenv("FAILS", "yes")
    Path("exp.py").write_text(TASK.format(decorators="", body="1", more="", imports=DIAG, end="diag(main())"))
    assert subprocess.run([sys.executable, "exp.py"], check=False, capture_output=True).returncode == 1
    assert Path("results/run/.naga/metrics.json").exists()
    with export("results/run", to=tmp_path / "x.zip") as archive:
        crate = json.loads(archive.read("ro-crate-metadata.json"))
        assert not [name for name in archive.namelist() if name.endswith("metrics.json")]
    assert [one["@id"][:5] for one in crate["@graph"] if one["@type"] == "CreateAction"] == ["#run-"]


def listed(value: Any) -> list[Any]:
    """Give a value as a list."""
    return value if isinstance(value, list) else [value]


def is_ref(value: Any) -> bool:
    """Tell a reference to an entity."""
    return isinstance(value, dict) and value.keys() == {"@id"}
