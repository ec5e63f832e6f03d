import random
from pathlib import Path

import pytest
from workbench import git

from naga.capture.code.git import GitError, Repository
from naga.capture.code.tree import edited_tree


def _files(random_: random.Random, count: int) -> set[str]:
    return {
        "/".join(random_.choice("abc") + str(depth) for depth in range(random_.randint(1, 4))) for _ in range(count)
    }


def _without_clashes(paths: set[str]) -> set[str]:
    return {path for path in paths if not any(other.startswith(f"{path}/") for other in paths)}


@pytest.mark.parametrize("seed", range(12))
def test_it_is_the_tree_that_an_index_gives(top: Path, seed: int) -> None:
    """For random files that come, change, go, and take the places of folders: git's own tree, to the last bit."""
    random_ = random.Random(seed)
    before, after = (_without_clashes(_files(random_, 12)) for _ in range(2))
    blobs = [git("hash-object", "-w", path, cwd=top).strip() for path in ("train.py", "pkg/model.py")]

    def indexed(entries: dict[str, tuple[str, str]]) -> str:
        git("read-tree", "--empty", cwd=top)
        for path, (mode, blob) in entries.items():
            git("update-index", "--add", "--cacheinfo", f"{mode},{blob},{path}", cwd=top)
        return git("write-tree", cwd=top).strip()

    def entry() -> tuple[str, str]:
        return random_.choice(["100644", "100755", "120000"]), random_.choice(blobs)

    old = {path: entry() for path in sorted(before)}
    new = {path: old[path] if path in old and random_.random() < 0.5 else entry() for path in sorted(after)}
    changes = {path: new.get(path) for path in old.keys() | new.keys() if old.get(path) != new.get(path)}
    base = indexed(old)
    assert edited_tree(Repository.find(top), base, changes) == indexed(new)
    assert edited_tree(Repository.find(top), None, new) == indexed(new)


def test_nothing_left_is_the_empty_tree(top: Path) -> None:
    """A tree whose files all go."""
    tree = git("rev-parse", "HEAD^{tree}", cwd=top).strip()
    gone = dict.fromkeys((".gitignore", "train.py", "pkg/model.py"))
    assert edited_tree(Repository.find(top), tree, gone) == "4b825dc642cb6eb9a060e54bf8d69288fbee4904"


def test_a_missing_tree_is_an_error(top: Path) -> None:
    """As after a garbage collection that took it away."""
    with pytest.raises(GitError, match="is missing"):
        edited_tree(Repository.find(top), "1" * 40, {"train.py": None})
