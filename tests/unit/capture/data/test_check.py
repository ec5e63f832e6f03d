from pathlib import Path

import pytest

from naga.capture.data.check import check
from naga.capture.data.outputs import capture_outputs
from naga.errors import DataError
from naga.hashing.hash_tree import hash_path


@pytest.fixture
def save_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make the folder of a finished run, the working directory."""
    for name in ("a", "b", "c"):
        (tmp_path / name).write_text(name)
    capture_outputs(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("absolute", [True, False])
def test_outputs(save_dir: Path, absolute: bool) -> None:
    """The list of a run's outputs tells what was changed, removed and added since."""
    manifest = (save_dir if absolute else Path()) / ".naga" / "outputs.json"
    assert check(manifest) == ()
    (save_dir / "a").write_text("x")
    (save_dir / "b").unlink()
    (save_dir / "d").mkdir()
    assert check(manifest) == ("changed: a", "missing: b", "new: d")


def test_lines(save_dir: Path) -> None:
    """Lines that `naga hash` printed are a list, too."""
    lines = [f"{hash_path(save_dir / name).hash}  {name}\n" for name in ("a", "b", "c")]
    (save_dir / "sums").write_text("".join(lines))
    assert check(Path("sums")) == ()
    (save_dir / "a").write_text("x")
    (save_dir / "b").unlink()
    changed, missing = check(Path("sums"))
    assert changed == "changed: a"
    assert missing.startswith("missing: b")


@pytest.mark.parametrize("content", [b"hello\n", b"[1]", b"[{}]", b"[", b"{}", b"\xff", None])
def test_no_list(save_dir: Path, content: bytes | None) -> None:
    """What is not a list is told."""
    if content is not None:
        (save_dir / "x").write_bytes(content)
    with pytest.raises(DataError, match="'x'"):
        check(Path("x"))
