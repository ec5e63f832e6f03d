import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
from workbench import git

from naga.capture.code.checkout import lay_out, real_folder
from naga.capture.code.git import GitError, Repository

Tree = dict[str, "tuple[str, str] | Tree"]


@pytest.fixture
def crafted(top: Path) -> Callable[..., str]:
    """Commit a tree as git itself would never write it: rows of mode, name and content or rows below."""

    def write(*rows: tuple[str, str, object]) -> str:
        tree = b""
        for mode, name, content in rows:
            if isinstance(content, tuple):
                object_ = write(*content)
            else:
                (top / "content.tmp").write_text(str(content))
                object_ = git("hash-object", "-w", "content.tmp", cwd=top).strip()
            tree += f"{mode} {name}\0".encode() + bytes.fromhex(object_)
        words = ("hash-object", "-t", "tree", "-w", "--literally", "--stdin")
        return Repository.find(top).text(*words, stdin=tree)

    def commit(*rows: tuple[str, str, object]) -> str:
        return git("commit-tree", "-m", "Crafted", write(*rows), cwd=top).strip()

    return commit


def test_a_commit_is_laid_out_as_it_is(top: Path, tmp_path: Path) -> None:
    """Files, programs, and links, which are written as links."""
    (top / "run.sh").write_text("#!/bin/sh\n")
    (top / "run.sh").chmod(0o755)
    (top / "here").symlink_to("pkg")
    git("add", "--all", cwd=top)
    git("commit", "-qm", "More", cwd=top)
    lay_out(Repository.find(top), "HEAD", tmp_path / "out")
    assert (tmp_path / "out/here/model.py").read_text() == "layers = 3\n"
    assert (tmp_path / "out/here").is_symlink()
    assert (tmp_path / "out/run.sh").stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize(
    "rows",
    [
        [("120000", "data", "{outside}"), ("40000", "data", (("100644", "x", "bad"),))],
        [("120000", "Data", "{outside}"), ("40000", "data", (("100644", "x", "bad"),))],
        [("100644", "data", "file"), ("40000", "data", (("100644", "x", "bad"),))],
        [("120000", "x", "{outside}/x"), ("100644", "x", "bad")],
        [("40000", "..", (("100644", "x", "bad"),))],
        [("40000", ".", (("100644", "x", "bad"),))],
        [("40000", ".git", (("100644", "config", "bad"),))],
        [("40000", ".GiT", (("100644", "config", "bad"),))],
        [("40000", "sub", (("40000", ".git ", (("100644", "config", "bad"),)),))],
    ],
    ids=[
        "link and folder",
        "case",
        "file and folder",
        "link and file",
        "dots",
        "dot",
        "git",
        "GIT",
        "git with a space",
    ],
)
def test_a_crafted_tree_is_refused(
    top: Path, tmp_path: Path, crafted: Callable[..., str], rows: list[tuple[str, str, object]]
) -> None:
    """Whoever made it wants a file to land somewhere else: nothing outside of the folder is written."""
    outside = tmp_path / "outside"
    outside.mkdir()
    rows = [(mode, name, text.format(outside=outside) if isinstance(text, str) else text) for mode, name, text in rows]
    commit = crafted(*rows)
    with pytest.raises(GitError):
        lay_out(Repository.find(top), commit, tmp_path / "folder/out")
    assert not list(outside.iterdir())
    assert not (tmp_path / "folder/x").exists()
    assert not list((tmp_path / "folder").rglob("config"))


def test_a_link_in_the_target_is_not_followed(top: Path, tmp_path: Path) -> None:
    """Nor is a file that is there replaced."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out/pkg").symlink_to(tmp_path / "outside")
    with pytest.raises(GitError, match="nothing is written through a link"):
        lay_out(Repository.find(top), "HEAD", tmp_path / "out")
    assert not list((tmp_path / "outside").iterdir())


def test_a_link_is_replaced_where_that_is_asked_for(tmp_path: Path) -> None:
    """By a folder of its own."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "link").symlink_to("outside")
    real_folder(tmp_path, tmp_path / "link" / "deeper", replace=True)
    assert (tmp_path / "link/deeper").is_dir()
    assert not list((tmp_path / "outside").iterdir())


def test_reading_runs_nothing_of_a_repository_with_an_old_git(
    top: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Git 2.25 knows no GIT_NO_LAZY_FETCH, and would run what a repository names for fetching what it lacks."""
    trap = shlex.quote(str(tmp_path / "trapped"))
    program = tmp_path / "bin/git"
    program.parent.mkdir()
    program.write_text(
        "#!/bin/sh\nunset GIT_NO_LAZY_FETCH\n"
        'for word; do [ "$word" = version ] && exec echo git version 2.25.1; done\n'
        f'for word; do case "$word" in core.fsmonitor=?*) touch {trap};; esac; done\nexec /usr/bin/git "$@"\n'
    )
    program.chmod(0o755)
    blob = git("rev-parse", "HEAD:train.py", cwd=top).strip()
    for key, value in {
        "core.repositoryFormatVersion": "1",
        "extensions.partialClone": "origin",
        "remote.origin.url": f"ext::sh -c touch% {trap}",
        "remote.origin.promisor": "true",
        "protocol.allow": "always",
        "protocol.ext.allow": "always",
    }.items():
        git("config", key, value, cwd=top)
    (top / f".git/objects/{blob[:2]}/{blob[2:]}").unlink()
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    with pytest.raises(GitError, match="lacks the content of 'train.py'"):
        lay_out(Repository.find(top), "HEAD", tmp_path / "out")
    assert not (tmp_path / "trapped").exists()
