"""What is recorded of the interpreter, the machine and the packages."""

import importlib.metadata
import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from workbench import git

import naga
from naga.capture.environment import capture_environment
from naga.errors import UsageError


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
    assert environment.memory_bytes is not None
    assert environment.memory_bytes > 2**28


def installed(site: Path, name: str, **about: object) -> None:
    """Lay the metadata of an installed package."""
    folder = site / f"{name}-1.0.dist-info"
    folder.mkdir(parents=True)
    (folder / "direct_url.json").write_text(json.dumps(about))


def test_packages_that_no_index_delivered_have_an_origin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The commit of what was installed from a repository; of an editable one, what HEAD is now."""
    source, site = tmp_path / "source", tmp_path / "site"
    source.mkdir()
    git("init", "-q", cwd=source)
    git("commit", "-qm", "Begin", "--allow-empty", cwd=source)
    head = git("rev-parse", "HEAD", cwd=source).strip()
    installed(site, "edited", url=f"file://{source}/sub%20folder", dir_info={"editable": True})
    vcs = {"vcs": "git", "commit_id": "c0ffee"}
    installed(site, "cloned", url="https://ana:s3cr3t-word@host/x.git", vcs_info=vcs)
    installed(site, "broken", nothing=1)
    monkeypatch.syspath_prepend(site)
    for pack in (False, True):
        if pack:
            git("pack-refs", "--all", cwd=source)
        origins = capture_environment().origins
        assert origins["edited"].commit == head
        assert origins["edited"].editable is True
        assert (origins["cloned"].url, origins["cloned"].commit) == ("https://ana:<redacted>@host/x.git", "c0ffee")
        assert "broken" not in origins


def test_files_that_describe_the_environment_are_hashed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The nearest ones, not above the repository."""
    (tmp_path / "requirements.txt").touch()
    (tmp_path / "repo/.git").mkdir(parents=True)
    assert capture_environment(tmp_path / "repo").files == {}
    (tmp_path / "repo/uv.lock").write_bytes(b"")
    (tmp_path / "repo/scripts").mkdir()
    empty = "blake3:af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"
    assert capture_environment(tmp_path / "repo/scripts").files == {str(tmp_path / "repo/uv.lock"): empty}


def test_telling_variables_are_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that change results, and those that were asked for; secrets are redacted."""
    for name, value in (("CUDA_VISIBLE_DEVICES", "1"), ("MY_TOKEN", "abc"), ("MY_ROOT", "/d"), ("OTHER", "x")):
        monkeypatch.setenv(name, value)
    variables = capture_environment(variables=["MY_TOKEN", "MY_ROOT", "ABSENT"]).variables
    assert variables["CUDA_VISIBLE_DEVICES"] == "1"
    assert (variables["MY_TOKEN"], variables["MY_ROOT"]) == ("<redacted>", "/d")
    assert not {"OTHER", "ABSENT"} & set(variables)


def test_it_does_not_keep_a_run_waiting() -> None:
    """Less than 50 ms, the best of five."""
    times = []
    for _ in range(5):
        began = time.perf_counter()
        capture_environment()
        times.append(time.perf_counter() - began)
    assert min(times) < 0.05


def test_seeds_are_recorded_with_their_run(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is set within it or before it, once."""
    monkeypatch.setenv("PYTHONHASHSEED", "0")
    import numpy as np

    def main(cfg: Any = {"save_dir": "a"}) -> list[float]:  # noqa: B006
        naga.seed_everything(cfg.get("seed", 3))
        return [random.random(), np.random.rand()]

    task = naga.runlock(main)
    assert task() == task(save_dir="b")
    naga.runlock(lambda cfg={"save_dir": "c"}: None)()
    seeds = [naga.load_run(name).record.environment for name in "abc"]
    assert [environment and environment.seed for environment in seeds] == [3, 3, None]
    for wrong in (-1, 2**32, "3", True):
        with pytest.raises(UsageError):
            naga.seed_everything(wrong)  # type: ignore[arg-type]
