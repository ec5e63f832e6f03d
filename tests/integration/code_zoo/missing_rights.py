"""States of a repository: what cannot be written, or is not there."""

import os
import shutil
import stat
import sys
from pathlib import Path

import pytest
from integration.code_zoo.odd_files import bound_by_permissions
from integration.code_zoo.zoo import NOBODY, Zoo, state


def _read_only(zoo: Zoo) -> None:
    bound_by_permissions(zoo)
    for folder, _, files in os.walk(zoo.top / ".git"):
        for path in (Path(folder), *(Path(folder, file) for file in files)):
            path.chmod(stat.S_IMODE(path.stat().st_mode) & ~0o222)


@state("read-only `.git`, clean")
def read_only_git_clean(zoo: Zoo) -> None:
    zoo.log_branch = False
    zoo.names += ["no ref keeps commit"]
    _read_only(zoo)


@state("read-only `.git`, modified")
def read_only_git_modified(zoo: Zoo) -> None:
    zoo.write("train.py")
    zoo.log_branch = False
    zoo.names += ["the repository cannot be written"]
    _read_only(zoo)


@state("owned by another user")
def owned_by_another_user(zoo: Zoo) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a folder away")
    for path in (zoo.top, zoo.top / ".git"):
        os.chown(path, NOBODY, NOBODY)
    zoo.names += ["dubious ownership"]
    zoo.log_branch = False


@state("broken repository")
def broken_repository(zoo: Zoo) -> None:
    (zoo.top / ".git/HEAD").write_text("rubbish\n")
    zoo.names += ["not a git repository"]
    zoo.log_branch = False


@state("broken index")
def broken_index(zoo: Zoo) -> None:
    (zoo.top / ".git/index").write_text("rubbish\n" * 9)
    zoo.names += ["index file corrupt"]
    zoo.log_branch = False


@state("not a repository")
def not_a_repository(zoo: Zoo) -> None:
    shutil.rmtree(zoo.top / ".git")
    zoo.names += ["not a git repository"]
    zoo.log_branch = False


@state("git not installed")
def git_not_installed(zoo: Zoo) -> None:
    zoo.write("train.py")
    zoo.patch.setenv("PATH", os.path.dirname(sys.executable))  # noqa: PTH120
    zoo.names += ["git is not installed"]
    zoo.log_branch = False


@state("git too old")
def git_too_old(zoo: Zoo) -> None:
    zoo.write("train.py")
    zoo.program("git", "echo git version 2.24.4")
    zoo.patch.setenv("PATH", str(zoo.root))
    zoo.names += ["git version 2.24.4 is too old: Naga needs git 2.25 or newer"]
    zoo.log_branch = False
