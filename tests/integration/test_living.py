"""What the page about living with Naga says of shared folders, releases, times and the network, in real processes."""

import os
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from workbench import Script, git

import naga
from naga import load_run

GROUP, ANA, BEN, EVA = 60000, 50001, 50002, 50003  # Eva is in another group
PUBLISHES = """
import mlflow

from exp import main
from naga.mlflow_log import mlflow_log_run


@mlflow_log_run
def diag(cfg):
    mlflow.log_metric("epochs", cfg.epochs)


if __name__ == "__main__":
    diag({run!r})
"""
WAITS = """
import time
from pathlib import Path

from exp import main as train
from naga import clicfg, runlock, snapshot, track_data


@runlock
@snapshot
@track_data("input_data")
@clicfg
def main(cfg: dict = {"save_dir": "results/long", "input_data": "data/raw.csv"}):
    Path("begun").touch()
    while not Path("go").exists():
        time.sleep(0.05)
    Path(cfg["save_dir"], "model.txt").write_text("trained")
    print("done")


if __name__ == "__main__":
    main()
"""
# Every connection but to this machine's own sockets is written down, and refused.
WATCHED = """
import socket

def refused(self, address):
    if self.family != socket.AF_UNIX:
        with open("connections", "a") as file:
            file.write(f"{address}\\n")
        raise ConnectionRefusedError(address)

socket.socket.connect = socket.socket.connect_ex = refused
"""


def everything(folder: Path) -> list[Path]:
    """The folder, and all that is in it."""
    return [folder, *folder.rglob("*")]


def test_umask_and_setgid_stay(project: Path) -> None:
    """What a run leaves in a folder of a group belongs to the group, and may be written by it."""
    root = project / "results"
    root.mkdir()
    group = GROUP if os.getuid() == 0 else os.getgid()
    os.chown(root, -1, group)
    root.chmod(0o2775)
    command = f"umask 002; exec '{sys.executable}' exp.py"
    subprocess.run(["sh", "-c", f"{command}; {command}"], check=True)
    made = everything(root / "run")
    assert {path.stat().st_gid for path in made} == {group}
    assert {path for path in made if path.is_dir() and not path.stat().st_mode & stat.S_ISGID} == set()
    # A heartbeat or claim is written by its owner alone, and replaced, not opened, by another.
    assert {path for path in made if not path.stat().st_mode & stat.S_IWGRP} == set()


@pytest.fixture
def person(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., "subprocess.CompletedProcess[str]"]]:
    """Run a script of the project as one of several people, where all of them may go: pytest's folder is its user's."""
    if os.getuid() != 0:
        pytest.skip("only root can be other people")
    with tempfile.TemporaryDirectory(prefix="naga-people-") as name:
        place = Path(name, "project")
        shutil.copytree(project, place)
        monkeypatch.chdir(place)
        monkeypatch.delenv("NAGA_CACHE_DIR")
        yield people(place)


def people(project: Path) -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """Give the project to Ana and her group; how to run a script of it as somebody."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    pythons = (os.path.realpath(sys.executable), f"/usr/bin/{version}", f"/usr/local/bin/{version}")

    def reached(python: str) -> bool:
        try:
            return not subprocess.run(
                [python, "-c", ""], user=ANA, group=GROUP, extra_groups=[], check=False
            ).returncode
        except PermissionError:
            return False

    python = next((python for python in pythons if Path(python).exists() and reached(python)), None)
    if python is None:
        pytest.skip("other people can start no Python of this version")
    packages = [path for path in sys.path if path.endswith("site-packages")]
    project.parent.chmod(0o755)

    def run(user: int, group: int, *words: str, umask: int = 0o002) -> "subprocess.CompletedProcess[str]":
        home = project.parent / f"home-{user}"
        home.mkdir(exist_ok=True)
        os.chown(home, user, group)
        own = {"HOME": str(home), "PYTHONPATH": ":".join([str(Path(naga.__file__).parents[1]), *packages])}
        own |= {"NAGA_CACHE_DIR": str(home / "cache"), "MLFLOW_TRACKING_URI": f"sqlite:///{home}/mlflow.db"}
        own |= {"GIT_CONFIG_GLOBAL": str(project.parent / "gitconfig"), "PYTHONDONTWRITEBYTECODE": "1"}
        (project.parent / "gitconfig").write_text("[safe]\n\tdirectory = *\n[user]\n\tname = A\n\temail = a@b\n")
        return subprocess.run([python, *words], cwd=project, env=os.environ | own, user=user, group=group, umask=umask,
                              extra_groups=[], capture_output=True, text=True, check=False, timeout=120)  # fmt: skip

    for path in everything(project):
        os.chown(path, ANA, GROUP)
        path.chmod(path.stat().st_mode | (0o2070 if path.is_dir() else 0o060) | 0o005)
    return run


def test_another_member_of_the_group_can_diag(
    project: Path, person: Callable[..., "subprocess.CompletedProcess[str]"]
) -> None:
    """Who may write in the run's folder publishes it as its owner would."""
    Path("diag.py").write_text(PUBLISHES.format(run="results/run"))
    computed = person(ANA, GROUP, "exp.py")
    assert computed.returncode == 0, computed.stderr
    published = person(BEN, GROUP, "diag.py")
    assert published.returncode == 0, published.stderr
    assert load_run("results/run").metrics == {"epochs": 10}


