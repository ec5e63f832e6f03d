import ast
import os
from pathlib import Path

import pytest
from workbench import git as as_user

import naga
from naga.capture.code import git
from naga.capture.code.git import GitError, Repository


def _in(folder: Path) -> Repository:
    return Repository(folder, folder, folder)


def _pretend(folder: Path, answer: str) -> str:
    program = folder / "git"
    program.write_text(f"#!/bin/sh\necho '{answer}'\n")
    program.chmod(0o755)
    return str(folder)


@pytest.mark.parametrize("version", ["2.24.4", "1.8.3.1", "2.9.0"])
def test_an_old_git_is_refused_by_its_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    """What is too old, and what is wanted, is said."""
    monkeypatch.setenv("PATH", _pretend(tmp_path, f"git version {version}"))
    with pytest.raises(GitError, match=rf"git version {version} is too old: Naga needs git 2\.25 or newer"):
        Repository.find(tmp_path)


@pytest.mark.parametrize("version", ["2.25.0", "2.39.5 (Apple Git-154)", "10.0.windows.1"])
def test_a_new_git_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    """Newer versions are taken, whatever is written behind the number."""
    monkeypatch.setenv("PATH", _pretend(tmp_path, f"git version {version}"))
    assert _in(tmp_path).text("status") == f"git version {version}"


def test_git_that_is_not_there_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without git gives a GitError like any other."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(GitError, match="git is not installed"):
        _in(tmp_path).run("status")


def test_variables_of_the_caller_do_not_reach_git(top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only those that say where configuration is do; the language is C."""
    for name in ("GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE", "GIT_TRACE", "GIT_CONFIG_COUNT", "GIT_OBJECT_DIRECTORY"):
        monkeypatch.setenv(name, "/nowhere")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(top / "mine"))
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    (top / "mine").write_text("[alias]\n\tshown = !env\n")
    seen = dict(line.split("=", 1) for line in _in(top).text("shown").splitlines() if "=" in line)
    assert seen["GIT_CONFIG_GLOBAL"] == str(top / "mine")
    assert seen["LC_ALL"] == "C"
    assert "/nowhere" not in seen.values()


def test_git_never_waits_for_an_answer(top: Path) -> None:
    """A command that reads gets nothing, at once."""
    assert _in(top).text("hash-object", "--stdin") == as_user("hash-object", "/dev/null", cwd=top).strip()


def test_an_error_is_gits_own_word(top: Path) -> None:
    """The last fatal line, without its mark, and the status."""
    with pytest.raises(GitError, match=r"^Needed a single revision$") as caught:
        _in(top).run("rev-parse", "--verify", "nothing")
    assert caught.value.status == 128


def test_a_nul_never_reaches_git(top: Path) -> None:
    """It is an error of git's kind, not of Python's."""
    with pytest.raises(GitError, match="NUL"):
        _in(top).run("rev-parse", "a\0b")


def test_a_repository_is_found_from_any_folder(top: Path) -> None:
    """From below its top, and through a link."""
    (top / "link").symlink_to("pkg")
    expected = Repository(top, top / ".git", top / ".git")
    assert Repository.find(top / "pkg") == Repository.find(top / "link") == expected


def test_a_linked_worktree_shares_the_objects(top: Path) -> None:
    """Its index is its own, its objects are those of the first."""
    as_user("worktree", "add", "-q", "../linked", cwd=top)
    found = Repository.find(top.parent / "linked")
    assert found.objects == top / ".git/objects"
    assert found.git_dir == top / ".git/worktrees/linked"


def test_a_folder_may_have_a_newline_in_its_name(top: Path) -> None:
    """Although newlines separate git's answers."""
    odd = top.rename(top.with_name("pro\nject"))
    assert Repository.find(odd / "pkg") == Repository(odd, odd / ".git", odd / ".git")


def test_objects_written_elsewhere_do_not_reach_the_repository(top: Path) -> None:
    """They are read together with the repository's, even where the path has characters that separate paths."""
    odd = top.rename(top.with_name('pro:je"ct\\'))
    repository = Repository.find(odd)
    (odd.parent / "aside").mkdir()
    aside = repository.writing_to(odd.parent / "aside")
    blob = aside.text("hash-object", "-w", "--stdin", stdin=b"new\n")
    assert aside.text("cat-file", "-t", "HEAD") == "commit"
    assert aside.text("cat-file", "-t", blob) == "blob"
    with pytest.raises(GitError):
        repository.run("cat-file", "-t", blob)


def test_a_talk_answers_question_after_question(top: Path) -> None:
    """One process, many answers; an end in the middle is an error."""
    with Repository.find(top).talk("cat-file", "--batch") as talk:
        for _ in range(3):
            size = int(talk.line(b"HEAD:train.py\n").split()[2])
            assert talk.content(size) == b"import pkg.model\n"
    with pytest.raises(GitError), Repository.find(top).talk("cat-file", "--nonsense") as talk:
        for _ in range(1000):
            talk.line(b"HEAD\n")


def test_only_this_module_runs_git() -> None:
    """No other module starts a program called git."""
    for path in Path(naga.__file__).parent.rglob("*.py"):
        if path != Path(git.__file__):
            found = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant)]
            assert not [node.value for node in found if node.value == "git"], path


def test_names_come_back_as_they_were() -> None:
    """Names that are not UTF-8 survive the way through Python."""
    name = b"caf\xe9\n.py"
    assert [os.fsencode(one) for one in git.names(name + b"\0")] == [name]
