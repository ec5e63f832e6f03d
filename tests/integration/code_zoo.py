"""The states that a scientist's repository can be in, each made anew.

A state starts from a committed project of three files and changes it. It may say what a snapshot has to name: a text
that must appear among the reasons, ``skipped`` and ``warnings``.
"""

import os
import shlex
import shutil
import socket
import stat
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from workbench import git

NOBODY = 65534


@dataclass
class Zoo:
    """One repository in the making; ``top`` may be moved, ``names`` is what a snapshot has to say."""

    root: Path
    top: Path
    patch: pytest.MonkeyPatch
    script: Path
    names: list[str] = field(default_factory=list)
    owner: int | None = None
    log_branch: bool = True
    repositories: int = 1

    def git(self, *words: str, cwd: Path | None = None) -> str:
        """Run git as the user."""
        return git(*words, cwd=cwd or self.top)

    def write(self, path: str, text: str = "edited = True\n") -> Path:
        """Write a file of the project."""
        where = self.top / path
        where.parent.mkdir(parents=True, exist_ok=True)
        where.write_text(text)
        return where

    def commit(self, *words: str) -> None:
        """Commit all that there is."""
        self.git("add", "--all")
        self.git("commit", "-qm", "A step", *words)

    def move_to(self, top: Path) -> None:
        """Look at another worktree from now on."""
        self.script = top / self.script.relative_to(self.top)
        self.top = top

    def repository(self, path: str, *, commit: bool = True) -> Path:
        """Make another repository, inside the project or beside it."""
        top = self.top / path
        top.mkdir(parents=True)
        self.git("init", "-q", cwd=top)
        (top / "inner.py").write_text("inner = 1\n")
        if commit:
            self.git("add", "--all", cwd=top)
            self.git("commit", "-qm", "Inner", cwd=top)
        return top

    def program(self, name: str, text: str) -> Path:
        """Write a program for git to run."""
        path = self.root / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        return path


def begin(root: Path, patch: pytest.MonkeyPatch) -> Zoo:
    """Make the project that every state starts from."""
    root.mkdir(parents=True, exist_ok=True)
    top = root / "project"
    for path, text in {
        "train.py": "import pkg.model\n",
        "pkg/model.py": "layers = 3\n",
        "notes.txt": "one\ntwo\n",
        ".gitignore": "*.tmp\n",
    }.items():
        (top / path).parent.mkdir(parents=True, exist_ok=True)
        (top / path).write_text(text)
    git("init", "-q", cwd=top)
    git("add", "--all", cwd=top)
    git("commit", "-qm", "Begin", cwd=top)
    patch.chdir(root)
    return Zoo(root, top, patch, top / "train.py")


@contextmanager
def as_owner(zoo: Zoo) -> Iterator[None]:
    """Act as somebody whom permissions bind, where the tests run as root."""
    if zoo.owner is None or os.geteuid() != 0:
        yield
        return
    os.seteuid(zoo.owner)
    try:
        yield
    finally:
        os.seteuid(0)


STATES: dict[str, Callable[[Zoo], None]] = {}


def state(name: str) -> Callable[[Callable[[Zoo], None]], Callable[[Zoo], None]]:
    """Enter a state."""

    def enter(build: Callable[[Zoo], None]) -> Callable[[Zoo], None]:
        STATES[name] = build
        return build

    return enter


# What is edited


@state("clean")
def _(zoo: Zoo) -> None:
    pass


@state("modified")
def _(zoo: Zoo) -> None:
    zoo.write("train.py")


@state("modified within the second, same size, after `git add`")
def _(zoo: Zoo) -> None:
    zoo.write("train.py", "a = 1\n")
    zoo.git("add", "train.py")
    zoo.write("train.py", "a = 2\n")


@state("same size and time, `core.trustctime=false`")
def _(zoo: Zoo) -> None:
    zoo.git("config", "core.trustctime", "false")
    os.utime(zoo.top / "notes.txt", (1e9, 1e9))  # else git looks closer, as the index is no older
    zoo.git("update-index", "--refresh")
    time.sleep(1.1)  # git counts in seconds
    old = (zoo.top / "notes.txt").stat()
    zoo.write("notes.txt", "ONE\nTWO\n")
    os.utime(zoo.top / "notes.txt", ns=(old.st_atime_ns, old.st_mtime_ns))


@state("staged")
def _(zoo: Zoo) -> None:
    zoo.write("train.py")
    zoo.git("add", "train.py")


