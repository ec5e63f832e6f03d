"""The code of a run as a git bundle: made without changing its repository, and checked before it is used."""

from dataclasses import replace
from pathlib import Path

from naga.capture.code.git import GitError, Repository
from naga.capture.code.refs import commit_tree

_REF = "refs/heads/run"


def write_bundle(source: Repository, commit: str, file: Path, *, when: str, history: bool) -> None:
    """Write a commit with its history, or one commit of the same tree without any."""
    folder = file.with_suffix(".git")
    new = _empty(folder, source.text("rev-parse", "--verify", "--end-of-options", f"{commit}^{{tree}}"))
    if not history:
        dates = {"GIT_AUTHOR_DATE": when, "GIT_COMMITTER_DATE": when}
        writing = source.writing_to(new.objects)
        writing = replace(writing, variables={**writing.variables, **dates})
        commit = commit_tree(writing, f"{commit}^{{tree}}", [], "The code of a run")
    # Its own objects, and those of the repository that the tree is in.
    both = source.writing_to(new.objects).variables
    new = replace(new, variables=both)
    new.run("update-ref", _REF, commit)
    new.run("bundle", "create", str(file), _REF)


def read_bundle(file: Path, place: Path, tree: str, most: int) -> str:
    """Make a repository from a bundle that holds a tree, checked and complete; return the commit."""
    new = _empty(place, tree)
    commit = new.text("bundle", "unbundle", str(file)).partition(" ")[0]
    new.run("fsck", "--strict", "--full", "--no-dangling", "--no-progress", commit)
    if new.text("rev-parse", "--verify", "--end-of-options", f"{commit}^{{tree}}") != tree:
        raise GitError(f"'{file.name}' does not hold the tree {tree[:12]}")
    rows = new.run("ls-tree", "-r", "-l", "-z", "--full-tree", commit).stdout.split(b"\0")
    sizes = (row.partition(b"\t")[0].split()[-1:] for row in rows)
    if sum(int(size) for found in sizes for size in found if size.isdigit()) > most:
        raise GitError(f"'{file.name}' unpacks to more than {most} bytes")
    new.run("update-ref", _REF, commit)
    return commit


def _empty(folder: Path, tree: str) -> Repository:
    folder.mkdir(parents=True, exist_ok=True)
    kind = ["--object-format=sha256"] if len(tree) > 40 else []
    Repository(folder, folder, folder).run("init", "--quiet", "--template=", *kind)
    return Repository.find(folder)
