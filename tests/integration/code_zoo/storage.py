"""States of a repository: how the repository is kept."""

import shutil

from integration.code_zoo.zoo import Zoo, state


@state("`index.lock` present")
def index_lock_present(zoo: Zoo) -> None:
    zoo.write("train.py")
    (zoo.top / ".git/index.lock").touch()


@state("split index")
def split_index(zoo: Zoo) -> None:
    zoo.git("config", "core.splitIndex", "true")
    zoo.git("update-index", "--split-index")
    zoo.write("train.py")
    zoo.git("add", "train.py")
    zoo.write("notes.txt")


@state("untracked cache")
def untracked_cache(zoo: Zoo) -> None:
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
def sparse_checkout(zoo: Zoo) -> None:
    _sparse(zoo)


@state("sparse checkout, files outside of it")
def sparse_checkout_files_outside_of_it(zoo: Zoo) -> None:
    _sparse(zoo)
    zoo.write("other/far.py", "changed = 1\n")
    zoo.write("other/new.py")


@state("sparse index")
def sparse_index(zoo: Zoo) -> None:
    _sparse(zoo, "--cone", "--sparse-index")


@state("shallow clone")
def shallow_clone(zoo: Zoo) -> None:
    zoo.write("train.py", "second = 1\n")
    zoo.commit()
    zoo.git("clone", "-q", "--depth", "1", f"file://{zoo.top}", "../shallow")
    zoo.move_to(zoo.root / "shallow")
    zoo.write("train.py")


@state("partial clone")
def partial_clone(zoo: Zoo) -> None:
    zoo.git("config", "uploadpack.allowFilter", "true")
    zoo.git("clone", "-q", "--filter=blob:none", f"file://{zoo.top}", "../partial")
    zoo.move_to(zoo.root / "partial")
    zoo.write("train.py")


@state("alternates")
def alternates(zoo: Zoo) -> None:
    zoo.git("clone", "-q", "--shared", ".", "../shared")
    zoo.move_to(zoo.root / "shared")
    zoo.write("train.py")


@state("SHA-256 repository")
def sha_256_repository(zoo: Zoo) -> None:
    shutil.rmtree(zoo.top / ".git")
    zoo.git("init", "-q", "--object-format=sha256")
    zoo.commit()
    zoo.write("train.py")
    zoo.write("new/file.py")
    (zoo.top / "notes.txt").unlink()
