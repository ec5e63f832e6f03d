"""What fits the schema is read as what it is; what does not is refused by its key and value."""

import dataclasses
import os
from pathlib import Path
from typing import Any

import pytest
from workbench import some_record

from naga.errors import LockError
from naga.record.lockfile import (
    lock_hash,
    lock_text,
    parse_lock,
    read_lock,
    redacted,
    replace_outputs,
    write_lock,
)
from naga.record.opener import MAX_LIST_BYTES, MAX_LOCK_BYTES, read_json
from naga.record.schema import (
    BEING_HASHED,
    Code,
    Data,
    Failure,
    Outputs,
    Process,
    Record,
    Skipped,
    from_plain,
    to_plain,
)

PROCESS: dict[str, Any] = {"argv": ["python", "x"], "cwd": "/", "host": "h", "pid": 1}
PLAIN: dict[str, Any] = {
    "schema": "naga.run/1",
    "run_id": "r1",
    "status": "failed",
    "task": "exp.main",
    "save_dir": "a",
    "started": "2026-01-01T00:00:00Z",
    "process": PROCESS,
}
RECORD = some_record(
    run_id="r1",
)


def test_the_least_that_a_lock_holds() -> None:
    """All else has a default of "absent"."""
    record = from_plain(Record, PLAIN)
    assert (record.attempt, record.code, record.config, record.ended, record.error) == (1, (), {}, None, None)
    assert to_plain(record) == PLAIN | {"attempt": 1}
    with pytest.raises(dataclasses.FrozenInstanceError):
        record.status = "running"  # type: ignore[misc]


@pytest.mark.parametrize("key", ["run_id", "status", "task", "save_dir", "started", "process"])
def test_what_is_missing_is_named(key: str) -> None:
    """By its key."""
    plain = {name: value for name, value in PLAIN.items() if name != key}
    with pytest.raises(LockError, match=f"^run.lock: {key} is missing") as refused:
        from_plain(Record, plain)
    assert refused.value.hint == "a run.lock is written by Naga alone"


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"attempt": "1"}, "run.lock: attempt is '1', not int"),
        ({"attempt": True}, "run.lock: attempt is True, not int"),
        ({"task": 1}, "run.lock: task is 1, not str"),
        ({"warnings": "no"}, "run.lock: warnings is 'no', not list"),
        ({"warnings": ["a", 1]}, "run.lock: warnings[1] is 1, not str"),
        ({"config": [1]}, "run.lock: config is [1], not dict"),
        ({"process": [1]}, "run.lock: process: [1] where a mapping belongs"),
        ({"process": PROCESS | {"pid": "x"}}, "run.lock: process.pid is 'x', not int"),
        ({"data": {"k": {"path": "p", "kind": 1}}}, "run.lock: data.k.kind is 1, not str"),
        ({"code": [{"name": "n"}]}, "run.lock: code[0]: path is missing"),
        ({"ended": 1}, "run.lock: ended is 1, not str"),
        ({"task": ["x" * 99]}, f"run.lock: task is ['{'x' * 55}..., not str"),
    ],
    ids=repr,
)
def test_what_does_not_fit_is_named(changed: dict[str, Any], problem: str) -> None:
    """By its place, its value, cut where it is long, and what belongs there."""
    with pytest.raises(LockError) as refused:
        from_plain(Record, PLAIN | changed)
    assert refused.value.message == problem


def test_kinds_are_read_as_what_they_are() -> None:
    """A duration may be a whole number, a path a text, a list or a mapping; unknown keys are passed over."""
    assert from_plain(Record, PLAIN | {"duration_s": 2, "later": 1}).duration_s == 2
    for path in ("p", ["p", "q"], {"a": "p"}):
        assert to_plain(from_plain(Data, {"path": path, "kind": "file"}))["path"] == path
    code = from_plain(Code, {"name": "n", "path": "p", "skipped": [{"path": "x", "reason": "y"}]})
    assert code.skipped == (Skipped(path="x", reason="y"),)
    assert from_plain(Process, PROCESS).argv == ("python", "x")


