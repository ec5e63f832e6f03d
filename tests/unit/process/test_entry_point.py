"""A function says itself which file it comes from; the command line says whether that was started."""

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from naga.process import entry_point
from naga.process.entry_point import file_of, is_script, task_name


@pytest.mark.parametrize(
    ("words", "read"),
    [
        (["-um", "pkg.exp"], "pkg.exp"),
        (["-mpkg.exp"], "pkg.exp"),
        (["-X", "dev", "-Om", "pkg.exp", "lr=1"], "pkg.exp"),
        (["exp.py", "-m"], "exp.py"),
    ],
)
def test_the_words_of_the_interpreter(words: list[str], read: str) -> None:
    """A module may share a word with other options."""
    assert read in [*entry_point._split(words)]


def test_the_file_is_that_of_the_globals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under cProfile the module `__main__` is cProfile's, and the name is relative."""
    (tmp_path / "exp.py").touch()
    monkeypatch.chdir(tmp_path)
    space: dict[str, object] = {"__name__": "__main__", "__file__": "exp.py"}
    exec("def main(): ...", space)
    main = space["main"]
    assert callable(main)
    assert file_of(main) == tmp_path / "exp.py"
    assert task_name(main) == "exp.main"


def test_a_cell_has_no_file() -> None:
    """Nor is it a script."""
    space: dict[str, object] = {"__name__": "nowhere"}
    exec("def main(): ...", space)
    assert file_of(space["main"]) is None  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "module"),
    [
        ("#!/x\nimport sys\nfrom acme.train import cli\nif __name__ == 'x':\n  sys.exit(cli())\n", "acme.train"),
        ("import sys\nfrom acme.train import main\nsys.exit(main.cli())", "acme.train"),
        ("from acme.train import main\nprint(main())\n", ""),
        ("from acme.train import main\nsys.exit(other())\n", ""),
    ],
)  # fmt: skip
def test_the_wrapper_of_an_entry_point(tmp_path: Path, text: str, module: str) -> None:
    """A script of the user's own that imports the task is none."""
    (tmp_path / "acme").write_text(text)
    assert entry_point._wrapped(str(tmp_path / "acme")) == module


CALLER = "def call(next, *rest): return next(*rest)"


@pytest.mark.parametrize(
    ("module", "caller", "read"),
    [("acme.model", "acme.cli", True), ("acme.model", "click.core", False), ("other.model", "acme.cli", False)],
)
def test_a_function_of_the_wrapped_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, caller: str, read: bool
) -> None:
    """Its words are read, but not where another package has read them, nor for a function of another one."""
    (tmp_path / "acme").write_text("import sys\nfrom acme.train import cli\nsys.exit(cli())\n")
    main = SimpleNamespace(__file__=str(tmp_path / "acme"))
    monkeypatch.setitem(sys.modules, "__main__", main)
    space: dict[str, object] = {"__name__": module}
    exec("def main(): ...", space)
    # The wrapper, and what it calls, which calls the task.
    wrapper: dict[str, Any] = {"__name__": "__main__"}
    between: dict[str, Any] = {"__name__": caller}
    exec(CALLER, wrapper)
    exec(CALLER, between)
    package: dict[str, Any] = {"__name__": "acme.cli", "is_script": is_script, "main": space["main"]}
    exec("def look(): return is_script(main)", package)
    assert wrapper["call"](between["call"], package["look"]) is read
