"""Runs differ where a user made them differ, and in nothing that tells runs apart anyway."""

import dataclasses
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from workbench import Script, git

import naga
from naga import Run, load_run
from naga.compare.diff import Diff
from naga.errors import UsageError
from naga.runs.metrics import note_publication


def changed(found: Diff, part: str) -> dict[str, tuple[object, ...]]:
    """The values of a part by key."""
    return {one.key: one.values for one in found.parts[part]}


@pytest.fixture
def pair(project: Path, script: Script) -> Path:
    """Two runs of the same configuration, code and data in two folders."""
    (project / "exp.py").write_text(
        (project / "exp.py").read_text().replace("    epochs:", '    ckpt: str = "${save_dir}/ckpt"\n    epochs:')
    )
    script("exp.py", "save_dir=results/a")
    script("exp.py", "save_dir=results/b")
    return project


def test_the_same_run_twice(pair: Path) -> None:
    """Folder, time and process are no differences; what derives from save_dir is none."""
    found = naga.diff("results/a", "results/b")
    assert (bool(found), found.to_dict()) == (False, {part: [] for part in found.parts})
    assert found.unknown == {"metrics": "a: not published"}


def test_all_that_differs(pair: Path, script: Script) -> None:
    """Each part by its keys or files; a third run has a column of its own."""
    (pair / "exp.py").write_text((pair / "exp.py").read_text() + "# one\n# two\n")
    (pair / "new\tname.py").write_text("x = 1\n")
    (pair / "data/raw.csv").write_text("3\n")
    script("exp.py", "save_dir=results/c", "learning_rate=0.5", PYTHONHASHSEED="7")
    found = naga.diff("results/a", load_run("results/c"))
    assert changed(found, "config") == {"learning_rate": (0.01, 0.5)}
    assert {one.key: one.note for one in found.parts["code"]} == {"exp.py": "+2 -0", "new\tname.py": "+1 -0"}
    before, after = changed(found, "code")["new\tname.py"]
    assert (before, git("cat-file", "blob", str(after), cwd=pair)) == (None, "x = 1\n")
    assert [*changed(found, "data")] == ["input_data"]
    assert changed(found, "environment") == {"variables.PYTHONHASHSEED": (None, "7")}
    assert [*changed(found, "outputs")] == ["model.txt"]
    three = naga.diff("results/a", "results/b", "results/c", only=["config", "code"])
    assert changed(three, "config") == {"learning_rate": (0.01, 0.01, 0.5)}
    same, again, other = changed(three, "code")["exp.py"]
    assert same == again != other
    assert [*three.parts] == ["config", "code"]


def test_metrics_and_what_is_not_recorded(pair: Path) -> None:
    """Those of the newest publication; a run without one is said to have none."""
    facts = {"generation": 1, "tracking_uri": "sqlite:///x"}
    note_publication(Path("results/a"), {**facts, "metrics": {"acc": 0.5, "loss": 1.0}})
    found = naga.diff("results/a", "results/b", only=["metrics"])
    assert changed(found, "metrics") == {"acc": (0.5, None), "loss": (1.0, None)}
    assert found.unknown == {"metrics": "b: not published"}
    note_publication(Path("results/b"), {**facts, "metrics": {"acc": 0.5, "loss": 2.0}})
    found = naga.diff("results/a", "results/b", only=["metrics"])
    assert (changed(found, "metrics"), found.unknown) == ({"loss": (1.0, 2.0)}, {})
    assert [row.note for row in found.parts["metrics"]] == ["+1"]


def test_what_cannot_be_compared_file_by_file(pair: Path, tmp_path: Path) -> None:
    """Lists that are gone, and repositories that do not hold the code of both."""
    run = load_run("results/b")
    code = dataclasses.replace(run.record.code[0], tree="1" * 40, commit="2" * 40, path=str(tmp_path / "gone"))
    outputs = dataclasses.replace(run.record.outputs or pytest.fail(), hash="blake3:00")
    shutil.rmtree("results/b/.naga")
    other = Run(run.save_dir, dataclasses.replace(run.record, code=(code,), outputs=outputs))
    found = naga.diff("results/a", other)
    (row,) = found.parts["code"]
    assert (row.key, row.values[1], row.note) == ("project", "2" * 40, "different repositories")
    (row,) = found.parts["outputs"]
    assert (row.key, row.values[1]) == ("outputs", "blake3:00")


def test_the_code_in_another_worktree(pair: Path, tmp_path: Path) -> None:
    """The repository of the task is compared file by file, whatever its folder is called there."""
    git("worktree", "add", "-q", "--detach", str(tmp_path / "other"), cwd=pair)
    shutil.copytree(pair / "data", tmp_path / "other/data")
    (tmp_path / "other/exp.py").write_text((pair / "exp.py").read_text() + "# one\n")
    subprocess.run([sys.executable, "exp.py", "save_dir=results/c"], cwd=tmp_path / "other", check=True)
    found = naga.diff("results/a", tmp_path / "other/results/c", only=["code"])
    assert {one.key: one.note for one in found.parts["code"]} == {"exp.py": "+1 -0"}


def test_a_part_that_there_is_not(pair: Path) -> None:
    """The nearest is proposed."""
    with pytest.raises(UsageError, match="did you mean 'config'"):
        naga.diff("results/a", "results/b", only=["confg"])


def test_json_holds_whatever_a_configuration_holds(pair: Path) -> None:
    """Lists as they are, keys that are no text, absent ones as null."""
    run = load_run("results/a")
    other = Run(run.save_dir, dataclasses.replace(run.record, config={1: [True, None], "a": {}}))
    found = naga.diff(run, other, only=["config"])
    rows = json.loads(json.dumps(found.to_dict()))["config"]
    assert {"key": "1", "values": [None, [True, None]]} in rows
    assert {"key": "a", "values": [None, {}]} in rows
