import json
import sys
import sysconfig
import types
from pathlib import Path

import pytest

from naga.capture.code.imports import imported_files
from naga.project import top_of


def _import(patch: pytest.MonkeyPatch, path: object) -> None:
    module = types.ModuleType(f"imported_{len(sys.modules)}")
    module.__file__ = path  # type: ignore[assignment]  # some modules hold something odd there
    patch.setitem(sys.modules, module.__name__, module)


def test_only_the_files_of_the_project_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the standard library's, nor installed ones, nor Naga's, nor what is no file."""
    (tmp_path / "mine.py").touch()
    (tmp_path / "link.py").symlink_to("mine.py")
    installed = Path(sysconfig.get_path("purelib"), "mine.py")
    for path in (tmp_path / "link.py", tmp_path / "gone.py", installed):
        _import(monkeypatch, str(path))
    for odd in (None, 7, "<string>"):
        _import(monkeypatch, odd)
    found = imported_files()
    assert tmp_path / "mine.py" in found
    assert not {Path(json.__file__), Path(pytest.__file__), tmp_path / "gone.py", installed} & found
    assert not [path for path in found if "naga/capture" in str(path) and "tests" not in path.parts]


def test_the_nearest_repository_counts(tmp_path: Path) -> None:
    """A git folder, or the file that a submodule has in its place."""
    (tmp_path / "outer/.git").mkdir(parents=True)
    (tmp_path / "outer/inner/pkg").mkdir(parents=True)
    (tmp_path / "outer/inner/.git").touch()
    assert top_of(tmp_path / "outer/inner/pkg") == tmp_path / "outer/inner"
    assert top_of(tmp_path / "outer") == tmp_path / "outer"
    assert top_of(tmp_path) is None
