"""Where publications go."""

from pathlib import Path

import pytest

from naga.project import project_root
from naga.tracking.store import _sqlite_file, _sqlite_uri, shown_uri


@pytest.mark.parametrize("marker", [".git", "pyproject.toml"])
def test_project_root(tmp_path: Path, marker: str) -> None:
    """The project begins at the nearest folder with a mark; a folder in no project stands for itself."""
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    (tmp_path / "a" / marker).touch()
    assert project_root(below) == tmp_path / "a"
    assert project_root(Path("/nowhere/at/all")) == Path("/nowhere/at/all")


@pytest.mark.parametrize("name", ["plain", "with space", "ü☃", "per%20cent", "ha#sh", "quest?ion", "quo'te", "a&b=c"])
def test_any_folder_has_a_uri(name: str) -> None:
    """The URI of a store names the file that SQLAlchemy then opens."""
    file = Path("/projects") / name / "mlflow.db"
    assert _sqlite_file(_sqlite_uri(file)) == file


@pytest.mark.parametrize(
    "uri", ["http://localhost:5000", "sqlite://", "sqlite:///file:x?mode=memory&uri=true", "mlruns"]
)
def test_what_is_not_ours_to_create(uri: str) -> None:
    """Only a plain SQLite file is created beforehand."""
    assert _sqlite_file(uri) is None


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("http://me:secret@host:5000", "http://host:5000"),
        ("postgresql+psycopg2://me:p@ss@db/mlflow", "postgresql+psycopg2://db/mlflow"),
        ("sqlite:////home/a@b/mlflow.db", "sqlite:////home/a@b/mlflow.db"),
        ("databricks", "databricks"),
    ],
)
def test_shown_without_credentials(uri: str, shown: str) -> None:
    """Neither name nor password is ever shown."""
    assert shown_uri(uri) == shown
