import os
import shutil
import sys
import time
import types
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from workbench import git

from naga.capture.code.git import Repository
from naga.capture.code.imports import imported_files
from naga.capture.code.snapshot import CodeCapture, SnapshotLabel, capture_code, recapture_after
from naga.declarations import Snapshot
from naga.errors import SnapshotError
from naga.record.schema import Code

SUBJECT = SnapshotLabel(run_id="r1", task="train", save_dir="results/a")


@pytest.fixture(autouse=True)
def _no_other_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the tests' own modules be no code of the runs that they begin."""
    ours = imported_files()
    monkeypatch.setattr("naga.capture.code.imports.imported_files", lambda: imported_files() - ours)


@pytest.fixture
def imported(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], Path]:
    """Import a file, until the end of the test."""

    def enter(path: Path) -> Path:
        module = types.ModuleType(f"imported_{len(sys.modules)}")
        module.__file__ = str(path)
        monkeypatch.setitem(sys.modules, module.__name__, module)
        return path

    return enter


def _take(top: Path, run_id: str = "r1", **declared: object) -> CodeCapture:
    snapshot = Snapshot(**declared)  # type: ignore[arg-type]  # what each test says
    return capture_code(top / "train.py", snapshot, replace(SUBJECT, run_id=run_id, leave_out=(top / "results/a",)))


def _after(before: CodeCapture) -> list[str]:
    after = recapture_after(before, Snapshot(), SUBJECT)
    assert after.entries[: len(before.entries)] == before.entries
    return [warning for warning in after.warnings if warning not in before.warnings]


def _parents(top: Path, commit: str | None) -> list[str]:
    return git("log", "-1", "--format=%P", str(commit), cwd=top).split()


# What is recorded


def test_a_clean_repository_makes_no_commit(top: Path) -> None:
    """HEAD is recorded, and kept by the run's ref and the new log branch."""
    head = git("rev-parse", "HEAD", cwd=top).strip()
    capture = _take(top)
    assert capture == CodeCapture(
        entries=(
            Code(
                name="project",
                path=str(top),
                commit=head,
                tree=git("rev-parse", "HEAD^{tree}", cwd=top).strip(),
                base_commit=head,
                branch="main",
                dirty=False,
                ref="refs/naga/runs/r1",
                log_branch="run_logs",
            ),
        )
    )
    for ref in ("refs/naga/runs/r1", "refs/heads/run_logs"):
        assert git("rev-parse", ref, cwd=top).strip() == head
    assert git("cat-file", "--batch-all-objects", "--batch-check", cwd=top).count("commit") == 1


def test_a_snapshot_is_head_and_what_is_uncommitted(top: Path) -> None:
    """`git diff <base_commit> <commit>` shows just that, and the message names the run."""
    (top / "train.py").write_text("edited\n")
    (top / "new.py").write_text("new\n")
    code = _take(top, message="A study\n\nof something").entries[0]
    assert code.dirty
    assert _parents(top, code.commit) == [code.base_commit]
    changed = git("diff", "--name-status", str(code.base_commit), str(code.commit), cwd=top)
    assert changed == "A\tnew.py\nM\ttrain.py\n"
    shown = git("log", "-1", "--format=%an <%ae>|%cn <%ce>|%B", str(code.commit), cwd=top)
    assert shown.startswith("Naga <naga@localhost>|Naga <naga@localhost>|A study\n\nof something\n")
    assert shown.rstrip().endswith("Naga-Run: r1\nNaga-Task: train\nNaga-Save-Dir: results/a")


def test_a_detached_head_has_no_branch(top: Path) -> None:
    """The branch is absent, the commit is not."""
    git("checkout", "-q", "--detach", cwd=top)
    code = _take(top).entries[0]
    assert (code.branch, code.commit) == (None, git("rev-parse", "HEAD", cwd=top).strip())


