"""Writing the files of a commit into a folder, as git stores them: filters, hooks and attributes have no effect."""

import os
from pathlib import Path

from naga.capture.code.git import GitError, Repository

_LINK = b"120000"


def lay_out(repository: Repository, commit: str, folder: Path) -> None:
    """Write all files of a commit below a folder, following no links; submodules become empty folders."""
    listed = repository.run("ls-tree", "-r", "-z", "--full-tree", "--end-of-options", commit).stdout
    rows = [row.partition(b"\t") for row in listed.split(b"\0") if row]
    entries = [(*facts.split(), path) for facts, _, path in rows]
    _refuse_crafted(commit, {path: mode == _LINK for mode, _, _, path in entries})
    folder.mkdir(parents=True, exist_ok=True)
    # Links come last: no file is written while one of the tree's own is there.
    entries.sort(key=lambda entry: entry[0] == _LINK)
    with repository.talk("cat-file", "--batch") as git:
        for mode, kind, name, path in entries:
            target = folder / os.fsdecode(path)
            if kind != b"blob":
                real_folder(folder, target)
                continue
            real_folder(folder, target.parent)
            *_, size = git.line(name + b"\n").split()
            if not size.isdigit():
                raise GitError(f"commit {commit[:10]} lacks the content of {os.fsdecode(path)!r}")
            _write(target, mode, git.content(int(size)))


def _write(target: Path, mode: bytes, content: bytes) -> None:
    try:
        if mode == _LINK:
            target.symlink_to(os.fsdecode(content))
            return
        with target.open("xb") as file:  # replaces nothing, and follows no link
            file.write(content)
    except FileExistsError:
        raise GitError(f"'{target}' is there already") from None
    target.chmod(0o755 if mode == b"100755" else 0o644)


def real_folder(top: Path, folder: Path, *, replace: bool = False) -> None:
    """Make a folder below ``top``; links and files in the way are refused, or removed if ``replace``."""
    for place in reversed([folder, *folder.parents][: len(folder.relative_to(top).parts)]):
        if place.is_symlink() or place.is_file():
            if not replace:
                raise GitError(f"'{place}' is in the way, and nothing is written through a link")
            place.unlink()
        place.mkdir(exist_ok=True)


def _refuse_crafted(commit: str, files: dict[bytes, bool]) -> None:
    """Refuse a tree that git itself would not check out: one that leads out of its folder, or into a git folder."""
    links = {path.lower() for path, is_link in files.items() if is_link}
    for path in files:
        parts = path.split(b"/")
        if {b"", b".", b".."} & set(parts) or any(part.lower().rstrip(b". ") == b".git" for part in parts):
            raise GitError(f"commit {commit[:10]} names a file outside of its tree: {os.fsdecode(path)!r}")
        above = {b"/".join(parts[:end]) for end in range(1, len(parts))}
        # Where upper and lower case are one, a link Data and a file data/x are as dangerous.
        if not above.isdisjoint(files) or not links.isdisjoint(map(bytes.lower, above)):
            raise GitError(f"commit {commit[:10]} has a file or a link where {os.fsdecode(path)!r} needs a folder")
