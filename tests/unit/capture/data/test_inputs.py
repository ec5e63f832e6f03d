import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from naga.capture.data import inputs as data_module
from naga.capture.data.inputs import (
    capture_beside,
    capture_data,
    changed_inputs,
    hash_again,
    not_covered,
    require_inputs,
    tracked_paths,
)
from naga.declarations import Tracked
from naga.errors import ConfigError, DataError
from naga.hashing.hash_tree import hash_listed, hash_path
from naga.record.schema import Data, Upstream


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """Make a project with some data."""
    (tmp_path / "data" / "sub").mkdir(parents=True)
    for name in ("a.csv", "b.csv", "sub/c.csv"):
        (tmp_path / "data" / name).write_text(name)
    return tmp_path


def capture(value: Any, base: Path) -> Data:
    return capture_data({"x": value}, [Tracked(keys=("x",))], base, manifest_dir=None)["x"]


def test_file(base: Path) -> None:
    """A relative path counts from the base, and is recorded as it was written."""
    data = capture("./data/a.csv", base)
    expected = hash_path(base / "data" / "a.csv")
    assert data == Data(path="./data/a.csv", kind="file", hash=expected.hash, size_bytes=5, files=1, source="fresh")


def test_forms_of_one_path(base: Path) -> None:
    """Absolute, relative and `pathlib.Path` are the same data."""
    values = ["data", base / "data", str(base / "data"), Path("data")]
    assert len({capture(value, base).hash for value in values}) == 1
    assert capture(Path("data"), base).path == "data"
    assert capture("data", base).files == 3


def test_list(base: Path) -> None:
    """A list is hashed in its order."""
    one, other = capture(["data/a.csv", "data/b.csv"], base), capture(["data/b.csv", "data/a.csv"], base)
    assert (one.kind, one.files, one.size_bytes) == ("list", 2, 10)
    assert one.path == ["data/a.csv", "data/b.csv"]
    assert one.hash != other.hash


def test_dict(base: Path) -> None:
    """A mapping is hashed like a folder with its keys as names."""
    (base / "same").mkdir()
    (base / "same" / "train").write_text("a.csv")
    (base / "same" / "test").write_text("b.csv")
    data = capture({"train": "data/a.csv", "test": Path("data/b.csv")}, base)
    assert (data.kind, data.hash) == ("dict", hash_path(base / "same").hash)
    assert data.path == {"train": "data/a.csv", "test": "data/b.csv"}


def test_glob(base: Path) -> None:
    """A glob is hashed like a folder of what it matches."""
    (base / "same").mkdir()
    for name in ("a.csv", "b.csv"):
        (base / "same" / name).write_text(name)
    data = capture("data/*.csv", base)
    assert (data.kind, data.path, data.hash) == ("glob", "data/*.csv", hash_path(base / "same").hash)
    assert capture(str(base / "data" / "*.csv"), base).hash == data.hash
    assert capture("data/**/*.csv", base).files == 3
    assert capture("data/*", base).files == 3  # those in data/sub, too, and once
    assert capture("data/**", base).files == 3


def test_name_that_looks_like_a_glob(base: Path) -> None:
    """A file that is called like a pattern is meant itself."""
    (base / "[a].csv").write_text("x")
    assert capture("[a].csv", base).kind == "file"


def test_nested_key(base: Path) -> None:
    """A key may be a path through the configuration."""
    config = {"data": {"train": {"path": "data/a.csv"}}}
    assert list(capture_data(config, [Tracked(keys=("data.train.path",))], base, manifest_dir=None)) == [
        "data.train.path"
    ]


def test_null_tracks_nothing(base: Path) -> None:
    """An optional input that is not given is not an input."""
    assert capture_data({"x": None}, [Tracked(keys=("x",))], base, manifest_dir=None) == {}
    assert capture({"train": "data/a.csv", "test": None}, base).files == 1


def test_unknown_key(base: Path) -> None:
    """A key that is not there is refused with the nearest that is, before anything is hashed."""
    for refuse in (tracked_paths, lambda *given: capture_data(*given, manifest_dir=None)):
        with pytest.raises(ConfigError, match=r"'input'") as caught:
            refuse({"input_data": "data", "lr": 1}, [Tracked(keys=("input",))], base)
        assert caught.value.hint == "did you mean 'input_data'?"
    with pytest.raises(ConfigError) as caught:
        tracked_paths({"data": {"train": "x"}}, [Tracked(keys=("data.trian",))], base)
    assert caught.value.hint == "did you mean 'data.train'?"


