"""Launchers by name: what is typed becomes an executor, or one line that says why not."""

import os
import signal
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from naga.errors import NagaError, UsageError
from naga.launch import Launch, open_launcher, slurm
from naga.launch.elsewhere import cancel_jobs, job_states, mark_of


def how(*options: str, leave: bool = False) -> Launch:
    """What a launcher is opened with."""
    return Launch(jobs=2, forks=False, timeout=None, options=options, sweep="0123", leave=leave)


def pid_of(point: dict[str, Any]) -> dict[str, Any]:
    """Say which process this is; ``die`` is a signal that ends it before."""
    if point.get("die"):
        os.kill(os.getpid(), point["die"])
    return {"pid": os.getpid()}


@pytest.fixture
def importable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Any]:
    """`pid_of` in a module that new processes find."""
    text = Path(__file__).read_text()
    start = text.index("def pid_of")
    body = text[start : text.index("\n\n\n", start)]
    (tmp_path / "points_of_a_test.py").write_text(f"import os\nfrom typing import Any\n\n{body}\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    yield import_module("points_of_a_test").pid_of
    sys.modules.pop("points_of_a_test", None)  # a later test would find it imported


def test_any_executor_gives_each_point_a_process(importable: Any) -> None:
    """Points through threads run in processes of their own, and one that dies is an answer."""
    with open_launcher("concurrent.futures:ThreadPoolExecutor", how("max_workers=2")) as executor:
        points: tuple[dict[str, Any], ...] = ({}, {}, {"die": int(signal.SIGKILL)})
        said = [future.result() for future in [executor.submit(importable, point) for point in points]]
    assert len({os.getpid(), said[0]["pid"], said[1]["pid"]}) == 3
    assert said[2] == {"died": "killed by SIGKILL"}


class Broken(ThreadPoolExecutor):
    """An executor whose workers are gone."""

    def submit(self, *_: object, **__: object) -> Any:
        future = super().submit(lambda: 1 / 0)
        future.exception()
        return future


def no_executor() -> Sequence[int]:
    """Not what a launcher is."""
    return []


def test_an_executor_that_breaks_is_an_answer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What the executor raises instead of an answer is what the point died of."""
    monkeypatch.setattr("concurrent.futures.Broken", Broken, raising=False)
    with open_launcher("concurrent.futures:Broken", how()) as executor:
        assert executor.submit(pid_of, {}).result() == {"died": "ZeroDivisionError: division by zero"}


@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        ("slum", (), "no launcher 'slum'"),
        ("nowhere:made", (), "No module named 'nowhere'"),
        ("concurrent.futures:Made", (), "has no attribute 'Made'"),
        ("concurrent.futures:ThreadPoolExecutor", ("workers=2",), "unexpected keyword argument 'workers'"),
        ("builtins:list", (), "gives a list"),
        ("dask", ("adress=tcp://h:1",), "has no option 'adress'"),
        ("local", ("x=1",), "has no options"),
    ],
)
def test_what_is_no_launcher_is_refused(name: str, options: tuple[str, ...], says: str) -> None:
    """A mistyped name or option is refused in one line, with what to type instead."""
    with pytest.raises(UsageError, match=says) as refused, open_launcher(name, how(*options)):
        pass
    assert refused.value.hint


@pytest.mark.parametrize("name", ["dask", "concurrent.futures:ThreadPoolExecutor", "local"])
def test_only_a_queue_can_be_left(name: str) -> None:
    """What ends with the process that started it cannot be left."""
    with pytest.raises(UsageError, match="--no-wait"), open_launcher(name, how(leave=True)):
        pass


@pytest.mark.parametrize(("name", "needs"), [("slurm", "submitit"), ("dask", "distributed")])
def test_what_is_not_installed_is_named(name: str, needs: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its extra, a launcher says which to install."""
    monkeypatch.setitem(__import__("sys").modules, needs, None)
    with pytest.raises(UsageError) as refused, open_launcher(name, how()):
        pass
    assert f"pip install 'naga-runs[{name}]'" in str(refused.value)


def test_without_slurm(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no Slurm, its launcher says so, and no one else asks for jobs."""
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(NagaError, match="no scontrol"), open_launcher("slurm", how()):
        pass
    assert (job_states("0123"), cancel_jobs("0123")) == ({}, [])


def test_marks(tmp_path: Path) -> None:
    """The same sweep in another folder is another's; a link to a folder is that folder."""
    (tmp_path / "a").mkdir()
    (tmp_path / "link").symlink_to("a")
    assert mark_of("1", tmp_path / "a") == mark_of("1", tmp_path / "link")
    assert mark_of("1", tmp_path / "a") != mark_of("1", tmp_path / "b")
    assert mark_of("1", tmp_path / "a") != mark_of("2", tmp_path / "a")


def test_a_folder_for_slurm_that_cannot_be_made(tmp_path: Path) -> None:
    """One line, as for one that others can open."""
    (tmp_path / "file").touch()
    with pytest.raises(NagaError, match="cannot be made: Not a directory"):
        slurm._private(tmp_path / "file" / "slurm")
    (tmp_path / "open").mkdir(mode=0o755)
    with pytest.raises(NagaError, match="can be opened by others"):
        slurm._private(tmp_path / "open")
