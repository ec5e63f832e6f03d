"""What a publication says, before anything is written."""

import dataclasses
import os
from pathlib import Path
from typing import Any

import pytest
from workbench import some_record

from naga.diagnose.content import publication_of
from naga.diagnose.diag_key import DiagKey
from naga.errors import DiagError
from naga.record.lockfile import write_lock
from naga.record.schema import Code, Data
from naga.runs.find import Run
from naga.tracking.tags import Tag

RECORD = some_record()

KEY = DiagKey(diag="exp.py:diag", code="c")


def run_in(folder: Path, **changes: Any) -> Run:
    """A run in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    record = dataclasses.replace(RECORD, **changes)
    write_lock(folder, record)
    return Run(folder, record)


def test_code_fills_source_and_version(tmp_path: Path) -> None:
    """The first repository that was captured is what MLflow shows as the version."""
    code = (
        Code(name="lost", path="/lost", reason="no git"),
        Code(name="kept", path="/kept", commit="c" * 40, log_branch="run_logs", remote="git@host:kept"),
    )
    tags = publication_of(run_in(tmp_path / "a", code=code), published_by="diag", key=KEY).tags
    assert tags["mlflow.source.name"] == "exp.main"
    assert tags["mlflow.source.git.commit"] == "c" * 40
    assert tags["mlflow.source.git.branch"] == "run_logs"
    assert tags["mlflow.source.git.repoURL"] == "git@host:kept"


def test_inputs_without_a_hash_are_left_out(tmp_path: Path) -> None:
    """What could not be hashed has no digest to show."""
    data = {
        "kept": Data(path=["a", "b"], kind="list", hash="blake3:" + "0123456789abcdef" * 4),
        "lost": Data(path="gone", kind="missing", reason="it is not there"),
    }
    (dataset,) = publication_of(run_in(tmp_path / "a", data=data), published_by="diag", key=KEY).datasets
    assert (dataset.name, dataset.digest) == ("kept", "0123456789abcdef0123456789abcdef0123")
    assert '"hash": "blake3:0123456789abcdef' in dataset.profile


def test_place(tmp_path: Path) -> None:
    """A folder in the archive stands for the folder that it was computed in, and remembers its elders."""
    archive = tmp_path / ".archive"
    run_in(archive / "a~20250101T000000-eeeeeeee")
    run_in(archive / "ab~20250101T000000-ffffffff")
    newest = publication_of(run_in(tmp_path / "a"), published_by="diag", key=KEY)
    archived = publication_of(run_in(archive / f"a~{RECORD.run_id}"), published_by="diag", key=KEY)
    again = publication_of(run_in(archive / f"a~{RECORD.run_id}~2"), published_by="diag", key=KEY)
    assert (newest.archived, archived.archived, again.archived) == (False, True, True)
    for tag in (Tag.PLACE, Tag.FOLDER):
        assert newest.tags[tag] == archived.tags[tag] == again.tags[tag]
        assert newest.tags[tag].endswith(f":{tmp_path / 'a'}")
    assert newest.former == {"20250101T000000-eeeeeeee"}


def test_a_tilde_is_no_archive(tmp_path: Path) -> None:
    """A user's own folder with a tilde in its name is a folder like any other."""
    assert not publication_of(run_in(tmp_path / f"a~{RECORD.run_id}"), published_by="diag", key=KEY).archived


def test_path_that_is_not_utf8(tmp_path: Path) -> None:
    """A folder whose name is no text is published with its bytes written out."""
    name = os.fsdecode(b"caf\xe9")
    told = publication_of(
        Run(run_in(tmp_path / name).save_dir, dataclasses.replace(RECORD, save_dir=name)),
        published_by="diag",
        key=KEY,
    )
    assert told.tags[Tag.LOGICAL_ID] == "caf\\udce9"
    assert told.tags[Tag.PLACE].isprintable()


def test_without_save_dir(tmp_path: Path) -> None:
    """A run that no one can name is refused."""
    with pytest.raises(DiagError, match="no save_dir"):
        publication_of(run_in(tmp_path / "a", save_dir=""), published_by="diag", key=KEY)


@pytest.mark.parametrize(
    ("task", "shown"),
    [
        ("my_experiment.main", "my_experiment.main"),
        ("[click](http://x).main", "\\[click\\](http://x).main"),
        ("<img src=x>.*main*", "&lt;img src=x>.\\*main\\*"),
        ("two\nlines._x_", "two lines.\\_x\\_"),
    ],
)
def test_names_are_no_markdown(tmp_path: Path, task: str, shown: str) -> None:
    """MLflow shows a name in the description as it is written."""
    told = publication_of(run_in(tmp_path / "a", task=task), published_by="diag", key=KEY)
    assert told.tags[Tag.NOTE].startswith(f"{shown}: computed 2026-01-01 00:00 on vm, finished; published by diag")