@state("staged and modified again")
def _(zoo: Zoo) -> None:
    zoo.write("train.py", "staged = 1\n")
    zoo.git("add", "train.py")
    zoo.write("train.py", "edited_again = 22\n")


@state("staged, then put back")
def _(zoo: Zoo) -> None:
    text = (zoo.top / "train.py").read_text()
    zoo.write("train.py")
    zoo.git("add", "train.py")
    zoo.write("train.py", text)


@state("untracked files and folders")
def _(zoo: Zoo) -> None:
    zoo.write("new.py")
    zoo.write("deep/er/still/new.py")
    (zoo.top / "empty").mkdir()


@state("deleted")
def _(zoo: Zoo) -> None:
    (zoo.top / "pkg/model.py").unlink()


@state("deleted from the index alone")
def _(zoo: Zoo) -> None:
    zoo.git("rm", "-q", "--cached", "notes.txt")


@state("renamed")
def _(zoo: Zoo) -> None:
    zoo.git("mv", "pkg/model.py", "pkg/net.py")
    zoo.write("pkg/net.py", "layers = 4\n")


@state("made executable")
def _(zoo: Zoo) -> None:
    (zoo.top / "train.py").chmod(0o755)


@state("intent to add")
def _(zoo: Zoo) -> None:
    zoo.write("new.py")
    zoo.git("add", "--intent-to-add", "new.py")


@state("assume-unchanged, edited")
def _(zoo: Zoo) -> None:
    zoo.git("update-index", "--assume-unchanged", "train.py", "pkg/model.py")
    zoo.write("train.py")
    (zoo.top / "pkg/model.py").unlink()


@state("skip-worktree, edited")
def _(zoo: Zoo) -> None:
    zoo.git("update-index", "--skip-worktree", "train.py")
    zoo.write("train.py")


@state("file in place of a folder, and the other way round")
def _(zoo: Zoo) -> None:
    shutil.rmtree(zoo.top / "pkg")
    zoo.write("pkg", "a file\n")
    (zoo.top / "notes.txt").unlink()
    zoo.write("notes.txt/page.txt")


@state("folder replaced by a link")
def _(zoo: Zoo) -> None:
    (zoo.top / "pkg").rename(zoo.top / "old")
    (zoo.top / "pkg").symlink_to("old")


# Where HEAD is


@state("no commit yet")
def _(zoo: Zoo) -> None:
    shutil.rmtree(zoo.top / ".git")
    zoo.git("init", "-q")
    zoo.git("add", "train.py")


@state("unborn branch over a history")
def _(zoo: Zoo) -> None:
    zoo.git("checkout", "-q", "--orphan", "fresh")


@state("detached HEAD")
def _(zoo: Zoo) -> None:
    zoo.git("checkout", "-q", "--detach")
    zoo.write("train.py")


@state("linked worktree")
def _(zoo: Zoo) -> None:
    zoo.git("worktree", "add", "-q", "../linked")
    zoo.move_to(zoo.root / "linked")
    zoo.write("train.py")


@state("linked worktree of a bare repository")
def _(zoo: Zoo) -> None:
    zoo.git("clone", "-q", "--bare", ".", "../bare.git")
    zoo.git("worktree", "add", "-q", "../linked", cwd=zoo.root / "bare.git")
    zoo.move_to(zoo.root / "linked")
    zoo.write("train.py")


@state("another worktree inside")
def _(zoo: Zoo) -> None:
    zoo.git("worktree", "add", "-q", "trees/other")
    zoo.names += ["another worktree of this repository"]


@state("script in a sub-folder")
def _(zoo: Zoo) -> None:
    zoo.write("train.py")
    zoo.write("new.py")
    zoo.script = zoo.write("experiments/deep/run.py")
    zoo.patch.chdir(zoo.top / "experiments")


@state("folder with a newline in its name")
def _(zoo: Zoo) -> None:
    odd = zoo.root / "pro\nject"
    zoo.top.rename(odd)
    zoo.move_to(odd)
    zoo.write("train.py")


def _diverge(zoo: Zoo) -> None:
    zoo.git("checkout", "-qb", "side")
    zoo.write("notes.txt", "side\n")
    zoo.commit()
    zoo.git("checkout", "-q", "main")
    zoo.write("notes.txt", "main\n")
    zoo.commit()