def test_a_run_that_can_only_be_read_is_published(
    project: Path, person: Callable[..., "subprocess.CompletedProcess[str]"]
) -> None:
    """Nothing is left beside the run, and that is said."""
    Path("diag.py").write_text(PUBLISHES.format(run="results/run"))
    assert person(ANA, GROUP, "exp.py", umask=0o022).returncode == 0
    before = {path: path.read_bytes() for path in everything(Path("results/run")) if path.is_file()}
    published = person(EVA, GROUP + 1, "diag.py")
    assert published.returncode == 0, published.stderr
    assert "warning" in published.stderr
    assert {path: path.read_bytes() for path in everything(Path("results/run")) if path.is_file()} == before


def test_a_release_changes_under_a_running_run(project: Path) -> None:
    """A process that computes ends with the code that it began with, whatever pip puts in its place."""
    installed = project.parent / "installed"
    shutil.copytree(Path(naga.__file__).parent, installed / "naga", ignore=shutil.ignore_patterns("__pycache__"))
    Path("long.py").write_text(WAITS)
    own = os.environ | {"PYTHONPATH": str(installed), "PYTHONDONTWRITEBYTECODE": "1"}
    running = subprocess.Popen([sys.executable, "long.py"], env=own, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not Path("begun").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    for module in installed.rglob("*.py"):
        module.write_text("raise ImportError('this is another release')\n")
    assert subprocess.run([sys.executable, "exp.py"], env=own, capture_output=True, check=False).returncode == 1
    Path("go").touch()
    _, said = running.communicate(timeout=60)
    assert running.returncode == 0, said
    run = load_run("results/long")
    assert (run.status, run.record.outputs and run.record.outputs.files) == ("finished", 1), said
    assert "done" in (run.save_dir / "console.log").read_text()


def test_nothing_is_sent_anywhere(project: Path, script: Script) -> None:
    """Neither by a run, nor by what looks at runs: no name is looked up, and no connection made."""
    Path("watched").mkdir()
    Path("watched/sitecustomize.py").write_text(WATCHED)
    script("exp.py", PYTHONPATH="watched")
    for command in ("ls", "show results/run", "verify results/run", "diff results/run results/run", "doctor"):
        words = ["-c", "import sys; from naga.cli import main; sys.exit(main(sys.argv[1:]))", *command.split()]
        script(*words, PYTHONPATH="watched")
    assert not Path("connections").exists()
    with pytest.raises(AssertionError, match="ConnectionRefusedError"):  # the watch works
        script("-c", "import socket; socket.create_connection(('127.0.0.1', 9))", PYTHONPATH="watched")
    assert Path("connections").exists()


def test_times_are_shown_as_the_clock_on_the_wall(project: Path, script: Script) -> None:
    """The same run, seen from two time zones; what is stored is the same."""
    script("exp.py")
    before = Path("results/run/run.lock").read_bytes()
    words = ["-c", "import sys; from naga.cli import main; main(['show', 'results/run'])"]
    lines = [script(*words, TZ=zone).stdout for zone in ("UTC", "Asia/Tokyo")]
    shown = [next(line for line in text.splitlines() if line.startswith("started")) for text in lines]
    hours = [int(line.split()[2].split(":")[0]) for line in shown]
    assert (hours[1] - hours[0]) % 24 == 9
    assert Path("results/run/run.lock").read_bytes() == before


def test_how_to_leave(project: Path, script: Script) -> None:
    """The commands of the page take away what Naga has put into a repository, and nothing else."""
    before = git("for-each-ref", cwd=project)
    script("exp.py")
    assert "refs/naga/" in git("for-each-ref", cwd=project)
    page = (Path(__file__).parents[2] / "docs" / "living_with_it.md").read_text()
    commands = [
        row.split(" | ")[2].strip("` |") for row in page.splitlines() if row.startswith(("| snapshots", "| the log"))
    ]
    for command in commands:
        subprocess.run(["sh", "-c", command.replace("\\|", "|")], check=True)
    assert git("for-each-ref", cwd=project) == before
    assert load_run("results/run").status == "finished"
