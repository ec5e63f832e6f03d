"""What a diag of today needs, and the code of an old run does not have, is named."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from naga.diagnose.batch.recorded_code import lacking
from naga.errors import DiagError


@pytest.fixture
def laid_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A module as an old run had it; the current folder is today's project, which has one module more."""
    folder, today = tmp_path / "then", tmp_path / "now"
    for place in (folder, today):
        place.mkdir()
        (place / "measures_of_then.py").write_text("old = 1\n")
    (today / "plots_of_today.py").write_text("")
    monkeypatch.chdir(today)
    monkeypatch.syspath_prepend(str(folder))
    yield folder
    sys.modules.pop("measures_of_then", None)  # a later test would find it imported


def _raised(code: str) -> BaseException:
    with pytest.raises((ImportError, AttributeError)) as caught:
        exec(code, {})  # as a script of today does it
    return caught.value


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("from measures_of_then import new", "measures_of_then.new"),
        ("import measures_of_then; measures_of_then.new", "measures_of_then.new"),
        ("import plots_of_today", "plots_of_today"),
    ],
)
def test_what_came_later_is_named(code: str, name: str, laid_out: Path) -> None:
    """A name, in both ways to ask for it, and a module."""
    wanted = f"today's diag needs {name}, which the code of the run lacks; --code current uses today's code"
    assert lacking(_raised(code), laid_out) == wanted


@pytest.mark.parametrize("code", ["import no_package_of_this_name", "import json; json.new", "from json import new"])
def test_what_is_no_matter_of_the_code(code: str, laid_out: Path) -> None:
    """A package that is not installed, or not as the script thinks, speaks for itself."""
    assert lacking(_raised(code), laid_out) == ""


def test_the_cause_counts(laid_out: Path) -> None:
    """A script that cannot be imported is reported as Naga's own error, with the script's as its cause."""
    error = DiagError("exp.py cannot be imported")
    error.__cause__ = _raised("from measures_of_then import new")
    assert "measures_of_then.new" in lacking(error, laid_out)
    assert lacking(DiagError("no diag"), laid_out) == ""