@state("merge in progress, conflict markers kept")
def _(zoo: Zoo) -> None:
    _diverge(zoo)
    with pytest.raises(Exception, match="merge"):
        zoo.git("merge", "side")
    assert "<<<<<<<" in (zoo.top / "notes.txt").read_text()


@state("rebase in progress")
def _(zoo: Zoo) -> None:
    _diverge(zoo)
    with pytest.raises(Exception, match="rebase"):
        zoo.git("rebase", "side")


@state("cherry-pick in progress, one side deleted")
def _(zoo: Zoo) -> None:
    _diverge(zoo)
    (zoo.top / "notes.txt").unlink()
    zoo.commit()
    with pytest.raises(Exception, match="cherry-pick"):
        zoo.git("cherry-pick", "side")


# How the repository is kept


@state("`index.lock` present")
def _(zoo: Zoo) -> None:
    zoo.write("train.py")
    (zoo.top / ".git/index.lock").touch()


@state("split index")
def _(zoo: Zoo) -> None:
    zoo.git("config", "core.splitIndex", "true")
    zoo.git("update-index", "--split-index")
    zoo.write("train.py")
    zoo.git("add", "train.py")
    zoo.write("notes.txt")


@state("untracked cache")
def _(zoo: Zoo) -> None:
    zoo.git("update-index", "--untracked-cache")
    zoo.git("status")
    zoo.write("pkg/new.py")


def _sparse(zoo: Zoo, *words: str) -> None:
    zoo.write("other/far.py")
    zoo.commit()
    zoo.git("sparse-checkout", "set", *words, "pkg")
    assert not (zoo.top / "other").exists()
    zoo.write("pkg/model.py")


@state("sparse checkout")
def _(zoo: Zoo) -> None:
    _sparse(zoo)


@state("sparse checkout, files outside of it")
def _(zoo: Zoo) -> None:
    _sparse(zoo)
    zoo.write("other/far.py", "changed = 1\n")
    zoo.write("other/new.py")


@state("sparse index")
def _(zoo: Zoo) -> None:
    _sparse(zoo, "--cone", "--sparse-index")


@state("shallow clone")
def _(zoo: Zoo) -> None:
    zoo.write("train.py", "second = 1\n")
    zoo.commit()
    zoo.git("clone", "-q", "--depth", "1", f"file://{zoo.top}", "../shallow")
    zoo.move_to(zoo.root / "shallow")
    zoo.write("train.py")


@state("partial clone")
def _(zoo: Zoo) -> None:
    zoo.git("config", "uploadpack.allowFilter", "true")
    zoo.git("clone", "-q", "--filter=blob:none", f"file://{zoo.top}", "../partial")
    zoo.move_to(zoo.root / "partial")
    zoo.write("train.py")


@state("alternates")
def _(zoo: Zoo) -> None:
    zoo.git("clone", "-q", "--shared", ".", "../shared")
    zoo.move_to(zoo.root / "shared")
    zoo.write("train.py")


@state("SHA-256 repository")
def _(zoo: Zoo) -> None:
    shutil.rmtree(zoo.top / ".git")
    zoo.git("init", "-q", "--object-format=sha256")
    zoo.commit()
    zoo.write("train.py")
    zoo.write("new/file.py")
    (zoo.top / "notes.txt").unlink()


# Repositories in repositories


def _submodule(zoo: Zoo) -> Path:
    zoo.repository("../library")
    zoo.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", "../library", "lib")
    zoo.commit()
    return zoo.top / "lib"


@state("submodule, clean")
def _(zoo: Zoo) -> None:
    _submodule(zoo)


@state("submodule, edited")
def _(zoo: Zoo) -> None:
    (_submodule(zoo) / "inner.py").write_text("inner = 2\n")
    zoo.repositories = 2


@state("submodule, untracked files, `ignore = all`")
def _(zoo: Zoo) -> None:
    library = _submodule(zoo)
    zoo.git("config", "submodule.lib.ignore", "all")
    (library / "new.py").write_text("new = 1\n")
    zoo.repositories = 2


@state("submodule at another commit")
def _(zoo: Zoo) -> None:
    library = _submodule(zoo)
    (library / "inner.py").write_text("inner = 3\n")
    git("commit", "-qam", "Ahead", cwd=library)
    zoo.repositories = 2


@state("nested repository")
def _(zoo: Zoo) -> None:
    zoo.repository("vendor/tool")
    zoo.repositories = 2


@state("nested repository without commits")
def _(zoo: Zoo) -> None:
    zoo.repository("vendor/tool", commit=False)
    zoo.repositories = 2


