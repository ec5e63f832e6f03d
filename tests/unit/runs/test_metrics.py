"""What is noted of a run's last publication."""

from pathlib import Path
from typing import Any

import pytest

from naga.layout import metrics_file
from naga.runs.metrics import KEYS, last_publication, note_failure, note_publication


def facts(generation: int, uri: str = "sqlite:////a/mlflow.db", **metrics: float) -> dict[str, Any]:
    """A publication."""
    return {"metrics": metrics, "generation": generation, "mlflow_run_id": f"run{generation}", "tracking_uri": uri}


def test_a_later_one_stays(tmp_path: Path) -> None:
    """A lower generation of the same store replaces nothing; one of another store does."""
    for generation, uri, noted in ((2, "a", 2), (1, "a", 2), (3, "a", 3), (1, "b", 1)):
        note_publication(tmp_path, facts(generation, uri, accuracy=generation))
        assert last_publication(tmp_path)["metrics"] == {"accuracy": noted}
    assert tuple(last_publication(tmp_path)) == KEYS


def test_a_failure(tmp_path: Path) -> None:
    """It is noted beside what was published, and gone with the next publication."""
    note_failure(tmp_path, diag="exp.py:diag", tracking_uri="a", error="KeyError: 'x'")
    assert last_publication(tmp_path)["metrics"] == {}
    note_publication(tmp_path, facts(1))
    assert last_publication(tmp_path)["last_failure"] is None
    note_failure(tmp_path, diag="exp.py:diag", tracking_uri="a", error="KeyError: 'x'")
    noted = last_publication(tmp_path)
    assert (noted["generation"], noted["last_failure"]["error"]) == (1, "KeyError: 'x'")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"metrics": 3}', "[" * 100_000])
def test_odd_files(tmp_path: Path, text: str) -> None:
    """Whatever is there is no publication, and the next one is noted."""
    metrics_file(tmp_path).parent.mkdir()
    metrics_file(tmp_path).write_text(text)
    assert last_publication(tmp_path) == {}
    note_publication(tmp_path, facts(1))
    assert last_publication(tmp_path)["generation"] == 1


def test_a_link_is_not_followed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where the folder of Naga leads elsewhere nothing is written, and that is said."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".naga").symlink_to(tmp_path / "elsewhere")
    note_publication(tmp_path / "run", facts(1))
    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert "is a link, and nothing is written through one" in capsys.readouterr().err