def test_what_is_not_in_a_repository_is_one_entry_and_one_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its reason says so."""
    monkeypatch.chdir(tmp_path)
    capture = capture_code(tmp_path / "train.py", Snapshot(), SUBJECT)
    reason = "not a git repository (or any of the parent directories): .git"
    assert capture.entries == (Code(name=tmp_path.name, path=str(tmp_path), reason=reason),)
    assert capture.warnings == (f"the code in {tmp_path} was not captured: {reason} (`git init` makes one)",)


def test_without_a_script_the_current_folder_is_taken(top: Path) -> None:
    """As in a notebook, and where the script is in no repository."""
    assert capture_code(None, Snapshot(), SUBJECT).entries[0].path == str(top)
    assert capture_code(Path("/nowhere/exp.py"), Snapshot(), SUBJECT).entries[0].path == str(top)


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("https://ana:ghp_secret@example.org/ana/engine.git?token=x#y", "https://example.org/ana/engine.git"),
        ("ssh://git:pw@example.org:22/engine", "ssh://git@example.org:22/engine"),
        ("git@example.org:ana/engine.git", "git@example.org:ana/engine.git"),
        ("/srv/engine.git", "/srv/engine.git"),
    ],
)
def test_a_remote_is_recorded_without_credentials(top: Path, address: str, shown: str) -> None:
    """Whatever form the address has; origin goes before others."""
    git("remote", "add", "another", "https://example.org/other", cwd=top)
    git("remote", "add", "origin", address, cwd=top)
    assert _take(top).entries[0].remote == shown


# The log branch


def test_the_log_branch_is_the_log_of_the_runs(top: Path) -> None:
    """Along first parents it has one commit for each run; a new HEAD comes in as the second parent."""
    (top / "new.py").write_text("1\n")
    first = _take(top, "r1").entries[0]
    second = _take(top, "r2").entries[0]
    git("commit", "-q", "--allow-empty", "-m", "Go on", cwd=top)
    third = _take(top, "r3").entries[0]
    assert _parents(top, second.commit) == [first.commit]
    assert _parents(top, third.commit) == [second.commit, third.base_commit]
    log = git(
        "log", "--first-parent", "--format=%(trailers:key=Naga-Run,valueonly,separator=%x20)", "run_logs", cwd=top
    )
    assert log.split() == ["r3", "r2", "r1"]
    assert third.log_branch == "run_logs"


def test_a_clean_run_moves_the_log_branch_only_forward(top: Path) -> None:
    """To HEAD where that follows from it; else it stays, and nothing is said."""
    assert _take(top, "r1").entries[0].log_branch == "run_logs"
    git("commit", "-q", "--allow-empty", "-m", "Go on", cwd=top)
    assert _take(top, "r2").entries[0].log_branch == "run_logs"
    assert git("rev-parse", "run_logs", cwd=top) == git("rev-parse", "HEAD", cwd=top)
    (top / "new.py").write_text("1\n")
    snapshot = _take(top, "r3").entries[0]
    (top / "new.py").unlink()
    capture = _take(top, "r4")
    assert (capture.entries[0].log_branch, capture.warnings) == (None, ())
    assert git("rev-parse", "run_logs", cwd=top).strip() == snapshot.commit


@pytest.mark.parametrize("branch", ["a b", "x..y", "-rf", "a\nb", "a\0b", "", "@{-1}", "x.lock", "--output=x"])
def test_an_impossible_branch_is_a_warning(top: Path, branch: str) -> None:
    """The run's ref keeps the snapshot, no file is written, no other ref moved."""
    (top / "new.py").write_text("1\n")
    before = git("for-each-ref", "refs/heads", cwd=top)
    capture = _take(top, branch=branch)
    assert capture.entries[0].ref == "refs/naga/runs/r1"
    assert capture.entries[0].log_branch is None
    assert "was left as it is" in capture.warnings[0]
    assert git("for-each-ref", "refs/heads", cwd=top) == before
    assert git("status", "--porcelain", cwd=top) == "?? new.py\n"


# What is left out

CANARY = "canary-8d1f"


def _plant(top: Path, path: str, filler: int = 0) -> Path:
    where = top / path
    where.parent.mkdir(parents=True, exist_ok=True)
    where.write_text(CANARY + "x" * filler)
    return where


SECRETS = (
    *(".env", ".env.local", "deploy/.envrc", "prod.env", ".env.d/tool", "id_rsa", "keys/id_ed25519", "server.pem"),
    *("tls.key", "credentials.json", "aws_credentials", ".aws/config", ".netrc", ".pypirc", ".npmrc", "secrets.yaml"),
    *("my-secret.toml", "service_account.json", "service-account-prod.json", "api_key.txt", "hf_token", "token.json"),
    *("passwords.csv", ".git-credentials", ".ssh/config", "vault.kdbx", ".streamlit/secrets.toml", "SECRET.TXT"),
)