@state("nested repository in a nested repository")
def _(zoo: Zoo) -> None:
    zoo.repository("vendor/tool")
    zoo.repository("vendor/tool/deeper", commit=False)
    zoo.repositories = 3


@state("nested repository whose git folder is gone")
def _(zoo: Zoo) -> None:
    zoo.write("vendor/.git", "gitdir: /nowhere\n")
    zoo.write("vendor/tool.py")


# Files that are not plain files


def _bound_by_permissions(zoo: Zoo) -> None:
    zoo.owner = NOBODY
    zoo.patch.setenv("HOME", str(zoo.root))
    if os.geteuid() == 0:
        for folder, _, files in os.walk(zoo.root):
            for path in (folder, *(f"{folder}/{file}" for file in files)):
                os.chown(path, NOBODY, NOBODY, follow_symlinks=False)


@state("unreadable file")
def _(zoo: Zoo) -> None:
    zoo.write("train.py")
    zoo.write("new.py")
    zoo.write("locked.py").chmod(0)
    zoo.names += ["locked.py", "Permission denied"]
    _bound_by_permissions(zoo)


@state("unreadable folder")
def _(zoo: Zoo) -> None:
    zoo.write("train.py")
    zoo.write("locked/new.py")
    zoo.names += ["locked/", "cannot be read: Permission denied"]
    _bound_by_permissions(zoo)
    (zoo.top / "locked").chmod(0)


@state("links: dangling, absolute, to folders")
def _(zoo: Zoo) -> None:
    (zoo.top / "dangling").symlink_to("nowhere")
    (zoo.top / "absolute").symlink_to("/etc/hostname")
    (zoo.top / "folder").symlink_to("pkg")
    (zoo.top / "loop").symlink_to("loop")


