import os
import socket
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


@pytest.mark.parametrize(
    "content", [b"hello\n", b"[1]", b"[{}]", b"[", b"{}", b"\xff", b"[" * 100_000, b'[{"path": 1, "hash": "x"}]', None]
)
def test_no_list(save_dir: Path, content: bytes | None) -> None:
    """What is not a list is reported."""
    if content is not None:
        (save_dir / "x").write_bytes(content)
    with pytest.raises(DataError, match="'x'"):
        check(Path("x"))


@pytest.mark.timeout(5)
@pytest.mark.parametrize("place", ["sums", ".naga/outputs.json"])
@pytest.mark.parametrize("odd", ["fifo", "socket", "folder", "endless", "device"])
def test_odd_files(save_dir: Path, odd: str, place: str) -> None:
    """Whatever is where a list is expected is named at once."""
    file = Path(place)
    file.unlink(missing_ok=True)
    if odd == "fifo":
        os.mkfifo(file)
    elif odd == "socket":
        with socket.socket(socket.AF_UNIX) as one:
            one.bind(str(file))
    elif odd == "folder":
        file.mkdir()
    elif odd == "endless":
        file.touch()
        os.truncate(file, 1 << 40)
    else:
        file.symlink_to("/dev/zero")
    with pytest.raises(DataError, match=f"cannot read '{place}'"):
        check(file)


def test_a_list_behind_a_link(save_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A link of the user's leads to his list; one in a run's folder does not lead out of it."""
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "list"
    elsewhere.write_text(f"{hash_path(save_dir / 'a').hash}  a\n")
    Path("sums").symlink_to(elsewhere)
    assert check(Path("sums")) == ()
    Path(".naga/outputs.json").unlink()
    Path(".naga/outputs.json").symlink_to(elsewhere)
    with pytest.raises(DataError, match="leads out of its folder"):
        check(Path(".naga/outputs.json"))


def test_a_file_too_large_to_be_hashed(save_dir: Path) -> None:
    """Of what was listed by its size alone, only that it is gone can be known."""
    (save_dir / "large").write_text("large")
    capture_outputs(save_dir, limit=3)
    (save_dir / "large").write_text("other")
    assert check(Path(".naga/outputs.json")) == ()
    (save_dir / "large").unlink()
    assert check(Path(".naga/outputs.json")) == ("missing: large",)
