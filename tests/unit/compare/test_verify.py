"""Comparing all that a run names with what it was."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from workbench import git

from naga import load_run
from naga.cli import main
from naga.compare.verify import verify

TASKS = """
from pathlib import Path
import naga

@naga.runlock
@naga.snapshot
@naga.track_data("data", ignore=["*.tmp"])
@naga.clicfg
def train(cfg={"save_dir": "results/train", "data": {"raw": "data/raw.csv", "more": "data/more"}}):
    Path(cfg["save_dir"], "model.txt").write_text("model")

@naga.runlock
@naga.track_data("model")
@naga.clicfg
def test(cfg={"save_dir": "results/test", "model": "results/train/model.txt"}):
    Path(cfg["save_dir"], "score.txt").write_text("1")

train()
test()
"""


@pytest.fixture(scope="module")
def computed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with two runs, the second of which reads the first."""
    top = tmp_path_factory.mktemp("computed") / "project"
    (top / "data" / "more").mkdir(parents=True)
    for name in ("raw.csv", "more/a.csv", "more/b.tmp"):
        (top / "data" / name).write_text(name)
    (top / "tasks.py").write_text(TASKS)
    (top / ".gitignore").write_text("results/\ndata/\n")
    git("init", "-q", cwd=top)
    git("add", ".", cwd=top)
    git("commit", "-qm", "Begin", cwd=top)
    (top / "tasks.py").write_text(f"{TASKS}\n# edited\n")
    subprocess.run([sys.executable, "tasks.py"], cwd=top, check=True, capture_output=True)
    return top


@pytest.fixture
def runs(computed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The runs, at the place where they were computed, for one test to spoil."""
    kept = tmp_path / "kept"
    shutil.copytree(computed, kept, symlinks=True)
    monkeypatch.chdir(computed)
    yield computed
    shutil.rmtree(computed)
    kept.rename(computed)


def edit(path: str) -> Callable[[], object]:
    """Change a file, its size and times as they were."""

    def act() -> None:
        import os

        about, file = Path(path).stat(), Path(path)
        file.write_text(file.read_text().swapcase())
        os.utime(file, ns=(about.st_atime_ns, about.st_mtime_ns))

    return act


def forget_commit() -> None:
    """Remove what keeps the commit of the run, as a careless cleaning would."""
    for ref in git("for-each-ref", "--format=%(refname)", "refs/naga", "refs/heads/run_logs", cwd=Path()).split():
        git("update-ref", "-d", ref, cwd=Path())


def lose_commit() -> None:
    """Let git remove it."""
    forget_commit()
    git("gc", "-q", "--prune=now", cwd=Path())


def lose_blob() -> None:
    """Lose one object of the commit."""
    blob = git("rev-parse", "run_logs:tasks.py", cwd=Path()).strip()
    Path(".git/objects", blob[:2], blob[2:]).unlink()


CHANGES = [
    (edit("results/train/model.txt"), "train", "outputs: changed: model.txt"),
    (lambda: Path("results/train/new").mkdir(), "train", "outputs: new: new"),
    (Path("results/train/model.txt").unlink, "train", "outputs: missing: model.txt"),
    (edit("data/raw.csv"), "train", "data: data = {'raw': 'data/raw.csv', 'more': 'data/more'}: changed: raw"),
    (Path("data/raw.csv").unlink, "train", "data: data.raw: no file or folder"),
    (edit("results/train/model.txt"), "test", "data: model = results/train/model.txt: changed: model.txt"),
    (edit("results/train/run.lock"), "test", "upstream: results/train is no longer run"),
    (forget_commit, "train", "no ref keeps commit"),
    (lose_commit, "train", "cannot be read"),
    (lose_blob, "train", "cannot be read"),
]


@pytest.mark.parametrize(("change", "name", "said"), CHANGES, ids=[said[:40] for _, _, said in CHANGES])
def test_a_change_is_told(
    runs: Path, change: Callable[[], object], name: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever changes after the run, however well it hides: one line that names it, and exit code 1."""
    place = f"results/{name}"
    assert verify(load_run(place)) == ()
    change()
    problems = verify(load_run(place))
    assert any(said in problem for problem in problems), problems
    assert main(["verify", place]) == 1
    out = capsys.readouterr().out
    assert out.startswith("differs")
    assert said in out


def test_all_is_well(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A line each; what was left out when it was hashed may change, and the cache is not asked."""
    Path("data/more/b.tmp").write_text("other")
    assert main(["verify", "results/train", "results/test"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["verified", "verified"]


def test_without_the_list(runs: Path) -> None:
    """That something has changed is known from the run.lock alone."""
    edit("results/train/model.txt")()
    for content in ("", "[1]", json.dumps({"a": 1})):
        Path("results/train/.naga/outputs.json").write_text(content)
        assert verify(load_run("results/train")) == ("outputs: not what it was",)


def test_recomputed_upstream(runs: Path) -> None:
    """A run that was moved aside by a newer one is still there to be compared with."""
    before = load_run("results/train")
    archived = Path("results/.archive", f"train~{before.run_id}")
    archived.parent.mkdir()
    Path("results/train").rename(archived)
    shutil.copytree(archived, "results/train")
    edit("results/train/run.lock")()
    assert verify(load_run("results/test")) == ()


def test_a_run_that_has_not_ended(runs: Path) -> None:
    """Nothing can be said of it but that."""
    lock = Path("results/test/run.lock")
    lock.write_text(lock.read_text().replace("status: finished", "status: running"))
    assert verify(load_run("results/test")) == ("the run has not ended: it is lost",)


def test_what_no_hash_covers(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder of links that lead out is said not to be covered when it is read, and not checked afterwards."""
    Path("farm").mkdir()
    Path("farm/raw.csv").symlink_to("../data/raw.csv")
    command = [sys.executable, "tasks.py", "save_dir=results/linked", "data={raw: farm}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "naga: warning: data: what these links lead to is outside, and was not hashed: raw/raw.csv" in done.stderr
    assert any("raw/raw.csv" in warning for warning in load_run("results/linked").record.warnings)
    assert main(["verify", "results/linked"]) == 1
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("not checked")
    assert second.startswith("  data: data: not checked: what these links lead to is outside")
