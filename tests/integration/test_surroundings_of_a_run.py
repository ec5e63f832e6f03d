"""Nothing to remember: a run proceeds or refuses clearly, whatever its surroundings are like."""

import os
import subprocess
import sys
import tempfile
from datetime import datetime, timedelta, tzinfo
from pathlib import Path

import pytest
from workbench import Script

from naga import load_run, runlock
from naga.errors import SaveDirError

HERE = Path(__file__).parent


@pytest.mark.parametrize("home", ["/nowhere", "/proc", ""])
def test_a_home_that_cannot_be_used(script: Script, home: str) -> None:
    """Read-only, missing or absent: the run proceeds."""
    script("exp.py", HOME=home, NAGA_CACHE_DIR="", XDG_CACHE_HOME="")
    assert load_run("results/run").status == "finished"


@pytest.mark.parametrize("utf8", ["", "0"])
def test_a_locale_of_c(project: Path, script: Script, utf8: str) -> None:
    """Names beyond ASCII lead to their folder, even where Python itself takes them for undecodable."""
    script("exp.py", "save_dir=results/größe", LC_ALL="C", PYTHONUTF8=utf8, PYTHONCOERCECLOCALE=utf8)
    run = load_run("results/größe")
    assert run.status == "finished"
    assert os.fsencode(run.record.save_dir) == "results/größe".encode()


def test_a_thousand_threads(project: Path) -> None:
    """Before and after main."""
    code = "import threading, naga\nstop = threading.Event()\n"
    code += "for _ in range(1000): threading.Thread(target=stop.wait).start()\n"
    task = "@naga.runlock\ndef main(cfg={'save_dir': 'results/run'}): pass\nmain(); stop.set()\n"
    subprocess.run([sys.executable, "-c", code + task], check=True, cwd=project)
    assert load_run("results/run").status == "finished"


def test_no_thread_more(project: Path) -> None:
    """A limit that leaves no room for the heartbeat is no reason not to compute."""

    def refuse(self: object) -> None:
        raise RuntimeError("can't start new thread")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("threading.Thread.start", refuse)
        runlock(lambda cfg={"save_dir": "results/run"}: None)()
    assert load_run("results/run").status == "finished"


def test_a_clock_that_jumps_back(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The final lock is written, its duration is true, and a reader is warned."""

    class Clock(datetime):
        ahead = timedelta(hours=1)

        @classmethod
        def now(cls, tz: tzinfo | None = None) -> "Clock":
            return datetime.now(tz) + cls.ahead  # type: ignore[return-value]

    monkeypatch.setattr("naga.record.schema.datetime", Clock)

    def task(cfg: object = {"save_dir": "results/run"}) -> None:
        Clock.ahead = timedelta(0)

    runlock(task)()
    record = load_run("results/run").record
    assert record.status == "finished"
    assert record.duration_s is not None
    assert 0 <= record.duration_s < 60
    assert any("clock" in warning for warning in record.warnings)


def test_a_read_only_folder_is_found_before_main() -> None:
    """One clear error, nothing computed and nothing left; root, who may write anywhere, becomes somebody else."""
    with tempfile.TemporaryDirectory(prefix="naga-read-only-") as folder:
        Path(folder).chmod(0o555)

        def task(cfg: object = {"save_dir": f"{folder}/run"}) -> None:
            raise AssertionError

        former = os.geteuid()
        if former == 0:
            os.seteuid(65534)
        try:
            with pytest.raises(SaveDirError, match="Permission denied"):
                runlock(task)()
        finally:
            os.seteuid(former)
        assert not list(Path(folder).iterdir())
        Path(folder).chmod(0o755)


@pytest.mark.parametrize("call", ["write", "fsync", "rename"])
def test_a_full_disk_at_the_start_is_a_refusal(project: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    """One clear error, and the folder is free again for this very process."""
    import errno

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    task = runlock(lambda cfg={"save_dir": "results/run"}: None)
    target = {"write": "naga.run.begin.write_lock", "fsync": "os.fsync", "rename": "pathlib.Path.replace"}[call]
    with monkeypatch.context() as patch:
        patch.setattr(target, full)
        with pytest.raises(SaveDirError, match="No space left"):
            task()
    task()
    assert load_run("results/run").record.attempt == 1


def test_a_swallowing_finally_is_warned_of_once(project: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """By reading the function: with its line; loops and functions inside are no concern."""

    def task(cfg: object = {"save_dir": "results/run"}) -> int:
        try:
            raise KeyboardInterrupt
        finally:
            return 2  # noqa: B012

    def harmless(cfg: object = {"save_dir": "results/other"}) -> None:
        try:
            pass
        finally:
            for _ in range(2):
                break

            def inner() -> int:
                return 1

    runlock(task)()
    warning = next(one for one in load_run("results/run").record.warnings if "finally" in one)
    line = next(n for n, text in enumerate(Path(__file__).read_text().splitlines(), 1) if text.endswith("# noqa: B012"))
    assert warning.startswith(f"task() has `return` in `finally` ({Path(__file__).name}:{line})")
    assert capfd.readouterr().err.count("finally") == 1
    runlock(harmless)()
    assert load_run("results/other").record.warnings == ()


def test_a_forked_child_ends_no_run(project: Path, script: Script) -> None:
    """It comes back from the function by itself, and its parent's lock goes on saying that the run is running."""
    (project / "forks.py").write_text(
        "import os, sys\n"
        "from naga import load_run, runlock\n"
        "@runlock\n"
        "def main(cfg={'save_dir': 'results/run'}):\n"
        "    child = os.fork()\n"
        "    if not child:\n"
        "        sys.exit(3)\n"
        "    os.waitpid(child, 0)\n"
        "    print(load_run('results/run').record.status)\n"
        "main()\n"
    )
    assert script("forks.py").stdout == "running\n"
    assert load_run("results/run").record.status == "finished"