def test_outputs_that_are_still_to_be_hashed() -> None:
    """Are known by their reason."""
    for outputs, expected in ((None, False), (Outputs(reason="no"), False), (Outputs(reason=BEING_HASHED), True)):
        assert dataclasses.replace(RECORD, outputs=outputs).is_being_hashed is expected


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "is empty"),
        ("[1]", "is not a run.lock of Naga"),
        ("a: 1", "is not a run.lock of Naga"),
        ("schema: 7", "is not a run.lock of Naga"),
        ("schema: naga.run/2", "this Naga reads 'naga.run/1'"),
        (lock_text(RECORD).replace("status: finished", "status: done"), "status is 'done', not one of "),
        (lock_text(RECORD).replace("run_id: r1", "run_id: a/b"), "run_id is 'a/b', which no run has"),
        (lock_text(RECORD).replace("run_id: r1", 'run_id: "r1\\n"'), "which no run has"),
        (lock_text(RECORD).replace("run_id: r1", f"run_id: {'r' * 65}"), "which no run has"),
    ],
)
def test_what_is_no_lock_is_refused(text: str, problem: str) -> None:
    """Whatever it is."""
    with pytest.raises(LockError) as refused:
        parse_lock(text)
    assert problem in refused.value.message
    assert parse_lock(lock_text(RECORD).replace("run_id: r1", f"run_id: {'r' * 64}")).run_id == "r" * 64


def test_a_file_is_named_in_what_is_refused(tmp_path: Path) -> None:
    """Missing, a link to nothing, no text, not a file; and read by its folder as by its name."""
    lock = tmp_path / "run.lock"
    for make, problem in (
        (lambda: None, "is not there"),
        (lambda: lock.symlink_to("nothing"), "is a link to nothing"),
        (lambda: lock.write_bytes(b"\xff"), "is not readable: it is not UTF-8 text"),
        (lambda: lock.write_text("a: &x 1"), ": line 1: anchors"),
        (lambda: os.mkfifo(lock), "is not a file"),
    ):
        lock.unlink(missing_ok=True)
        make()
        with pytest.raises(LockError) as refused:
            read_lock(tmp_path)
        assert refused.value.message.startswith(f"'{lock}'")
        assert problem in refused.value.message
    lock.unlink()
    write_lock(tmp_path, RECORD)
    assert read_lock(lock) == read_lock(tmp_path) == RECORD
    assert len(lock_hash(lock)) == len("blake3:") + 64


def test_the_bounds_of_what_is_read(tmp_path: Path) -> None:
    """A lock of 16 MiB, and a list of a GiB."""
    assert (MAX_LOCK_BYTES, MAX_LIST_BYTES) == (16_777_216, 1_073_741_824)
    (tmp_path / "list").write_text('{"a": [1, 2, 3]}')
    assert read_json(tmp_path, tmp_path / "list") == {"a": [1, 2, 3]}


def test_outputs_are_replaced_and_all_else_stays(tmp_path: Path) -> None:
    """Also the keys of later releases, in the order that they have."""
    write_lock(tmp_path, dataclasses.replace(RECORD, outputs=Outputs(reason=BEING_HASHED)))
    lock = tmp_path / "run.lock"
    lock.write_text(lock.read_text() + "later: {a: 1}\n")
    replace_outputs(tmp_path, Outputs(hash="blake3:00", size_bytes=1, files=1))
    assert read_lock(tmp_path).outputs == Outputs(hash="blake3:00", size_bytes=1, files=1)
    text = lock.read_text()
    assert "later:\n  a: 1\n" in text
    assert text.index("outputs:") < text.index("process:")
    lock.write_text(lock_text(RECORD))
    replace_outputs(tmp_path, Outputs(files=2))
    assert lock.read_text().index("outputs:") < lock.read_text().index("process:")


def test_no_part_of_a_record_keeps_a_secret() -> None:
    """What the configuration holds as one is looked for in all that follows; save_dir is the name of a folder."""
    secret = "k9j8h7g6f5d4"
    record = dataclasses.replace(
        RECORD,
        config={"save_dir": f"results/{secret}", "token": secret},
        config_end={"note": f"was {secret}"},
        data={"in": Data(path=f"s3://{secret}", kind="file", reason=f"no {secret}"), "b": Data(path="p", kind="file")},
        process=dataclasses.replace(RECORD.process, argv=("x", f"token={secret}")),
        warnings=(f"see {secret}",),
        error=Failure(type="E", message=f"bad {secret}", traceback=f"at {secret}"),
    )
    clean = redacted(record)
    assert clean.config == {"save_dir": f"results/{secret}", "token": "<redacted>"}
    assert lock_text(record).count(secret) == 1
    assert clean.error is not None
    assert (clean.error.message, clean.error.traceback) == ("bad <redacted>", "at <redacted>")
    assert clean.data["b"] == Data(path="p", kind="file")
    without = dataclasses.replace(RECORD, error=Failure(type="E", message="m"))
    assert redacted(without) == without
