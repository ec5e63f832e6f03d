"""States of a repository: repositories in repositories."""

from pathlib import Path

from integration.code_zoo.zoo import Zoo, state
from workbench import git


def _submodule(zoo: Zoo) -> Path:
    zoo.repository("../library")
    zoo.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", "../library", "lib")
    zoo.commit()
    return zoo.top / "lib"


@state("submodule, clean")
def submodule_clean(zoo: Zoo) -> None:
    _submodule(zoo)


@state("submodule, edited")
def submodule_edited(zoo: Zoo) -> None:
    (_submodule(zoo) / "inner.py").write_text("inner = 2\n")
    zoo.repositories = 2


@state("submodule, untracked files, `ignore = all`")
def submodule_untracked_files_ignore_all(zoo: Zoo) -> None:
    library = _submodule(zoo)
    zoo.git("config", "submodule.lib.ignore", "all")
    (library / "new.py").write_text("new = 1\n")
    zoo.repositories = 2


@state("submodule at another commit")
def submodule_at_another_commit(zoo: Zoo) -> None:
    library = _submodule(zoo)
    (library / "inner.py").write_text("inner = 3\n")
    git("commit", "-qam", "Ahead", cwd=library)
    zoo.repositories = 2


@state("nested repository")
def nested_repository(zoo: Zoo) -> None:
    zoo.repository("vendor/tool")
    zoo.repositories = 2


@state("nested repository without commits")
def nested_repository_without_commits(zoo: Zoo) -> None:
    zoo.repository("vendor/tool", commit=False)
    zoo.repositories = 2


@state("nested repository in a nested repository")
def nested_repository_in_a_nested_repository(zoo: Zoo) -> None:
    zoo.repository("vendor/tool")
    zoo.repository("vendor/tool/deeper", commit=False)
    zoo.repositories = 3


@state("nested repository whose git folder is gone")
def nested_repository_whose_git_folder_is_gone(zoo: Zoo) -> None:
    zoo.write("vendor/.git", "gitdir: /nowhere\n")
    zoo.write("vendor/tool.py")
