"""States of a repository: where HEAD is."""

import shutil

import pytest
from integration.code_zoo.zoo import Zoo, state


@state("no commit yet")
def no_commit_yet(zoo: Zoo) -> None:
    shutil.rmtree(zoo.top / ".git")
    zoo.git("init", "-q")
    zoo.git("add", "train.py")


@state("unborn branch over a history")
def unborn_branch_over_a_history(zoo: Zoo) -> None:
    zoo.git("checkout", "-q", "--orphan", "fresh")


@state("detached HEAD")
def detached_head(zoo: Zoo) -> None:
    zoo.git("checkout", "-q", "--detach")
    zoo.write("train.py")


@state("linked worktree")
def linked_worktree(zoo: Zoo) -> None:
    zoo.git("worktree", "add", "-q", "../linked")
    zoo.move_to(zoo.root / "linked")
    zoo.write("train.py")


@state("linked worktree of a bare repository")
def linked_worktree_of_a_bare_repository(zoo: Zoo) -> None:
    zoo.git("clone", "-q", "--bare", ".", "../bare.git")
    zoo.git("worktree", "add", "-q", "../linked", cwd=zoo.root / "bare.git")
    zoo.move_to(zoo.root / "linked")
    zoo.write("train.py")


@state("another worktree inside")
def another_worktree_inside(zoo: Zoo) -> None:
    zoo.git("worktree", "add", "-q", "trees/other")
    zoo.names += ["another worktree of this repository"]


@state("script in a sub-folder")
def script_in_a_sub_folder(zoo: Zoo) -> None:
    zoo.write("train.py")
    zoo.write("new.py")
    zoo.script = zoo.write("experiments/deep/run.py")
    zoo.patch.chdir(zoo.top / "experiments")


@state("folder with a newline in its name")
def folder_with_a_newline_in_its_name(zoo: Zoo) -> None:
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


@state("merge in progress, conflict markers in the files")
def merge_in_progress_conflict_markers_kept(zoo: Zoo) -> None:
    _diverge(zoo)
    with pytest.raises(Exception, match="merge"):
        zoo.git("merge", "side")
    assert "<<<<<<<" in (zoo.top / "notes.txt").read_text()


@state("rebase in progress")
def rebase_in_progress(zoo: Zoo) -> None:
    _diverge(zoo)
    with pytest.raises(Exception, match="rebase"):
        zoo.git("rebase", "side")


@state("cherry-pick in progress, one side deleted")
def cherry_pick_in_progress_one_side_deleted(zoo: Zoo) -> None:
    _diverge(zoo)
    (zoo.top / "notes.txt").unlink()
    zoo.commit()
    with pytest.raises(Exception, match="cherry-pick"):
        zoo.git("cherry-pick", "side")
