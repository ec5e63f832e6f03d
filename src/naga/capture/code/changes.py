"""Which files differ between the snapshots of several runs, according to git."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from naga.capture.code.git import GitError, Repository
from naga.frozen import dataclass

_QUIET = ("diff-tree", "-r", "-z", "--no-renames", "--no-ext-diff", "--no-textconv")


@dataclass(frozen=True, slots=True)
class ChangedFile:
    """A file that differs between snapshots: its blob in each, None where it is missing; and ``+3 -1``."""

    blobs: tuple[str | None, ...]
    lines: str = ""


def changed_files(places: Iterable[Path], trees: Sequence[str | None]) -> dict[str, ChangedFile] | None:
    """Compare trees with the first one, in the first repository that holds them all; None where none does.

    Lines are counted between two trees only.
    """
    first, *others = map(str, trees)
    for place in dict.fromkeys((*places, Path.cwd())):
        try:
            repository = Repository.find(place)
            changes = [_changes(repository, first, other) for other in others]
            lines = _lines(repository, first, others[0]) if len(others) == 1 else {}
        except (GitError, OSError):
            continue
        paths = sorted({path for change in changes for path in change})
        return {path: ChangedFile(_blobs(path, changes), lines.get(path, "")) for path in paths}
    return None


def patch(places: Iterable[Path], trees: Sequence[str | None], *, paged: bool = False) -> str:
    """Return git's patch between two trees, or show it in a pager; '' where no repository holds both."""
    words = ("diff", "--no-ext-diff", "--no-textconv")
    for place in dict.fromkeys((*places, Path.cwd())):
        try:
            repository = Repository.find(place)
            written = repository.text(*words, "--no-color", "--end-of-options", *map(str, trees)) + "\n"
            if not paged:
                return written
            repository.show(*words, "--end-of-options", *map(str, trees))
        except (GitError, OSError):
            continue
        return ""
    return ""


def _changes(repository: Repository, first: str, other: str) -> dict[str, tuple[str | None, str | None]]:
    """Read pairs of ``:<mode> <mode> <blob> <blob> <letter>`` and a path."""
    words = _words(repository, "--raw", "--no-abbrev", "--end-of-options", first, other)
    found = {}
    for meta, path in zip(words[::2], words[1::2], strict=True):
        _, _, before, after, _ = meta.split()
        found[path] = (_there(before), _there(after))
    return found


def _lines(repository: Repository, first: str, other: str) -> dict[str, str]:
    rows = (word.split("\t", 2) for word in _words(repository, "--numstat", "--end-of-options", first, other))
    return {path: "binary" if added == "-" else f"+{added} -{removed}" for added, removed, path in rows}


def _words(repository: Repository, *arguments: str) -> list[str]:
    return os.fsdecode(repository.run(*_QUIET, *arguments).stdout).split("\0")[:-1]


def _there(blob: str) -> str | None:
    return blob if blob.strip("0") else None


def _blobs(path: str, changes: Sequence[dict[str, tuple[str | None, str | None]]]) -> tuple[str | None, ...]:
    before = next(change[path][0] for change in changes if path in change)
    return (before, *(change[path][1] if path in change else before for change in changes))