@pytest.mark.parametrize("value", [3, True, "", "???", ["data", 1.5]])
def test_not_a_path(base: Path, value: Any) -> None:
    """A value that is no path is refused."""
    with pytest.raises(ConfigError, match="not a path"):
        capture(value, base)


@pytest.mark.parametrize("value", ["data/nothing.csv", "data/a.csv/x", "data/*.txt", ["data", "nul\0"]])
def test_missing(base: Path, value: Any) -> None:
    """What is not there is refused in one line with the key and where it was looked for."""
    for refuse in (capture, lambda value, base: require_inputs({"x": value}, [Tracked(keys=("x",))], base)):
        with pytest.raises(DataError, match=rf"^x(\.1)?: .*{base}") as caught:
            refuse(value, base)
        assert caught.value.hint.startswith("x")


def test_dangling_link(base: Path) -> None:
    """A link to nothing says where it leads."""
    (base / "link").symlink_to("gone.csv")
    with pytest.raises(DataError, match=r"x: '.*link' is a link to 'gone.csv', which does not exist"):
        capture("link", base)


def test_tracked_paths(base: Path) -> None:
    """All paths of all keys, absolute, whether they exist or not, globs expanded."""
    config = {"a": "data/*.csv", "b": ["data/sub", "/elsewhere"], "c": {"d": "data/sub"}, "e": None}
    found = tracked_paths(config, [Tracked(keys=("a", "b")), Tracked(keys=("c", "e"))], base)
    assert sorted(found[:2]) == [base / "data/a.csv", base / "data/b.csv"]
    assert found[2:] == (base / "data/sub", Path("/elsewhere"))


def test_manifest(base: Path, tmp_path: Path) -> None:
    """The files of each key are listed beside the lock."""
    config = {"a": "data/a.csv", "b": ["data/sub", "data/b.csv"]}
    capture_data(config, [Tracked(keys=("a", "b"))], base, manifest_dir=tmp_path / ".naga")
    listed = json.loads((tmp_path / ".naga" / "inputs.json").read_text())
    assert {key: [entry["path"] for entry in entries] for key, entries in listed.items()} == {
        "a": ["a.csv"],
        "b": ["0/c.csv", "1"],
    }
    assert listed["a"][0] == {
        "path": "a.csv",
        "kind": "file",
        "size_bytes": 5,
        "hash": capture("data/a.csv", base).hash,
    }


def test_ignore(base: Path) -> None:
    """Patterns hold for every folder of their declaration."""
    tracked = Tracked(keys=("x",), ignore=("c.csv",))
    assert capture_data({"x": ["data"]}, [tracked], base, manifest_dir=None)["x"].files == 2


def test_changed_inputs(base: Path) -> None:
    """What was changed or removed since the start is named, the rest is not."""
    config = {"a": "data/a.csv", "b": "data/b.csv", "c": "data/sub", "d": "data/*.csv"}
    tracked = [Tracked(keys=("a", "b", "c"))]
    before = capture_data(config, tracked, base, manifest_dir=None)
    assert changed_inputs(before, config, tracked, base) == ()
    status = (base / "data" / "a.csv").stat()
    (base / "data" / "a.csv").write_text("other")
    os.utime(base / "data" / "a.csv", ns=(status.st_atime_ns, status.st_mtime_ns))
    (base / "data" / "b.csv").unlink()
    one, other = changed_inputs(before, config, tracked, base)
    assert one == "a: 'data/a.csv' changed while the run was running"
    assert other.startswith("b: no file or folder")


def test_unreadable(base: Path, as_nobody: Callable[[], None]) -> None:
    """A folder with files that cannot be read names them all, and nothing is hashed in part."""
    for name in ("a.csv", "sub/c.csv"):
        (base / "data" / name).chmod(0)
    (base / "data" / "closed").mkdir(mode=0)
    as_nobody()
    with pytest.raises(DataError, match=r"x: .*closed \(Permission denied\)"):
        capture("data", base)
    with pytest.raises(DataError, match=r"x: .*a\.csv \(Permission denied\), sub/c\.csv \(Permission denied\)"):
        capture_data({"x": "data"}, [Tracked(keys=("x",), ignore=("closed",))], base, manifest_dir=None)
    with pytest.raises(DataError, match=r"x: cannot hash '.*a\.csv': Permission denied"):
        capture("data/a.csv", base)


