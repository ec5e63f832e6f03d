"""The code that is in no file: cells of real kernels, pipes and `python -c` are in the snapshot, or named."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from workbench import git

from naga.hashing.hash_tree import hash_path
from naga.record.schema import Code, Record
from naga.runs.find import load_run

CELL = """
from naga import runlock, snapshot

@runlock
@snapshot(OPTIONS)
def main(cfg={"save_dir": "results/a", "lr": 0.1}):
    print("computes")
    return cfg["lr"]
"""


@pytest.fixture
def repository(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clean repository; IPython's own files lie elsewhere."""
    monkeypatch.setenv("IPYTHONDIR", str(project.parent / "ipython"))
    monkeypatch.delenv("NAGA_SNAPSHOT")
    return project


def _execute(*cells: str, options: str = "", folder: Path | None = None) -> list[dict[str, Any]]:
    """Run cells in a kernel of their own, the task's cell first, and give what the last one shows."""
    sources = [CELL.replace("OPTIONS", options), *cells]
    notebook = nbformat.from_dict(  # type: ignore[no-untyped-call]
        {"nbformat": 4, "nbformat_minor": 4, "metadata": {}}
        | {"cells": [{"cell_type": "code", "metadata": {}, "source": cell, "outputs": []} for cell in sources]}
    )
    place = {"metadata": {"path": str(folder or Path.cwd())}}
    with pytest.MonkeyPatch.context() as patch:  # a kernel watches no descriptors where it sees pytest
        patch.delenv("PYTEST_CURRENT_TEST", raising=False)
        NotebookClient(notebook, timeout=120, allow_errors=True, resources=place).execute()
    outputs: list[dict[str, Any]] = notebook.cells[-1].outputs
    return outputs


def _record() -> Record:
    return load_run("results/a").record


def _held(code: Code, name: str) -> str:
    return git("show", f"{code.commit}:.naga-notebook/{name}", cwd=Path(code.path))


def test_the_cells_that_ran_are_in_the_snapshot(repository: Path) -> None:
    """In their order and without their outputs; the tree is dirty, the user's files are as they were."""
    _execute("%time 1 + 1", "1 / 0", "print('shown'); main()", "strictly = 'runs too'", options="strict=True")
    record = _record()
    (code,) = record.code
    assert (record.status, record.task, code.dirty, record.warnings) == ("finished", "notebook.main", True, ())
    cells = _held(code, "cells.py")
    assert [cells.index(text) for text in ("def main", "%time 1 + 1", "1 / 0", "main()")] == sorted(
        cells.index(text) for text in ("def main", "%time 1 + 1", "1 / 0", "main()")
    )
    assert "strictly" not in cells
    assert git("status", "--porcelain", cwd=repository) == ""
    assert git("diff", "--name-only", "HEAD", str(code.commit), cwd=repository) == ".naga-notebook/cells.py\n"


def test_only_this_kernels_cells(repository: Path) -> None:
    """The history on the disk is that of other notebooks, too."""
    _execute("another = 'notebook'")
    _execute("main()")
    assert "another" not in _held(_record().code[0], "cells.py")


@pytest.mark.parametrize("front_end", ["VS Code", "Jupyter"])
def test_the_notebook_is_known_where_the_front_end_names_it(
    repository: Path, monkeypatch: pytest.MonkeyPatch, front_end: str
) -> None:
    """Its path and its hash, and the task has its name."""
    file = repository / "results/analysis.ipynb"
    file.parent.mkdir()
    file.write_text("{}")
    if front_end == "Jupyter":
        monkeypatch.setenv("JPY_SESSION_NAME", str(file))
    _execute(f"__vsc_ipynb_file__ = {str(file)!r}" if front_end == "VS Code" else "", "main()")
    record = _record()
    assert record.task == "analysis.main"
    assert json.loads(_held(record.code[0], "notebook.json")) == {"path": str(file), "hash": hash_path(file).hash}


def test_no_secret_of_a_cell_is_in_the_snapshot(repository: Path) -> None:
    """Literals in assignments, in keyword arguments, in the environment, and in magics."""
    _execute(
        'import os; os.environ["KEY"] = "sk-one"',
        'def login(**_): pass\nlogin(token="two-two")',
        'api_key: str = "three"; lr = "visible"',
        "%env HF_TOKEN=hf_four",
        "main()",
    )
    cells = _held(_record().code[0], "cells.py")
    assert not [word for word in ("sk-one", "two-two", "three", "hf_four") if word in cells]
    assert 'login(token="<redacted>")' in cells
    assert "visible" in cells


