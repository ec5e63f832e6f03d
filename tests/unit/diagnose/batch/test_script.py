"""How a script is named, and what it can import."""

import subprocess
import sys
from pathlib import Path

import pytest

from naga.diagnose.batch.script import is_of_script, split_name
from naga.errors import UsageError


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a package below `src` and a script that imports from the root."""
    (tmp_path / "pyproject.toml").touch()
    for file, text in (
        ("src/acme/__init__.py", ""),
        ("src/acme/train.py", ""),
        ("mylib/__init__.py", "X = 1"),
        ("experiments/train.py", "import helper, mylib, acme.train"),
        ("experiments/helper.py", ""),
    ):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("text", "file", "function"),
    [
        ("experiments/train.py", "experiments/train.py", ""),
        ("experiments/train.py:diag", "experiments/train.py", "diag"),
        ("experiments.train", "experiments/train.py", ""),
        ("acme.train:diag", "src/acme/train.py", "diag"),
        ("acme", "src/acme/__init__.py", ""),
    ],
)
def test_named_as_a_file_or_as_a_module(project: Path, text: str, file: str, function: str) -> None:
    """Both ways name the same script, with or without the function; from a folder of the project, too."""
    assert split_name(text) == (project / file, function)


@pytest.mark.parametrize("text", ["nowhere.py", "acme.nowhere", "../acme", "experiments", ""])
def test_no_script(project: Path, text: str) -> None:
    """What is neither is refused."""
    with pytest.raises(UsageError, match="no script"):
        split_name(text)


def test_imports_as_python_m_does(project: Path) -> None:
    """A script finds its own folder, the root of its project, and `src`."""
    program = (
        "import sys; from pathlib import Path; from naga.diagnose.batch.script import load_script; "
        "print(load_script(Path(sys.argv[1]).resolve()).mylib.X)"
    )
    words = [sys.executable, "-P", "-c", program, "experiments/train.py"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("1\n", "")


def test_a_task_is_of_the_script_that_has_it_or_says_that_it_had_it(tmp_path: Path) -> None:
    """Of a package's `__main__.py` too, whose tasks have its folder's name; a module that cannot be read says none."""
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "broken.py").write_text("def (")
    script = folder / "__main__.py"
    text = (
        "import broken\nfrom naga import clicfg\n@clicfg(was={'': ['old.main'], 'rate': 'lr'})\ndef main(cfg={}): ...\n"
    )
    script.write_text(text)
    told = {
        task: is_of_script(task, script) for task in ("app.main", "old.main", "older.main", "very_old.main", "rate")
    }
    assert told == {"app.main": True, "old.main": True, "older.main": False, "very_old.main": False, "rate": False}
