"""What a worker finds a task by, and what it says where it cannot."""

import copy
import importlib
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import cloudpickle
import pytest

from naga import clicfg
from naga.errors import UsageError
from naga.process.workers import Origin, reference_to

MODULE = """
import naga

@naga.clicfg
def main(cfg={"a": 1}):
    return cfg["a"]

other = naga.clicfg(lambda cfg={"a": 2}: cfg["a"])

class Lab:
    @naga.clicfg
    @staticmethod
    def alone(cfg={"a": 3}):
        return cfg["a"]
"""
FOREIGN = """
import pickle, sys
sys.path.append("..")
print(pickle.load(sys.stdin.buffer)())
"""


def elsewhere(pickled: bytes, folder: Path) -> "subprocess.CompletedProcess[bytes]":
    """Call what arrives in a process that knows nothing, in another folder."""
    return subprocess.run([sys.executable, "-c", FOREIGN], input=pickled, capture_output=True, check=False, cwd=folder)


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """An imported module with tasks."""
    (tmp_path / "pkg").mkdir()
    (tmp_path / "pkg/work.py").write_text(MODULE)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    yield importlib.import_module("pkg.work")
    for name in ("pkg", "pkg.work"):
        del sys.modules[name]


@pytest.mark.parametrize(("name", "got"), [("main", b"1"), ("other", b"2"), ("Lab.alone", b"3")])
@pytest.mark.parametrize("dumps", [pickle.dumps, cloudpickle.dumps])
def test_by_reference(module: Any, tmp_path: Path, name: str, got: bytes, dumps: Any) -> None:
    """Under the name that it stands under, wherever its module has to be looked for."""
    task = module.Lab.alone if "." in name else getattr(module, name)
    done = elsewhere(dumps(task), tmp_path / "elsewhere")
    assert done.stdout.strip() == got, done.stderr
    reference = reference_to(task)
    assert reference is not None
    assert (reference.name, reference.root) == (name, str(tmp_path))


def test_at_home_it_stays_itself(module: Any) -> None:
    """Pickled and copied; what a class holds stays what it holds."""
    assert pickle.loads(pickle.dumps(module.main)) is module.main
    assert copy.deepcopy(module.main) is copy.copy(module.main) is module.main
    held = vars(module.Lab)["alone"]
    assert pickle.loads(pickle.dumps(held)) is held


def test_a_closure_goes_by_value(tmp_path: Path) -> None:
    """By any pickler, with what it encloses, and with itself."""
    number = 4

    @clicfg
    def inner(cfg: Any = {"more": True}) -> Any:  # noqa: B006  # a task never hands out its default
        return inner(more=False) if cfg["more"] else number

    for dumps in (pickle.dumps, cloudpickle.dumps):
        arrived = elsewhere(dumps(inner), tmp_path)
        assert arrived.stdout.strip() == b"4", arrived.stderr


def test_a_scheduler_passes_it_on(module: Any, tmp_path: Path) -> None:
    """Without importing its module: what is not used is not loaded."""
    (tmp_path / "between.py").write_text(
        "import pickle, sys\ntask = pickle.load(sys.stdin.buffer)\nassert 'pkg.work' not in sys.modules\n"
        "sys.stdout.buffer.write(pickle.dumps(task))\n"
    )
    words = [sys.executable, "between.py"]
    passed = subprocess.run(words, input=pickle.dumps(module.main), capture_output=True, check=True).stdout
    assert elsewhere(passed, tmp_path / "elsewhere").stdout.strip() == b"1"


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        ("raise SystemExit(3)", b"cannot import"),
        (MODULE.replace("main", "another"), b"has no main"),
    ],
)
def test_what_is_not_found_is_one_line(module: Any, tmp_path: Path, edit: str, said: bytes) -> None:
    """Raised by the call, which a scheduler hands back, and not by unpickling, which would break its pool."""
    pickled = pickle.dumps(module.main)
    (tmp_path / "pkg/work.py").write_text(edit)
    done = elsewhere(pickled, tmp_path / "elsewhere")
    assert said in done.stderr
    assert b"UsageError" in done.stderr


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    """On another host, perhaps: both are named."""
    with pytest.raises(UsageError, match=rf"exp\.main was sent from '/no/where'.*{os.uname().nodename}"):
        Origin(task="exp.main", folder="/no/where").enter()