@pytest.mark.parametrize(("options", "variable"), [("cells=False", ""), ("strict=True", "off")])
def test_cells_are_left_out_where_that_is_said(
    repository: Path, monkeypatch: pytest.MonkeyPatch, options: str, variable: str
) -> None:
    """With the reason, and without a claim that the commit is all."""
    monkeypatch.setenv("NAGA_CELLS", variable)
    _execute("main()", options=options)
    record = _record()
    (code,) = record.code
    reason = "left out by " + ("NAGA_CELLS=off" if variable else "@snapshot(cells=False)")
    assert (".naga-notebook/", reason) in [(one.path, one.reason) for one in code.skipped]
    assert (code.dirty, record.warnings) == (True, ())
    assert code.tree == git("rev-parse", "HEAD^{tree}", cwd=repository).strip()


def test_cells_lie_beside_the_lock_where_there_is_no_repository(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the entry says where."""
    (tmp_path / "plain").mkdir()
    monkeypatch.chdir(tmp_path / "plain")
    _execute("main()")
    folder = tmp_path / "plain/results/a/.naga/notebook"
    assert "def main" in (folder / "cells.py").read_text()
    assert f"the cells that ran are in '{folder}'" in str(_record().code[0].reason)


def test_what_a_cell_prints_is_logged(repository: Path) -> None:
    """And shown: by Python, by children, by C code; of a secret nothing, and nothing of what comes after the run."""
    body = (
        "import os, subprocess, sys\nfrom naga import runlock\nos.environ['HF_TOKEN'] = 'canary-canary'\n"
        "@runlock\ndef prints(cfg={'save_dir': 'results/a'}):\n"
        "    print('by Python'); print('error', file=sys.stderr)\n"
        "    subprocess.run(['echo', 'by a child']); os.write(1, b'by C code\\n'); print('canary-canary')\n"
        "for n in (1, 2):\n    prints(save_dir=f'results/{n}')\n    print('after')"
    )
    shown = "".join(str(output.get("text", "")) for output in _execute(body))
    for number in (1, 2):
        log = Path(f"results/{number}/console.log").read_text()
        for words in ("by Python", "error", "by a child", "by C code"):
            assert words in log
            assert words in shown
        assert "canary" not in log
        assert "after" not in log
        assert "<redacted>" in log


def test_an_error_in_a_notebook_is_one_line(repository: Path) -> None:
    """And a hint, not the frames of Naga; other errors are shown as ever."""
    (shown,) = _execute("main(learning_rte=1)")
    assert len(shown["traceback"]) == 2
    assert shown["traceback"][0].startswith("naga: ")
    assert shown["traceback"][1].startswith("  hint: ")
    assert len(_execute("1 / 0")[0]["traceback"]) > 2


# Without a notebook


def _python(*words: str, options: str = "", stdin: str = "", call: str = "main()") -> subprocess.CompletedProcess[str]:
    text = CELL.replace("OPTIONS", options) + call
    given = [text if word == "TEXT" else word for word in words]
    if stdin == "file":
        Path("results").mkdir()
        Path("results/exp.txt").write_text(text)
        with Path("results/exp.txt").open() as file:
            return subprocess.run([sys.executable, *given], stdin=file, capture_output=True, text=True, check=False)
    return subprocess.run([sys.executable, *given], input=text, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("words", "stdin", "name"),
    [
        (["-"], "file", "stdin.py"),
        ([], "file", "stdin.py"),
        (["-c", "TEXT"], "", "command.py"),
        (["-Bc", "TEXT"], "", "command.py"),
    ],
)
def test_text_without_a_file_is_in_the_snapshot(repository: Path, words: list[str], stdin: str, name: str) -> None:
    """Of stdin, which is read once more, and of the command line."""
    done = _python(*words, options="strict=True", stdin=stdin)
    assert done.returncode == 0, done.stderr
    (code,) = _record().code
    assert "def main" in _held(code, name)
    assert code.dirty


def test_what_came_through_a_pipe_is_named_as_missing(repository: Path) -> None:
    """In the lock and in a warning; a strict snapshot refuses."""
    done = _python("-")
    (code,), warnings = _record().code, _record().warnings
    assert code.dirty
    assert ".naga-notebook/ what Python read from a pipe cannot be read again" in warnings[0]
    assert warnings[0] in done.stderr
    done = _python("-", options="strict=True")
    assert done.returncode == 2
    assert "cannot be read again" in done.stderr


def test_a_driver_of_one_line_is_no_change(repository: Path) -> None:
    """What only calls a task of a file stands in the lock's own argv."""
    subprocess.run([sys.executable, "-c", "import exp; exp.main(save_dir='results/a')"], check=True)
    assert _record().code[0].dirty is False
