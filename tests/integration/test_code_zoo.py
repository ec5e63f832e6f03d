"""A snapshot of every state of a repository: complete or the omission named, and nothing of the user's touched."""

import hashlib
import os
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from integration.code_zoo import STATES, Zoo, as_owner, begin
from workbench import check_table

from naga.capture.code.snapshot import CodeCapture, SnapshotLabel, capture_code
from naga.declarations import Snapshot
from naga.errors import SnapshotError
from naga.record.schema import Code

OURS = ("refs/naga", "refs/heads/run_logs", "logs/refs/heads/run_logs", "logs/refs/naga")


@pytest.fixture(scope="session", autouse=True)
def _loaded(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Let all that a snapshot imports be loaded while it may be read: some states give rights away."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NAGA_SNAPSHOT", "on")
        made = begin(tmp_path_factory.mktemp("loaded"), patch)
        made.write("train.py")
        assert _snapshot(made).entries[0].dirty


@pytest.fixture
def zoo(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Zoo]:
    """Build one state, in a folder that others than its owner can reach."""
    with tempfile.TemporaryDirectory(prefix="naga-zoo-") as folder:
        Path(folder).chmod(0o755)
        made = begin(Path(folder) / "zoo", monkeypatch)
        STATES[request.param](made)
        yield made
        monkeypatch.undo()


def _snapshot(zoo: Zoo, *, strict: bool = False) -> CodeCapture:
    subject = SnapshotLabel(run_id="r1", task="train", save_dir="results/a", leave_out=(zoo.top / "results/a",))
    with as_owner(zoo):
        return capture_code(zoo.script, Snapshot(strict=strict), subject)


@pytest.mark.parametrize("zoo", STATES, indirect=True)
def test_a_snapshot_is_complete_or_says_what_is_missing(zoo: Zoo, request: pytest.FixtureRequest) -> None:
    """Every file is in the snapshot as it is, or named; index, HEAD, files and status stay as they were."""
    before = _portrait(zoo)
    capture = _snapshot(zoo)
    assert _portrait(zoo) == before
    assert not (zoo.root / "trapped").exists()
    said = _said(capture)
    assert all(name in said for name in zoo.names), said
    assert zoo.names or not said.strip()
    assert [*_unnamed_losses(capture)] == []
    assert len(capture.entries) == zoo.repositories
    assert capture.entries[0].reason or capture.entries[0].path == str(zoo.top)
    assert (capture.entries[0].log_branch is not None) == zoo.log_branch, said
    assert all(_is_sound(code) for code in capture.entries if code.commit)
    _write_row(request.node.callspec.params["zoo"], zoo, capture)


@pytest.mark.parametrize(
    "zoo",
    [
        "unreadable file",
        "required filter, not installed (LFS)",
        "not a repository",
        "git too old",
        "owned by another user",
    ],
    indirect=True,
)
def test_a_strict_snapshot_refuses_what_is_not_captured(zoo: Zoo) -> None:
    """With strict=True the same states are an error."""
    with pytest.raises(SnapshotError) as caught:
        _snapshot(zoo, strict=True)
    assert zoo.names[-1] in str(caught.value)


@pytest.mark.parametrize("zoo", ["clean", "modified", "ignored files", "another worktree inside"], indirect=True)
def test_a_strict_snapshot_takes_what_is_complete(zoo: Zoo) -> None:
    """What is left out on purpose is no error."""
    assert _snapshot(zoo, strict=True).entries[0].commit


# What the user has


def _portrait(zoo: Zoo) -> dict[str, object]:
    """Everything in the folder but objects and Naga's own refs, and what `git status` says of it."""
    files: dict[str, object] = {}
    for folder, folders, names in os.walk(zoo.root):
        in_git = (Path(folder) / "HEAD").exists() and (Path(folder) / "objects").exists()
        folders[:] = [name for name in folders if not (in_git and name == "objects")]
        for name in names:
            path = Path(folder, name)
            if not any(own in str(path) for own in OURS):
                files[str(path.relative_to(zoo.root))] = _looks(path)
    return {"files": files, "status": _status(zoo.top)}


def _looks(path: Path) -> tuple[object, ...]:
    found = path.lstat()
    content = b""
    if stat.S_ISLNK(found.st_mode):
        content = os.fsencode(path.readlink())
    elif stat.S_ISREG(found.st_mode):
        content = path.read_bytes()
    # Whoever reads a split index, `git status` too, sets the time of the shared half.
    time_ns = 0 if path.name.startswith("sharedindex.") else found.st_mtime_ns
    return found.st_mode, found.st_size, time_ns, found.st_uid, hashlib.sha256(content).hexdigest()


def _status(top: Path) -> bytes:
    return _asked(top, "status", "--porcelain=v2", "--branch", "-z", "--untracked-files=all", "--ignored")


