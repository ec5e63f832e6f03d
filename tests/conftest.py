"""What many tests need: a project in a real git repository, and a way to run its scripts."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from workbench import EXPERIMENT, Script, git

from naga.hashing.hash_tree import hash_path
from naga.project import top_of

collect_ignore = ["mutants.py", "crate/validate.py"]  # commands

# A shell starts what it puts in the background with Ctrl-C ignored, which every process of the tests would inherit.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_sessionfinish() -> None:
    """Save what was measured in this process: xdist kills a worker that takes more than ten seconds to exit."""
    if (coverage := sys.modules.get("coverage")) and (measured := coverage.Coverage.current()):
        measured.stop()
        measured.save()


@pytest.fixture(autouse=True)
def own_caches(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep every test away from the caches, trackers and settings of whoever runs it."""
    monkeypatch.setenv("NAGA_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
    monkeypatch.setenv("NAGA_SNAPSHOT", "on")
    monkeypatch.setenv("NAGA_QUIET", "1")
    for name in [name for name in os.environ if name.startswith(("MLFLOW_", "GIT_"))]:
        monkeypatch.delenv(name)


def _snapshots(places: set[Path]) -> dict[Path, str]:
    return {top: git("for-each-ref", "refs/naga", "refs/heads/run_logs", cwd=top) for top in sorted(places)}


@pytest.fixture(autouse=True, scope="session")
def no_snapshot_outside() -> Iterator[None]:
    """Tests leave no ref in the repositories that they do not make: this checkout, and the interpreter's own."""
    tops = (top_of(Path(place).resolve()) for place in (__file__, sys.base_prefix))
    places = {top for top in tops if top is not None}
    before = _snapshots(places)
    yield
    assert _snapshots(places) == before


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A git repository with a committed experiment and its data, which is the current folder."""
    folder = tmp_path / "project"
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "raw.csv").write_text("1\n2\n")
    (folder / "exp.py").write_text(EXPERIMENT)
    (folder / ".gitignore").write_text("results/\ndata/\nmlflow.db\nmlruns/\n__pycache__/\n")
    git("init", "-q", cwd=folder)
    git("add", "exp.py", ".gitignore", cwd=folder)
    git("commit", "-qm", "Begin", cwd=folder)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def script(project: Path) -> Script:
    """Run a script of the project in a process of its own: ``script("exp.py", "learning_rate=1")``."""

    def run(*words: str, check: bool = True, **environment: str) -> "subprocess.CompletedProcess[str]":
        done = subprocess.run(
            [sys.executable, *words],
            cwd=project, capture_output=True, text=True, check=False, timeout=90, env={**os.environ, **environment},
        )  # fmt: skip
        assert not check or done.returncode == 0, done.stderr
        return done

    return run


@pytest.fixture
def as_nobody(tmp_path: Path) -> Iterator[Callable[[], None]]:
    """Give what gives up root's privileges, under which every file can be read, until the end of the test."""
    hash_path(tmp_path)  # imports what may lie where only root reads
    opened = [folder for folder in (tmp_path, *tmp_path.parents) if not folder.stat().st_mode & 0o001]
    modes = {folder: folder.stat().st_mode & 0o7777 for folder in opened}

    def give_up() -> None:
        if os.geteuid() == 0:
            for folder in opened:
                folder.chmod(0o755)
            os.seteuid(65534)

    yield give_up
    if os.getuid() == 0:
        os.seteuid(0)
        for folder, mode in modes.items():
            folder.chmod(mode)
