"""What is recorded of the interpreter, the machine and the packages."""

import importlib.metadata
import os
import subprocess
import sys
from pathlib import Path

import pytest

from naga.capture.environment import capture_environment


def test_every_installed_package_is_there() -> None:
    """Names and versions as the metadata says, read without opening it."""
    packages = capture_environment().packages
    for name in ("omegaconf", "pytest", "numpy", "naga-runs"):
        assert packages[name] == importlib.metadata.version(name)
    assert list(packages) == sorted(packages, key=str.lower)


def test_the_first_of_two_versions_on_the_path_is_the_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As imports find it; old `egg-info` folders count too."""
    for folder, name in (("a", "some_tool-2.0.dist-info"), ("b", "some_tool-1.0.dist-info"), ("b", "old-0.5.egg-info")):
        (tmp_path / folder / name).mkdir(parents=True)
    monkeypatch.syspath_prepend(tmp_path / "b")
    monkeypatch.syspath_prepend(tmp_path / "a")
    packages = capture_environment().packages
    assert (packages["some-tool"], packages["old"]) == ("2.0", "0.5")


def test_the_machine_is_described_without_starting_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process costs more than everything else here."""
    monkeypatch.setattr(subprocess, "Popen", None)
    monkeypatch.setattr(os, "fork", None)
    environment = capture_environment()
    assert environment.python == sys.version.split()[0]
    assert environment.platform.startswith(os.uname().sysname)
    assert environment.cpus == os.cpu_count()
