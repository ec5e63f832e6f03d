"""Outputs that are not hashed at a run's end: by size, and later by `naga hash --record`."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from naga import load_run, runlock
from naga.cli import main
from naga.compare.verify import verify
from naga.errors import UsageError

FOLDER = Path("results/run")
LIST = FOLDER / ".naga/outputs.json"


def leave(**options: Any) -> None:
    """Leave a small and a large file."""

    @runlock(**options)
    def task(cfg: Any = {"save_dir": str(FOLDER)}) -> None:  # noqa: B006
        Path(cfg["save_dir"], "below").mkdir()
        Path(cfg["save_dir"], "below", "large").write_bytes(b"1" * 3000)
        Path(cfg["save_dir"], "small").write_text("1")

    task()


@pytest.mark.parametrize(
    ("size", "large"),
    [
        (True, set()),
        ("3 kB", set()),
        ("2.9kB", {"below/large"}),
        (100, {"below/large"}),
        (False, {"below/large", "small"}),
    ],
)
def test_what_exceeds_a_size_is_listed_by_it(project: Path, size: Any, large: set[str]) -> None:
    """With the reason in the list and in the lock; `verify` says that it cannot check."""
    leave(hash_outputs=size)
    run = load_run(FOLDER)
    assert (run.status, run.record.warnings) == ("finished", ())
    outputs = run.record.outputs
    assert outputs
    assert (outputs.files, outputs.size_bytes) == (2, 3001)
    assert (outputs.hash is None) == bool(large)
    listed = json.loads(LIST.read_text())
    assert {entry["path"]: entry["size_bytes"] for entry in listed} == {"below/large": 3000, "small": 1}
    assert {entry["path"] for entry in listed if "reason" in entry} == large
    assert [line for line in verify(run) if "naga hash --record" in line] if large else verify(run) == ()
    assert all(path in (outputs.reason or "") for path in large)


def test_the_hash_can_be_recorded_later(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same that the end would have recorded; keys of later releases stay, and a second time is refused."""
    leave()
    whole, everything = load_run(FOLDER).record.outputs, LIST.read_text()
    leave(hash_outputs=100)
    lock = yaml.safe_load((FOLDER / "run.lock").read_text())
    (FOLDER / "run.lock").write_text(yaml.safe_dump({**lock, "of_a_later_release": [1]}, sort_keys=False))
    assert main(["hash", "--record", str(FOLDER)]) == 0
    assert whole
    assert str(whole.hash) in capsys.readouterr().out
    run = load_run(FOLDER)
    assert (run.record.outputs, LIST.read_text(), verify(run)) == (whole, everything, ())
    after = yaml.safe_load((FOLDER / "run.lock").read_text())
    assert {key: value for key, value in after.items() if key != "outputs"} == {
        **{key: value for key, value in lock.items() if key != "outputs"},
        "of_a_later_release": [1],
    }
    assert main(["hash", "--record", str(FOLDER)]) == 2
    assert "are recorded already" in capsys.readouterr().err


def test_what_has_changed_since_is_not_recorded(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of what was hashed at the end; the lock stays as it was."""
    leave(hash_outputs=100)
    (FOLDER / "small").write_text("2")
    before = (FOLDER / "run.lock").read_bytes()
    assert main(["hash", "--record", str(FOLDER)]) == 2
    assert "have changed since its end: changed: small" in capsys.readouterr().err
    assert (FOLDER / "run.lock").read_bytes() == before


@pytest.mark.parametrize("size", ["much", "-1", "10 GBit", None])
def test_what_is_no_size_is_refused(size: Any) -> None:
    """When the script is read, not when hours of computing have passed."""
    with pytest.raises(UsageError, match="not a size"):
        runlock(hash_outputs=size)


@pytest.mark.parametrize(("size", "limit"), [("1.5 KiB", 1536), ("2GB", 2 * 10**9), ("7", 7), ("1 T", 10**12)])
def test_sizes_are_read(size: str, limit: int) -> None:
    """Decimal units, and binary ones with an i."""

    @runlock(hash_outputs=size)
    def task(cfg: Any = {"save_dir": "results/run"}) -> None:  # noqa: B006
        pass

    assert task.declares.lock
    assert task.declares.lock.hash_limit == limit
