"""Writing the files of a commit into a folder, as they are kept: no filter, hook or attribute plays a part."""

import os
from pathlib import Path

from naga.capture.code.git import GitError, Repository


def lay_out(repository: Repository, commit: str, folder: Path) -> None:
    """Write all files of a commit below a folder; the repository and its worktree are only read.

    Submodules become empty folders.
    """
    listed = repository.run("ls-tree", "-r", "-z", "--full-tree", "--end-of-options", commit).stdout
    with repository.talk("cat-file", "--batch") as git:
        for entry in filter(None, listed.split(b"\0")):
            facts, _, path = entry.partition(b"\t")
            mode, kind, name = facts.split()
            if b".." in path.split(b"/") or path.startswith(b"/"):
                raise GitError(f"the commit {commit} names a file outside of its tree: {os.fsdecode(path)!r}")
            target = folder / os.fsdecode(path)
            target.parent.mkdir(parents=True, exist_ok=True)
            if kind != b"blob":
                target.mkdir()
                continue
            size = int(git.line(name + b"\n").split()[-1])
            _write(target, mode, git.content(size))


def _write(target: Path, mode: bytes, content: bytes) -> None:
    if mode == b"120000":
        target.symlink_to(os.fsdecode(content))
        return
    target.write_bytes(content)
    if mode == b"100755":
        target.chmod(0o755)