def test_links_that_lead_out(base: Path) -> None:
    """Links to what the hash does not cover are reported; those within the data, or to nothing, are not."""
    for name, target in {
        "out": "../../data",
        "far": "/etc",
        "in": "a.csv",
        "up": "..",
        "gone": "../../nothing",
    }.items():
        (base / "data" / "sub" / name).symlink_to(target)
    (base / "data" / "here").symlink_to(base / "data" / "a.csv")
    data = capture("data", base)
    assert data.reason == "what these links lead to is outside, and was not hashed: sub/far"
    assert data.hash
    assert not_covered({"x": data, "y": capture("data/a.csv", base)}) == (f"x: {data.reason}",)
    beside = capture_beside({"x": "data"}, [Tracked(keys=("x",), background=True)], base, manifest_dir=None)
    assert beside.join() == ({"x": data}, (f"x: {data.reason}",))
    (base / "data" / "out").symlink_to("..")
    assert capture("data", base).reason == "what these links lead to is outside, and was not hashed: out, sub/far"


def test_upstream_in_the_list(base: Path, tmp_path: Path) -> None:
    """The list says which run left each file."""
    upstream = [Upstream(save_dir="data/sub", run_id="r1", lock_hash="")]
    config = {"a": ["data/sub/c.csv", "data/a.csv"], "b": "data/sub"}
    capture_data(config, [Tracked(keys=("a", "b"))], base, manifest_dir=tmp_path, upstream=upstream)
    listed = json.loads((tmp_path / "inputs.json").read_text())
    runs = {key: [entry.get("run_id") for entry in entries] for key, entries in listed.items()}
    assert runs == {"a": ["r1", None], "b": ["r1"]}


def test_beside(base: Path, tmp_path: Path) -> None:
    """Inputs in the background are hashed as they were at the start, and join the list of the others."""
    config = {"a": "data/a.csv", "b": "data/sub"}
    tracked = [Tracked(keys=("a",)), Tracked(keys=("b",), background=True)]
    before = capture_data(config, tracked, base, manifest_dir=tmp_path)
    beside = capture_beside(config, tracked, base, manifest_dir=tmp_path)
    assert (list(before), list(beside.pending)) == (["a"], ["b"])
    assert beside.pending["b"].hash is None
    assert "not get that far" in str(beside.pending["b"].reason)
    data, warnings = beside.join()
    assert data == {"b": capture("data/sub", base)}
    assert warnings == ()
    listed = json.loads((tmp_path / "inputs.json").read_text())
    assert {key: len(entries) for key, entries in listed.items()} == {"a": 1, "b": 1}


def test_beside_without_others(base: Path, tmp_path: Path) -> None:
    """The list of an earlier attempt is not added to."""
    tracked = [Tracked(keys=("b",), background=True)]
    for config in ({"b": "data/a.csv"}, {"b": "data/b.csv"}):
        capture_data(config, tracked, base, manifest_dir=tmp_path)
        capture_beside(config, tracked, base, manifest_dir=tmp_path).join()
    assert [entry["path"] for entry in json.loads((tmp_path / "inputs.json").read_text())["b"]] == ["b.csv"]


def test_nothing_beside(base: Path) -> None:
    """Without background there is nothing to wait for."""
    beside = capture_beside({"a": "data"}, [Tracked(keys=("a",))], base, manifest_dir=None)
    assert (beside.pending, beside.join()) == ({}, ({}, ()))


def test_missing_beside(base: Path) -> None:
    """What is missing is reported before main starts, in the background too."""
    with pytest.raises(DataError, match="x: no file or folder"):
        capture_beside({"x": "nothing"}, [Tracked(keys=("x",), background=True)], base, manifest_dir=None)


