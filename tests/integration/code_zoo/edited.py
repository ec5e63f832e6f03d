"""States of a repository: what is edited."""

import os
import shutil
import time

from integration.code_zoo.zoo import Zoo, state


@state("clean")
def clean(zoo: Zoo) -> None:
    pass


@state("modified")
def modified(zoo: Zoo) -> None:
    zoo.write("train.py")


@state("modified within the second, same size, after `git add`")
def modified_within_the_second_same_size_after_git_add(zoo: Zoo) -> None:
    zoo.write("train.py", "a = 1\n")
    zoo.git("add", "train.py")
    zoo.write("train.py", "a = 2\n")


@state("same size and time, `core.trustctime=false`")
def same_size_and_time_core_trustctime_false(zoo: Zoo) -> None:
    zoo.git("config", "core.trustctime", "false")
    os.utime(zoo.top / "notes.txt", (1e9, 1e9))  # else git looks closer, as the index is no older
    zoo.git("update-index", "--refresh")
    time.sleep(1.1)  # git counts in seconds
    old = (zoo.top / "notes.txt").stat()
    zoo.write("notes.txt", "ONE\nTWO\n")
    os.utime(zoo.top / "notes.txt", ns=(old.st_atime_ns, old.st_mtime_ns))


@state("staged")
def staged(zoo: Zoo) -> None:
    zoo.write("train.py")
    zoo.git("add", "train.py")


@state("staged and modified again")
def staged_and_modified_again(zoo: Zoo) -> None:
    zoo.write("train.py", "staged = 1\n")
    zoo.git("add", "train.py")
    zoo.write("train.py", "edited_again = 22\n")


@state("staged, then put back")
def staged_then_put_back(zoo: Zoo) -> None:
    text = (zoo.top / "train.py").read_text()
    zoo.write("train.py")
    zoo.git("add", "train.py")
    zoo.write("train.py", text)


@state("untracked files and folders")
def untracked_files_and_folders(zoo: Zoo) -> None:
    zoo.write("new.py")
    zoo.write("deep/er/still/new.py")
    (zoo.top / "empty").mkdir()


@state("deleted")
def deleted(zoo: Zoo) -> None:
    (zoo.top / "pkg/model.py").unlink()


@state("deleted from the index alone")
def deleted_from_the_index_alone(zoo: Zoo) -> None:
    zoo.git("rm", "-q", "--cached", "notes.txt")


@state("renamed")
def renamed(zoo: Zoo) -> None:
    zoo.git("mv", "pkg/model.py", "pkg/net.py")
    zoo.write("pkg/net.py", "layers = 4\n")


@state("made executable")
def made_executable(zoo: Zoo) -> None:
    (zoo.top / "train.py").chmod(0o755)


@state("intent to add")
def intent_to_add(zoo: Zoo) -> None:
    zoo.write("new.py")
    zoo.git("add", "--intent-to-add", "new.py")


@state("assume-unchanged, edited")
def assume_unchanged_edited(zoo: Zoo) -> None:
    zoo.git("update-index", "--assume-unchanged", "train.py", "pkg/model.py")
    zoo.write("train.py")
    (zoo.top / "pkg/model.py").unlink()


@state("skip-worktree, edited")
def skip_worktree_edited(zoo: Zoo) -> None:
    zoo.git("update-index", "--skip-worktree", "train.py")
    zoo.write("train.py")


@state("file in place of a folder, and the other way round")
def file_in_place_of_a_folder_and_the_other_way_round(zoo: Zoo) -> None:
    shutil.rmtree(zoo.top / "pkg")
    zoo.write("pkg", "a file\n")
    (zoo.top / "notes.txt").unlink()
    zoo.write("notes.txt/page.txt")


@state("folder replaced by a link")
def folder_replaced_by_a_link(zoo: Zoo) -> None:
    (zoo.top / "pkg").rename(zoo.top / "old")
    (zoo.top / "pkg").symlink_to("old")