def test_nothing_that_is_left_out_reaches_an_object(top: Path) -> None:
    """A canary in each place is in no object of the repository, and each place is named with its reason."""
    nested = top / "vendor/tool"
    nested.mkdir(parents=True)
    git("init", "-q", cwd=nested)
    (nested / "tool.py").write_text("harmless")
    for path in ("committed.env", "raw.csv"):
        (top / path).write_text("harmless")
    git("add", "--all", ":!vendor", cwd=top)
    git("commit", "-qm", "Data", cwd=top)
    places = {
        **dict.fromkeys(SECRETS, "looks like a secret"),
        "committed.env": "looks like a secret",
        "vendor/tool/.env": "looks like a secret",
        "results/a/deep/er/model.pt": "save_dir",
        "results/old/model.pt": "the folder of a run",
        "results/old/run.lock": "the folder of a run",
        "raw.csv": "tracked data",
        "data/raw/part-1": "tracked data",
        "mlflow.db": "MLflow's own",
        "mlflow.db-journal": "MLflow's own",
        "sub/mlruns/0/meta.yaml": "MLflow's own",
        "scratch.tmp": "ignored by git",
        "private.bin": "excluded by pattern",
        "checkpoint.pt": "larger than 10 MiB (11.0 MiB)",
    }
    for path in places:
        _plant(top, path, filler=11 * 2**20 if path == "checkpoint.pt" else 0)
    (top / "new.py").write_text("new\n")
    leave_out = (top / "results/a", top / "raw.csv", top / "data/raw")
    subject = replace(SUBJECT, leave_out=leave_out)
    capture = capture_code(top / "train.py", Snapshot(exclude=("*.bin",)), subject)
    for repository in (top, nested):
        everything = Repository.find(repository).run("cat-file", "--batch-all-objects", "--batch").stdout
        assert b"blob" in everything
        assert CANARY.encode() not in everything
    named = {f"{code.path}/{one.path}": one.reason for code in capture.entries for one in code.skipped}
    for path, reason in places.items():
        covering = [given for where, given in named.items() if f"{top / path}".startswith(where)]
        assert reason in covering, path
    assert git("show", "refs/naga/runs/r1:new.py", cwd=top) == "new\n"
    assert git("show", "refs/naga/runs/r1:committed.env", cwd=top) == "harmless"
    assert not capture.warnings


def test_a_staged_secret_is_in_no_snapshot(top: Path) -> None:
    """The user put it into an object; the commit that a push would carry does not have it."""
    _plant(top, ".env")
    git("add", "-f", ".env", cwd=top)
    (top / "new.py").write_text("new\n")
    code = _take(top).entries[0]
    assert ".env" not in git("ls-tree", "-r", "--name-only", str(code.commit), cwd=top)
    assert [one.path for one in code.skipped] == [".env"]


def test_include_takes_what_is_left_out_by_its_look(top: Path) -> None:
    """Ignored, large or secret-like: with git's own meaning of patterns; save_dir and exclude are stronger."""
    for path in ("scratch.tmp", "deep/other.tmp", ".env", "results/a/x.tmp", "not.tmp"):
        _plant(top, path)
    _plant(top, "large.pt", filler=11 * 2**20)
    code = _take(top, include=("*.tmp", ".env", ":(icase)LARGE.PT"), exclude=("not.*",)).entries[0]
    held = git("ls-tree", "-r", "--name-only", str(code.commit), cwd=top).split()
    assert {"scratch.tmp", "deep/other.tmp", ".env", "large.pt"} < set(held)
    assert {one.path: one.reason for one in code.skipped} == {
        "not.tmp": "excluded by pattern",
        "results/a/": "save_dir",
    }