@state("fifo and socket (nothing to capture)")
def _(zoo: Zoo) -> None:
    zoo.write("train.py")
    os.mkfifo(zoo.top / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        zoo.patch.chdir(zoo.top)
        server.bind("socket")


@state("file replaced by a fifo")
def _(zoo: Zoo) -> None:
    zoo.write("train.py")
    (zoo.top / "notes.txt").unlink()
    os.mkfifo(zoo.top / "notes.txt")
    zoo.names += ["notes.txt"]


@state("names that are not UTF-8, with newline, quote, leading dash, very long")
def _(zoo: Zoo) -> None:
    odd = [
        b"caf\xe9.py",
        b"new\nline.py",
        b"quo\"te's.py",
        b"-dash.py",
        b"--help",
        b"tab\t.py",
        b"star*.py",
        b":(top)x.py",
    ]
    for name in [*odd, b" lead.py", b"back\\slash.py", b"n" * 255]:
        Path(os.fsdecode(os.fsencode(zoo.top) + b"/" + name)).write_text("x\n")
        folder = Path(os.fsdecode(os.fsencode(zoo.top) + b"/d-" + name[:200]))
        folder.mkdir()
        (folder / "file.py").write_text("y\n")


@state("very deep path")
def _(zoo: Zoo) -> None:
    zoo.write("/".join(["d" * 100] * 20) + "/deep.py")


# What git is told to do with files


@state("CRLF, `core.autocrlf=true`")
def _(zoo: Zoo) -> None:
    zoo.git("config", "core.autocrlf", "true")
    (zoo.top / "train.py").write_bytes(b"a = 1\r\nb = 2\r\n")
    (zoo.top / "new.py").write_bytes(b"c = 3\r\n")


@state("CRLF, committed as such, `core.autocrlf=true`")
def _(zoo: Zoo) -> None:
    (zoo.top / "train.py").write_bytes(b"a = 1\r\nb = 2\r\n")
    zoo.commit()
    zoo.git("config", "core.autocrlf", "true")
    (zoo.top / "train.py").write_bytes(b"a = 1\r\nb = 3\r\n")


@state("mixed line ends, `core.safecrlf=true`")
def _(zoo: Zoo) -> None:
    zoo.git("config", "core.autocrlf", "input")
    zoo.git("config", "core.safecrlf", "true")
    (zoo.top / "train.py").write_bytes(b"a = 1\r\nb = 2\n")


@state("`core.fileMode=false`")
def _(zoo: Zoo) -> None:
    (zoo.top / "train.py").chmod(0o755)
    zoo.commit()
    zoo.git("config", "core.fileMode", "false")
    zoo.write("train.py").chmod(0o644)


@state("clean and smudge filters")
def _(zoo: Zoo) -> None:
    zoo.git("config", "filter.upper.clean", "tr a-z A-Z")
    zoo.git("config", "filter.upper.smudge", "tr A-Z a-z")
    zoo.write(".gitattributes", "*.txt filter=upper\n")
    zoo.write("notes.txt", "shouted\n")


@state("required filter, not installed (LFS)")
def _(zoo: Zoo) -> None:
    zoo.write(".gitattributes", "*.bin filter=lfs diff=lfs merge=lfs -text\n")
    zoo.write("model.bin", "version https://git-lfs.github.com/spec/v1\n")
    zoo.commit()
    for key, value in {"clean": "git-lfs-gone clean -- %f", "process": "git-lfs-gone", "required": "true"}.items():
        zoo.git("config", f"filter.lfs.{key}", value)
    zoo.write("model.bin", "version https://git-lfs.github.com/spec/v2\n")
    zoo.write("new.bin")
    zoo.write("train.py")
    zoo.names += ["model.bin", "new.bin", "clean filter 'lfs' failed"]


@state("`export-ignore` and `export-subst`")
def _(zoo: Zoo) -> None:
    zoo.write(".gitattributes", "*.txt export-ignore\n*.py export-subst\n")
    zoo.write("notes.txt", "$Format:%H$\n")


@state("ignored files")
def _(zoo: Zoo) -> None:
    zoo.write("scratch.tmp")
    zoo.write(".git/info/exclude", "private/\n")
    zoo.write("private/plan.py")
    zoo.names += ["scratch.tmp", "private/", "ignored by git"]


# What git runs


def _trap(zoo: Zoo) -> Path:
    """Write a program that leaves a file behind, and refuses."""
    return zoo.program("trap", f"touch {shlex.quote(str(zoo.root / 'trapped'))}; exit 1")


@state("hooks that veto and write")
def _(zoo: Zoo) -> None:
    trap = _trap(zoo)
    for name in (
        "pre-commit",
        "post-commit",
        "post-index-change",
        "reference-transaction",
        "commit-msg",
        "pre-auto-gc",
    ):
        shutil.copy(trap, zoo.top / ".git/hooks" / name)
    zoo.write("train.py")


@state("`core.hooksPath`")
def _(zoo: Zoo) -> None:
    (zoo.root / "hooks").mkdir()
    shutil.copy(_trap(zoo), zoo.root / "hooks/reference-transaction")
    zoo.git("config", "core.hooksPath", str(zoo.root / "hooks"))
    zoo.write("train.py")


@state("`core.fsmonitor`")
def _(zoo: Zoo) -> None:
    zoo.git("config", "core.fsmonitor", str(_trap(zoo)))
    zoo.write("train.py")


@state("`commit.gpgsign` and `log.showSignature`")
def _(zoo: Zoo) -> None:
    for key, value in {"commit.gpgsign": "true", "log.showSignature": "true", "gpg.program": str(_trap(zoo))}.items():
        zoo.git("config", key, value)
    zoo.write("train.py")


@state("external diff, text conversion, pager and editor")
def _(zoo: Zoo) -> None:
    trap = str(_trap(zoo))
    for key in ("diff.external", "diff.odd.textconv", "core.pager", "core.editor", "pager.status"):
        zoo.git("config", key, trap)
    zoo.write(".gitattributes", "*.py diff=odd\n")
    zoo.patch.setenv("GIT_EXTERNAL_DIFF", trap)
    zoo.write("train.py")


@state("output settings that scripts trip over")
def _(zoo: Zoo) -> None:
    for key, value in {
        "status.showUntrackedFiles": "no",
        "status.renames": "copies",
        "status.relativePaths": "true",
        "core.quotePath": "false",
        "color.ui": "always",
        "color.status": "always",
        "diff.noprefix": "true",
        "i18n.commitEncoding": "ISO-8859-1",
        "core.logAllRefUpdates": "always",
    }.items():
        zoo.git("config", key, value)
    zoo.patch.setenv("LANG", "de_DE.UTF-8")
    zoo.write("new.py")
    zoo.git("mv", "notes.txt", "moved.txt")


@state("no identity")
def _(zoo: Zoo) -> None:
    zoo.git("config", "user.useConfigOnly", "true")
    zoo.patch.setenv("HOME", str(zoo.root))
    zoo.patch.setenv("EMAIL", "")
    zoo.write("train.py")


@state("inside a hook: `GIT_DIR` and `GIT_INDEX_FILE` of another repository")
def _(zoo: Zoo) -> None:
    other = zoo.repository("../other")
    zoo.patch.setenv("GIT_DIR", str(other / ".git"))
    zoo.patch.setenv("GIT_WORK_TREE", str(other))
    zoo.patch.setenv("GIT_INDEX_FILE", str(other / ".git/index"))
    zoo.patch.setenv("GIT_CONFIG_PARAMETERS", "'core.bare'='true'")
    zoo.patch.setenv("GIT_LITERAL_PATHSPECS", "1")
    zoo.write("train.py")


# What cannot be written, or is not there


def _read_only(zoo: Zoo) -> None:
    _bound_by_permissions(zoo)
    for folder, _, files in os.walk(zoo.top / ".git"):
        for path in (Path(folder), *(Path(folder, file) for file in files)):
            path.chmod(stat.S_IMODE(path.stat().st_mode) & ~0o222)


@state("read-only `.git`, clean")
def _(zoo: Zoo) -> None:
    zoo.log_branch = False
    zoo.names += ["no ref keeps commit"]
    _read_only(zoo)


@state("read-only `.git`, modified")
def _(zoo: Zoo) -> None:
    zoo.write("train.py")
    zoo.log_branch = False
    zoo.names += ["the repository cannot be written"]
    _read_only(zoo)


@state("owned by another user")
def _(zoo: Zoo) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a folder away")
    for path in (zoo.top, zoo.top / ".git"):
        os.chown(path, NOBODY, NOBODY)
    zoo.names += ["dubious ownership"]
    zoo.log_branch = False


@state("broken repository")
def _(zoo: Zoo) -> None:
    (zoo.top / ".git/HEAD").write_text("rubbish\n")
    zoo.names += ["not a git repository"]
    zoo.log_branch = False


@state("broken index")
def _(zoo: Zoo) -> None:
    (zoo.top / ".git/index").write_text("rubbish\n" * 9)
    zoo.names += ["index file corrupt"]
    zoo.log_branch = False


@state("not a repository")
def _(zoo: Zoo) -> None:
    shutil.rmtree(zoo.top / ".git")
    zoo.names += ["not a git repository"]
    zoo.log_branch = False


@state("git not installed")
def _(zoo: Zoo) -> None:
    zoo.write("train.py")
    zoo.patch.setenv("PATH", os.path.dirname(sys.executable))  # noqa: PTH120
    zoo.names += ["git is not installed"]
    zoo.log_branch = False


@state("git too old")
def _(zoo: Zoo) -> None:
    zoo.write("train.py")
    zoo.program("git", "echo git version 2.24.4")
    zoo.patch.setenv("PATH", str(zoo.root))
    zoo.names += ["git version 2.24.4 is too old: Naga needs git 2.25 or newer"]
    zoo.log_branch = False


# The log branch


@state("log branch checked out")
def _(zoo: Zoo) -> None:
    zoo.git("checkout", "-qb", "run_logs")
    zoo.write("train.py")
    zoo.names += ["it is checked out in"]
    zoo.log_branch = False


@state("log branch checked out in another worktree")
def _(zoo: Zoo) -> None:
    zoo.git("worktree", "add", "-qb", "run_logs", "../linked")
    zoo.names += ["it is checked out in"]
    zoo.log_branch = False


@state("log branch checked out before its first commit")
def _(zoo: Zoo) -> None:
    zoo.git("checkout", "-q", "--orphan", "run_logs")
    zoo.names += ["it is checked out, before its first commit"]
    zoo.log_branch = False


@state("log branch blocked by `run_logs/x`")
def _(zoo: Zoo) -> None:
    zoo.git("branch", "run_logs/x")
    zoo.write("train.py")
    zoo.names += ["'run_logs/x' exists"]
    zoo.log_branch = False


@state("log branch that stands for another")
def _(zoo: Zoo) -> None:
    zoo.git("symbolic-ref", "refs/heads/run_logs", "refs/heads/main")
    zoo.write("train.py")
    zoo.names += ["it stands for refs/heads/main"]
    zoo.log_branch = False


@state("stale lock on the log branch")
def _(zoo: Zoo) -> None:
    lock = zoo.write(".git/refs/heads/run_logs.lock", "")
    os.utime(lock, (lock.stat().st_mtime - 60,) * 2)
    zoo.write("train.py")
    zoo.names += ["a killed process left a lock"]
    zoo.log_branch = False
