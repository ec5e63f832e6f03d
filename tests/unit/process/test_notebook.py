import types

import pytest

from naga.process import notebook


def test_outside_of_a_kernel_nothing_is_a_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that a notebook's children inherit does not make them one."""
    monkeypatch.setenv("JPY_SESSION_NAME", "/lab/analysis.ipynb")
    monkeypatch.setattr(notebook, "shell", lambda: None)
    assert (notebook.is_notebook(), notebook.notebook_path(), notebook.notebook_name()) == (False, None, None)


@pytest.mark.parametrize(
    ("said", "name"), [("/w/analysis.ipynb", "analysis"), ("c7a1-uuid", "notebook"), ("", "notebook")]
)
def test_only_the_name_of_a_notebook_is_one(monkeypatch: pytest.MonkeyPatch, said: str, name: str) -> None:
    """A session may be named by a console or an identifier."""
    monkeypatch.setenv("JPY_SESSION_NAME", said)
    monkeypatch.setattr(notebook, "shell", lambda: types.SimpleNamespace(kernel=1, user_ns={}))
    assert notebook.notebook_name() == name