def _asked(top: Path, *words: str, stdin: bytes = b"") -> bytes:
    """Ask git something, whatever state the test has put its variables in; nothing where it refuses."""
    kept = {"PATH": os.defpath, "HOME": os.environ["HOME"], "GIT_OPTIONAL_LOCKS": "0"}
    settings = ("-c", "core.fsmonitor=false", "-c", "core.safecrlf=false", "-c", "safe.directory=*")
    words = ("git", *settings, *words)
    return subprocess.run(words, check=False, cwd=top, input=stdin, capture_output=True, env=kept).stdout


# What the snapshot has


def _said(capture: CodeCapture) -> str:
    skipped = [f"{one.path} {one.reason}" for code in capture.entries for one in code.skipped]
    return "\n".join([*capture.warnings, *skipped, *(code.reason or "" for code in capture.entries)])


def _unnamed_losses(capture: CodeCapture) -> Iterator[str]:
    """Compare the snapshots with the files, by git's own hash of each file; independent of how they were made."""
    for code in capture.entries:
        if code.commit is None:
            assert code.reason
            continue
        top = Path(code.path)
        held, files = _held(code), {}
        for path in _files(top, {other.path for other in capture.entries} | _pinned(top, held)):
            files[path] = _forms(top, top / path, held.get(path, ""))
        sparse = {os.fsdecode(line[2:]) for line in _asked(top, "ls-files", "-tz").split(b"\0") if line[:2] == b"S "}
        linked = {path for path, entry in held.items() if entry.startswith("160000")}
        yield from (path for path in files if held.get(path) not in files[path] and not _is_named(path, code))
        yield from (
            f"{path} is gone" for path in held.keys() - files.keys() - sparse - linked if not _is_named(path, code)
        )


def _pinned(top: Path, held: dict[str, str]) -> set[str]:
    """Return the submodules that are as the snapshot says: their own commit holds them."""
    links = {str(top / path): entry.split()[1] for path, entry in held.items() if entry.startswith("160000")}
    clean = {path for path in links if not _asked(Path(path), "status", "--porcelain", "--untracked-files=all")}
    return {path for path in clean if _asked(Path(path), "rev-parse", "HEAD").decode().strip() == links[path]}


def _files(top: Path, others: set[str]) -> Iterator[str]:
    for folder, folders, names in os.walk(top):
        links = [name for name in folders if Path(folder, name).is_symlink()]
        folders[:] = [name for name in folders if name != ".git" and str(Path(folder, name)) not in others]
        for name in names + links:
            path = Path(folder, name)
            if name != ".git" and (path.is_symlink() or path.is_file()):
                yield str(path.relative_to(top))


def _forms(top: Path, path: Path, held: str) -> set[str]:
    """Return how git may store a file: through its filters, or as it is where it was committed so."""
    if path.is_symlink():
        return {f"120000 {_blob(top, os.fsencode(path.readlink()), '--no-filters')}"}
    mode = "100755" if path.stat().st_mode & 0o100 else "100644"
    if _asked(top, "config", "core.fileMode").strip() == b"false":
        mode = held.partition(" ")[0]
    relative = str(path.relative_to(top))
    return {f"{mode} {_blob(top, path.read_bytes(), *words)}" for words in (["--no-filters"], ["--path", relative])}


def _blob(top: Path, content: bytes, *words: str) -> str:
    return _asked(top, "hash-object", "--stdin", *words, stdin=content).decode().strip()


def _is_sound(code: Code) -> bool:
    words = ("git", "-c", "safe.directory=*", "fsck", "--strict", "--no-dangling")
    done = subprocess.run(words, check=False, cwd=code.path, capture_output=True, env={"PATH": os.defpath})
    return done.returncode == 0 and not done.stdout


def _held(code: Code) -> dict[str, str]:
    listed = _asked(Path(code.path), "ls-tree", "-r", "-z", str(code.commit))
    entries = (line.split(b"\t", 1) for line in listed.split(b"\0") if line)
    return {os.fsdecode(path): " ".join(about.decode().split(" ")[::2]) for about, path in entries}


def _is_named(path: str, code: Code) -> bool:
    return any(path == one.path or (one.path.endswith("/") and path.startswith(one.path)) for one in code.skipped)


# The page

HEAD = ["State of the repository", "Code", "User's state"]


def _write_row(name: str, zoo: Zoo, capture: CodeCapture) -> None:
    told = ["captured"] if all(code.commit for code in capture.entries) else []
    told += [f"named: {', '.join(zoo.names)}"] if zoo.names else []

    def edit(rows: dict[str, list[str]]) -> list[list[str]]:
        rows[name] = ["; ".join(told), "identical"]
        return [HEAD, *([state, *rows[state]] for state in STATES if state in rows)]

    check_table("zoo", edit)