@pytest.mark.parametrize(
    ("pattern", "left"),
    [
        ("*.py", {"new.py", "sub/new.py", "sub/deep/new.py"}),
        (":(glob)*.py", {"new.py"}),
        (":(glob)sub/*.py", {"sub/new.py"}),
        ("sub", {"sub/new.py", "sub/deep/new.py", "sub/NEW.txt"}),
        ("sub/", {"sub/new.py", "sub/deep/new.py", "sub/NEW.txt"}),
        (":(icase)sub/new.TXT", {"sub/NEW.txt"}),
        (":(literal)*.py", set()),
        (":!sub", {"new.py", "train.py"}),
    ],
)
def test_a_pattern_means_what_git_means(top: Path, pattern: str, left: set[str]) -> None:
    """As if typed behind `git add` at the top, wherever the script is run."""
    for path in ("train.py", "new.py", "sub/new.py", "sub/deep/new.py", "sub/NEW.txt"):
        _plant(top, path)
    os.chdir(top / "sub")
    code = _take(top, exclude=(pattern,)).entries[0]
    assert {one.path for one in code.skipped} - {"train.py"} == left - {"train.py"}


def test_a_pattern_reaches_into_nested_repositories(top: Path) -> None:
    """It is read at the top of the outermost one."""
    nested = top / "vendor/tool"
    _plant(top, "vendor/tool/private/plan.py")
    _plant(top, "vendor/tool/tool.py")
    git("init", "-q", cwd=nested)
    code = next(code for code in _take(top, exclude=("vendor/tool/private",)).entries if code.name == "tool")
    assert git("ls-tree", "-r", "--name-only", str(code.commit), cwd=nested).split() == ["tool.py"]
    assert _take(top, "r2", exclude=("vendor/",)).entries[0].skipped[-1].path == "vendor/tool/"


def test_the_tree_around_a_nested_repository_follows_from_the_code(top: Path) -> None:
    """Two runs of the same code have the same tree, whenever and whatever they were; of other code another."""
    nested = top / "vendor/tool"
    _plant(top, "vendor/tool/tool.py")
    git("init", "-q", cwd=nested)
    first, again = _take(top).entries, _take(top, "r2").entries
    assert git("log", "-1", "--format=%as %cs", str(first[1].commit), cwd=nested).split() == ["1980-01-01"] * 2
    assert [code.tree for code in first] == [code.tree for code in again]
    assert first[1].commit == again[1].commit
    assert first[1].ref != again[1].ref
    (nested / "tool.py").write_text("other\n")
    assert _take(top, "r3").entries[0].tree != first[0].tree


@pytest.mark.parametrize("pattern", [":(nonsense)x", "../outside", "/elsewhere"])
@pytest.mark.parametrize("what", ["include", "exclude"])
def test_a_pattern_that_git_refuses_is_an_error(top: Path, what: str, pattern: str) -> None:
    """Leaving out something else than was asked for would be worse."""
    (top / "new.py").write_text("1\n")
    patterns: dict[str, Any] = {what: (pattern,)}
    with pytest.raises(SnapshotError, match="pattern"):
        _take(top, **patterns)


def test_ignored_files_are_named_by_their_folder(top: Path) -> None:
    """A lock stays readable beside ten thousand of them; one alone, or at the top, is named itself."""
    for path in ("cache/1.tmp", "cache/2.tmp", "cache/3.tmp", "alone/1.tmp", "1.tmp", "2.tmp"):
        _plant(top, path)
    skipped = _take(top).entries[0].skipped
    assert [(one.path, one.reason) for one in skipped] == [
        ("1.tmp", "ignored by git"),
        ("2.tmp", "ignored by git"),
        ("alone/1.tmp", "ignored by git"),
        ("cache/", "ignored by git (3 files)"),
    ]


def test_many_for_one_reason_are_named_by_their_folder(top: Path) -> None:
    """Whatever the reason, and at the top as well."""
    for number in range(150):
        _plant(top, f"{number}.pem")
    skipped = _take(top).entries[0].skipped
    assert [(one.path, one.reason) for one in skipped] == [("./", "looks like a secret (150 files)")]


CACHES = ("__pycache__/a.pyc", "pkg/b.pyc", ".coverage", ".mypy_cache/x/y.json", ".ipynb_checkpoints/n.ipynb")


