"""The states that a scientist's repository can be in, each made anew.

A state starts from a committed project of three files and changes it. It may say what a snapshot has to name: a text
that must appear among the reasons, ``skipped`` and ``warnings``.
"""

import os
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
