import json
import os
from pathlib import Path

import pytest

from naga.capture.data.outputs import capture_outputs, missing_outputs
from naga.hashing.hash_tree import hash_path


@pytest.fixture
def save_dir(tmp_path: Path) -> Path:
    """Make the folder of a run."""
    root = tmp_path / "run"
    (root / "plots").mkdir(parents=True)
    (root / "model.pkl").write_bytes(b"model")
    (root / "plots" / "loss.png").write_bytes(b"png")
    return root


def test_naga_left_out(save_dir: Path) -> None:
    """Naga's own files do not count, so the hash is that of the results alone and stays what it is."""
    expected = hash_path(save_dir).hash
    (save_dir / "run.lock").write_text("schema: naga.run/1")
    (save_dir / ".naga-0123456789abcdef.tmp").touch()
    outputs = capture_outputs(save_dir)
    assert (outputs.hash, outputs.size_bytes, outputs.files) == (expected, 8, 2)
    assert capture_outputs(save_dir) == outputs


def test_list(save_dir: Path) -> None:
    """The list names each file with its size and hash."""
    capture_outputs(save_dir)
    assert json.loads((save_dir / ".naga" / "outputs.json").read_text()) == [
        {"path": path, "kind": "file", "size_bytes": size, "hash": hash_path(save_dir / path).hash}
        for path, size in (("model.pkl", 5), ("plots/loss.png", 3))
    ]


def test_runs_below(save_dir: Path) -> None:
    """A run below is another run: what it does later changes nothing here."""
    before = capture_outputs(save_dir)
    below = save_dir / "sweep" / "0"
    below.mkdir(parents=True)
    (below / "run.lock").touch()
    (below / "model.pkl").touch()
    assert capture_outputs(save_dir) == before


def test_sockets_left_out(save_dir: Path) -> None:
    """What has no content is no output, and spoils no manifest."""
    before = capture_outputs(save_dir)
    os.mkfifo(save_dir / "fifo")
    assert capture_outputs(save_dir) == before


def test_nothing(tmp_path: Path) -> None:
    """A run that left nothing has outputs all the same: none."""
    assert capture_outputs(tmp_path).files == 0


def test_missing_outputs(save_dir: Path) -> None:
    """Of what was declared, what is not there is named: files and folders, wherever below."""
    assert missing_outputs(save_dir, ["model.pkl", "plots", "plots/loss.png"]) == ()
    (save_dir / "dangling").symlink_to("nothing")
    assert missing_outputs(save_dir, ["metrics.json", "plots/x.png", "dangling"]) == (
        "metrics.json",
        "plots/x.png",
        "dangling",
    )


def test_folder_with_its_own_run_lock_as_a_link(save_dir: Path) -> None:
    """A link to another run is a link, no folder."""
    other = save_dir.with_name("other")
    other.mkdir()
    (other / "run.lock").touch()
    (save_dir / "base").symlink_to(other)
    capture_outputs(save_dir)
    entries = json.loads((save_dir / ".naga" / "outputs.json").read_text())
    assert [entry["kind"] for entry in entries if entry["path"] == "base"] == ["link"]


@pytest.mark.parametrize("name", [".naga-mine/y.tmp", "sub/.naga-0.tmp"])
def test_only_temporary_files_at_the_top_are_left_out(save_dir: Path, name: str) -> None:
    """A user's own file whose path looks like one of them is an output."""
    (save_dir / name).parent.mkdir()
    (save_dir / name).touch()
    assert capture_outputs(save_dir).files == 3


def test_the_list_of_a_superseded_run(save_dir: Path) -> None:
    """Who has lost the folder while it hashed writes nothing there."""
    outputs = capture_outputs(save_dir, may_write=lambda: False)
    assert outputs.hash == hash_path(save_dir).hash
    assert not (save_dir / ".naga").exists()


def test_folders_of_diags_and_own_ones(save_dir: Path) -> None:
    """A folder that a diag was given is no output; one of the task's that is beside it is."""
    before = capture_outputs(save_dir)
    (save_dir / ".naga/diag").mkdir(parents=True)
    (save_dir / ".naga/diag/1").touch()
    (save_dir / "diag/1").mkdir(parents=True)
    (save_dir / "diag/1/figure").touch()
    assert capture_outputs(save_dir) == before
    (save_dir / "diag/own").mkdir()
    (save_dir / "diag/own/table").touch()
    entries = json.loads((save_dir / ".naga/outputs.json").read_text())
    capture_outputs(save_dir)
    added = json.loads((save_dir / ".naga/outputs.json").read_text())
    assert [entry["path"] for entry in added if entry not in entries] == ["diag/own/table"]