@pytest.mark.parametrize("ignored", ["", "*\n!.gitignore\n!train.py\n!pkg/\n!pkg/model.py\n"])
def test_caches_of_tools_are_neither_captured_nor_named(top: Path, ignored: str) -> None:
    """Ignored or not, they are made again from the rest, and do not make a tree dirty."""
    (top / ".gitignore").write_text(ignored)
    git("commit", "-qam", "Ignore", cwd=top)
    for path in (*CACHES, ".pytest_cache/v", ".ruff_cache/0", "a.egg-info/PKG-INFO"):
        _plant(top, path)
    code = _take(top).entries[0]
    assert (code.skipped, code.dirty) == ((), False)


def test_the_folder_of_the_script_is_code_even_as_save_dir(top: Path) -> None:
    """save_dir="." leaves nothing of the code out."""
    (top / "new.py").write_text("new\n")
    capture = capture_code(top / "train.py", Snapshot(), replace(SUBJECT, save_dir=".", leave_out=(top,)))
    assert git("show", "refs/naga/runs/r1:new.py", cwd=top) == "new\n"
    assert capture.entries[0].dirty


def test_what_git_tracks_among_results_is_code(top: Path) -> None:
    """A configuration beside results, edited since, is captured; results and Naga's own files are not."""
    _plant(top, "results/a/config.py")
    git("add", "--all", cwd=top)
    git("commit", "-qm", "Configuration", cwd=top)
    for path in ("results/a/config.py", "results/a/model.pt", "run.lock", ".naga/outputs.json"):
        (top / path).parent.mkdir(exist_ok=True)
        (top / path).write_text("new\n")
    code = _take(top).entries[0]
    assert git("diff", "--name-only", str(code.base_commit), str(code.commit), cwd=top) == "results/a/config.py\n"
    assert [(one.path, one.reason) for one in code.skipped] == [
        (".naga/", "Naga's own"),
        ("results/a/", "save_dir"),
        ("run.lock", "Naga's own"),
    ]


# What changes during the run


def test_an_unchanged_run_says_nothing(top: Path) -> None:
    """Nor does a file that was only touched, or what the run wrote."""
    (top / "new.py").write_text("new\n")
    before = _take(top)
    os.utime(top / "train.py")
    os.utime(top / "new.py")
    _plant(top, "results/a/model.pt")
    _plant(top, "figure.png")
    assert _after(before) == []


@pytest.mark.parametrize("clean", [True, False], ids=["clean", "modified"])
def test_files_that_change_during_the_run_are_named(top: Path, *, clean: bool) -> None:
    """Committed or not, edited or deleted."""
    if not clean:
        (top / "train.py").write_text("edited before\n")
        (top / "new.py").write_text("new\n")
    before = _take(top)
    (top / "train.py").write_text("edited_during\n")
    (top / "pkg/model.py").unlink()
    expected = "pkg/model.py, train.py"
    if not clean:
        (top / "new.py").write_text("NEW\n")
        expected = "new.py, pkg/model.py, train.py"
    assert _after(before) == [f"project: changed during the run, captured as it was before: {expected}"]


def test_what_was_left_out_is_not_said_to_change(top: Path) -> None:
    """A secret that was edited before the run differs from the snapshot all the time."""
    _plant(top, "prod.env")
    git("add", "--all", cwd=top)
    git("commit", "-qm", "Secret", cwd=top)
    (top / "prod.env").write_text("other")
    (top / "staged.py").write_text("1\n")
    git("add", "staged.py", cwd=top)
    (top / "pkg/model.py").unlink()
    assert _after(_take(top)) == []


def test_a_repository_that_goes_away_is_a_warning(top: Path) -> None:
    """The end of a run never fails because of it."""
    before = _take(top)
    shutil.rmtree(top / ".git")
    assert "is not known" in _after(before)[0]


# What is imported


def test_repositories_that_code_is_imported_from_are_captured(
    top: Path, tmp_path: Path, imported: Callable[[Path], Path]
) -> None:
    """Edited ones too; they get a ref, and no branch."""
    engine = tmp_path / "engine"
    engine.mkdir()
    git("init", "-q", cwd=engine)
    imported(engine / "src/engine.py").parent.mkdir()
    (engine / "src/engine.py").write_text("power = 1\n")
    capture = _take(top)
    assert [code.name for code in capture.entries] == ["project", "engine"]
    code = capture.entries[1]
    assert git("show", f"{code.ref}:src/engine.py", cwd=engine) == "power = 1\n"
    assert (code.log_branch, git("branch", "--list", cwd=engine)) == (None, "")
    (engine / "src/engine.py").write_text("power = 22\n")
    assert _after(capture) == ["engine: changed during the run, captured as it was before: src/engine.py"]