@pytest.mark.parametrize("change", ["content", "removed"])
def test_changed_beside(base: Path, change: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An input that changed before its turn came is named, and recorded as what is known of it."""
    tracked, go = [Tracked(keys=("x",), background=True)], threading.Event()
    monkeypatch.setattr(
        data_module, "hash_listed", lambda *given, **named: (go.wait(), hash_listed(*given, **named))[1]
    )
    beside = capture_beside({"x": "data/a.csv"}, tracked, base, manifest_dir=None)
    if change == "content":
        (base / "data" / "a.csv").write_text("other")
    else:
        (base / "data" / "a.csv").unlink()
    go.set()
    data, [warning] = beside.join()
    assert warning.startswith("x: ")
    if change == "content":
        assert warning == "x: 'data/a.csv' changed while the run was running"
        assert data["x"].hash == capture("data/a.csv", base).hash
    else:
        assert (data["x"].hash, data["x"].reason) == (None, warning)


def test_all_are_looked_for_before_one_is_read(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing second input is reported before hours go into the first."""
    monkeypatch.setattr(data_module, "hash_listed", lambda *given, **named: pytest.fail("read"))
    with pytest.raises(DataError, match="b: no file or folder"):
        capture_data({"a": "data", "b": "nothing"}, [Tracked(keys=("a", "b"))], base, manifest_dir=None)


@pytest.fixture
def stage(base: Path) -> tuple[Path, list[Upstream]]:
    """Make the folder of an earlier run, with Naga's own files in it."""
    folder = base / "results"
    (folder / ".naga").mkdir(parents=True)
    for name in ("run.lock", "console.log", ".naga/heartbeat", "model", "left.tmp"):
        (folder / name).write_text(name)
    return folder, [Upstream(save_dir="results", run_id="r1", lock_hash="")]


@pytest.mark.parametrize(
    ("value", "kind"),
    [("results", "run"), (["results"], "list"), ({"a": "results/"}, "dict"), ("resul*", "glob")],
)
def test_a_run_is_hashed_as_its_outputs_are(
    base: Path, stage: tuple[Path, list[Upstream]], value: Any, kind: str
) -> None:
    """Computed again with the same results it is the same data, and what it leaves is what counts."""
    folder, upstream = stage
    tracked = [Tracked(keys=("x",), ignore=("*.tmp",))]

    def hashed() -> Data:
        return capture_data({"x": value}, tracked, base, manifest_dir=None, upstream=upstream)["x"]

    before = hashed()
    assert (before.kind, before.files) == (kind, 1)
    for name in ("run.lock", "console.log", ".naga/heartbeat", "left.tmp"):
        (folder / name).write_text("of another attempt")
    assert hashed().hash == before.hash
    assert changed_inputs({"x": before}, {"x": value}, tracked, base, upstream) == ()
    assert hash_again("x", before, base, upstream).hash == before.hash
    (folder / "model").write_text("other")
    assert hashed().hash != before.hash
    assert changed_inputs({"x": before}, {"x": value}, tracked, base, upstream) != ()
    assert hash_again("x", before, base, upstream).hash != before.hash


@pytest.mark.parametrize("value", ["results", ["results"]])
def test_a_run_that_was_hashed_as_a_folder(base: Path, stage: tuple[Path, list[Upstream]], value: Any) -> None:
    """What the first release recorded is verified by its rule."""
    folder, upstream = stage
    before = capture(value, base)
    assert before.files == 5
    assert hash_again("x", before, base, upstream).hash == before.hash
    (folder / "run.lock").write_text("other")
    assert hash_again("x", before, base, upstream).hash != before.hash


def test_the_innermost_run_left_it(base: Path, tmp_path: Path) -> None:
    """Of runs within runs, the one in whose folder a file is."""
    upstream = [Upstream(save_dir=name, run_id=name, lock_hash="") for name in ("data", "data/sub")]
    capture_data({"x": "data/sub/c.csv"}, [Tracked(keys=("x",))], base, manifest_dir=tmp_path, upstream=upstream)
    assert json.loads((tmp_path / "inputs.json").read_text())["x"][0]["run_id"] == "data/sub"


@pytest.mark.parametrize("key", ["parts[0].path", "parts.0.path"])
def test_key_into_a_list(base: Path, key: str) -> None:
    """Keys are written as on the command line, and a wrong one is refused with the nearest."""
    config = {"parts": [{"path": "data/a.csv"}]}
    assert capture_data(config, [Tracked(keys=(key,))], base, manifest_dir=None)[key].path == "data/a.csv"
    with pytest.raises(ConfigError) as caught:
        tracked_paths(config, [Tracked(keys=(key.replace("0", "1"),))], base)
    assert caught.value.hint == "did you mean 'parts.0.path'?"


def test_what_breaks_beside(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is no refusal of an input, such as a lack of memory, is raised to whoever waits for the hash."""

    def break_down(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(data_module, "hash_listed", break_down)
    beside = capture_beside({"x": "data"}, [Tracked(keys=("x",), background=True)], base, manifest_dir=None)
    with pytest.raises(MemoryError):
        beside.join()


@pytest.mark.parametrize("background", [True, False])
def test_the_list_of_a_superseded_run(base: Path, tmp_path: Path, background: bool) -> None:
    """Who has lost the folder while it hashed writes nothing there: the list is that of another run now."""
    tracked = [Tracked(keys=("x",), background=background)]
    (tmp_path / "inputs.json").write_text("{\n}\n")
    given = ({"x": "data"}, tracked, base)
    capture_data(*given, manifest_dir=tmp_path, may_write=lambda: False)
    capture_beside(*given, manifest_dir=tmp_path, may_write=lambda: False).join()
    assert (tmp_path / "inputs.json").read_text() == "{\n}\n"
