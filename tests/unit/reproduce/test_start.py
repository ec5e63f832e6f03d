"""How a run was started."""

from pathlib import Path

import pytest

from naga.reproduce.start import start_of


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("python exp.py a=1 exp.py", ("exp.py", "", ("exp.py", "a=1", "exp.py"), ())),
        ("python -OO -I -W error -u exp.py", ("exp.py", "", ("exp.py",), ("-OO", "-W", "error", "-u"))),
        ("python -m exp a=1", ("", "exp", ("exp", "a=1"), ())),
        ("python -um pkg a=1", ("", "pkg", ("pkg", "a=1"), ())),
        ("python -mpkg", ("", "pkg", ("pkg",), ())),
        ("python -m cProfile -o x exp.py a=1", ("exp.py", "", ("exp.py", "a=1"), ())),
        ("python /usr/bin/kernprof -l exp.py a=1", ("exp.py", "", ("exp.py", "a=1"), ())),
        ("python tool a=1", ("tool", "", ("tool", "a=1"), ())),
        ("python /venv/bin/train a=1", ("", "", ("/venv/bin/train", "a=1"), ())),
        ("python -m joblib.worker --pipe 5", ("", "", ("--pipe", "5"), ())),
        ("python -c print() exp", ("", "", ("exp",), ())),
        ("python - a=1", ("", "", ("-", "a=1"), ())),
        ("python", ("", "", (), ())),
    ],
)
def test_what_was_started(typed: str, found: tuple[str, str, tuple[str, ...], tuple[str, ...]], tmp_path: Path) -> None:
    """A script or module of the project, wherever it stands among the words; all else is none."""
    for name in ("exp.py", "src/pkg/__main__.py", "tool"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    start = start_of(typed.split(), tmp_path.joinpath, [str(tmp_path)])
    script = start.script.removeprefix(f"{tmp_path}/")
    assert (script, start.module, start.argv, start.options) == found