def test_a_repository_imported_during_the_run_is_captured_at_its_end(
    top: Path, tmp_path: Path, imported: Callable[[Path], Path]
) -> None:
    """As a further entry."""
    before = _take(top)
    (tmp_path / "late").mkdir()
    git("init", "-q", cwd=tmp_path / "late")
    imported(tmp_path / "late/late.py").write_text("late = 1\n")
    after = recapture_after(before, Snapshot(), SUBJECT)
    assert [code.name for code in after.entries] == ["project", "late"]
    assert after.warnings == ()


def test_two_worktrees_of_one_repository_have_a_ref_each(top: Path, imported: Callable[[Path], Path]) -> None:
    """Both are kept."""
    git("worktree", "add", "-q", "../linked", cwd=top)
    imported(top.parent / "linked/train.py").write_text("other\n")
    refs = [code.ref for code in _take(top).entries]
    assert refs == ["refs/naga/runs/r1", "refs/naga/runs/r1+1"]
    assert git("show", f"{refs[1]}:train.py", cwd=top) == "other\n"


def test_modules_that_no_snapshot_holds_are_named(top: Path, tmp_path: Path, imported: Callable[[Path], Path]) -> None:
    """Ignored ones, those outside of every repository, and those that the run itself has written."""
    imported(top / "helper.tmp").write_text("1\n")
    imported(tmp_path / "outside.py").write_text("1\n")
    capture = _take(top)
    names = f"{tmp_path / 'outside.py'}, {top / 'helper.tmp'}"
    assert capture.warnings == (f"imported, but missing from the snapshot: {names}",)
    imported(top / "generated.py").write_text("1\n")
    assert _after(capture) == [f"imported, but missing from the snapshot: {tmp_path / 'outside.py'}, "
                               f"{top / 'generated.py'}, {top / 'helper.tmp'}"]  # fmt: skip
    with pytest.raises(SnapshotError, match="missing from the snapshot"):
        _take(top, "r2", strict=True)


def test_an_ignored_script_is_named(top: Path) -> None:
    """The file that runs is code before anything else."""
    (top / "notes.tmp").write_text("1\n")
    capture = capture_code(top / "notes.tmp", Snapshot(), SUBJECT)
    assert capture.warnings == (f"imported, but missing from the snapshot: {top / 'notes.tmp'}",)


def test_installed_packages_are_not_code(top: Path, imported: Callable[[Path], Path]) -> None:
    """Not even those of an environment inside the repository."""
    path = top / "venv/lib/python3/site-packages/engine/core.py"
    path.parent.mkdir(parents=True)
    imported(path).write_text("1\n")
    (top / ".git/info/exclude").write_text("venv/\n")
    assert _take(top).warnings == ()


def test_packages_in_any_folder_are_not_code(
    top: Path, imported: Callable[[Path], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`pip install --target` leaves a list of what it installed; what is beside is code."""
    place = top / "vendor.tmp"
    (place / "engine-1.dist-info").mkdir(parents=True)
    (place / "engine-1.dist-info" / "RECORD").write_text("engine.py,sha256=x,2\nengine-1.dist-info/RECORD,,\n")
    monkeypatch.syspath_prepend(place)
    imported(place / "engine.py").write_text("1\n")
    imported(place / "own.py").write_text("1\n")
    assert _take(top).warnings == (f"imported, but missing from the snapshot: {place / 'own.py'}",)


# What it costs


def test_a_snapshot_is_quick(top: Path) -> None:
    """A small repository costs some tens of milliseconds; this holds off another order of magnitude."""
    (top / "new.py").write_text("1\n")
    _take(top, "warm")
    best = 9.0
    for number in range(3):
        began = time.perf_counter()
        before = _take(top, f"r{number}")
        recapture_after(before, Snapshot(), SUBJECT)
        best = min(best, time.perf_counter() - began)
    assert best < 1
