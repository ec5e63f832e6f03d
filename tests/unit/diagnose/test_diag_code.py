"""Which code a diag is made of."""

import dataclasses
import os
import time
from pathlib import Path

import pytest
from workbench import git

from naga.diagnose.diag_code import code_files, code_hash, diag_commit
from naga.diagnose.diag_key import diag_key_of, diag_key_today
from naga.process.identity import this_process
from naga.record.schema import Code, Record
from naga.runs.find import Run

FILES = {
    "pyproject.toml": "",
    "diag.py": "import os, helper as h  # x\nimport package.inner as inner\ndef diag(cfg):\n    from package import (\n"
    "        late as l,  # y\n        other)\n",
    "helper.py": "from further import something\n",
    "further.py": "import helper\nsomething = 1\n",
    "package/__init__.py": "from . import beside\n",
    "package/inner.py": "from .beside import thing; from ..helper import x\n",
    "package/beside.py": "thing = 1\n",
    "package/late.py": "",
    "package/unused.py": "",
    "unused.py": "",
    "broken.py": "def (",
    ".venv/lib/site-packages/installed.py": "",
}


@pytest.fixture
def own_project(tmp_path: Path) -> Path:
    """A project with modules that import each other."""
    for name, text in FILES.items():
        (tmp_path / "project" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "project" / name).write_text(text)
    return tmp_path / "project"


def test_files(own_project: Path) -> None:
    """The file and what it imports, late or round about, and nothing else."""
    names = {str(path.relative_to(own_project)) for path in code_files(own_project / "diag.py")}
    assert names == {
        "diag.py", "helper.py", "further.py",
        "package/__init__.py", "package/inner.py", "package/beside.py", "package/late.py",
    }  # fmt: skip


@pytest.mark.parametrize("name", ["diag.py", "further.py", "package/beside.py", "package/late.py"])
def test_hash_changes(own_project: Path, name: str) -> None:
    """An edit anywhere in it is noticed."""
    before = code_hash(own_project / "diag.py")
    with (own_project / name).open("a") as file:
        file.write("# edited\n")
    assert code_hash(own_project / "diag.py") != before


@pytest.mark.parametrize(
    "name", ["unused.py", "package/unused.py", "broken.py", ".venv/lib/site-packages/installed.py"]
)
def test_hash_stays(own_project: Path, name: str) -> None:
    """An edit elsewhere is not; nor is the project's place."""
    before = code_hash(own_project / "diag.py")
    (own_project / name).write_text("# edited\n")
    moved = own_project.rename(own_project.with_name("moved"))
    assert code_hash(moved / "diag.py") == before


def first(cfg: object) -> int:
    """A diag without a file, as in a notebook."""
    return 1


def second(cfg: object) -> int:
    """Another."""
    return 2


def test_key(own_project: Path) -> None:
    """The key is that of the lock, the diag and its arguments; without a file, of the function's own code."""
    file = own_project / "diag.py"
    keys = [
        diag_key_of(first, file, {}).key("blake3:00"),
        diag_key_of(first, file, {}).key("blake3:01"),
        diag_key_of(second, file, {}).key("blake3:00"),
        diag_key_of(first, file, {"bins": 1}).key("blake3:00"),
        diag_key_of(first, file, {"bins": "x" * 2000}).key("blake3:00"),
        diag_key_of(first, None, {}).key("blake3:00"),
        diag_key_of(second, None, {}).key("blake3:00"),
        diag_key_of(first, file, {}, recorded=True).key("blake3:00"),
    ]
    assert len(set(keys)) == len(keys)
    assert diag_key_of(first, file, {}).key("blake3:00") == keys[0]


@pytest.mark.parametrize("recorded", [False, True])
def test_a_page_tells_its_recipe(own_project: Path, recorded: bool) -> None:
    """Its tags are enough to make the recipe again, and to see an edit; recorded code counts as what it was."""
    old = time.time() - 1e6  # before this process began, however long it has been running
    for path in own_project.rglob("*.py"):
        os.utime(path, (old, old))
    file = own_project / "diag.py"
    recipe = diag_key_of(first, file, {"bins": 3}, recorded=recorded)
    assert diag_key_today(recipe.tags(), own_project) == recipe
    (own_project / "helper.py").write_text("# edited\n")
    assert (diag_key_today(recipe.tags(), own_project) == recipe) == recorded
    file.write_text("# edited\n")
    assert diag_key_today(recipe.tags(), own_project) != recipe
    file.unlink()
    assert diag_key_today(recipe.tags(), own_project) is None


def test_code_edited_since_the_process_began(own_project: Path) -> None:
    """What runs is not what is there: such a page is like no other, and never fresh."""
    recipe = diag_key_of(first, own_project / "diag.py", {})
    assert diag_key_today(recipe.tags(), own_project) != recipe


def test_code_that_cannot_be_parsed(own_project: Path) -> None:
    """It stands for itself."""
    assert code_files(own_project / "broken.py") == {own_project / "broken.py"}


RECORD = Record(
    run_id="r", status="finished", task="t", save_dir="results/a", started="", config={}, process=this_process()
)


def test_commit_of_a_diag(project: Path) -> None:
    """A diag's code is kept in a commit of its own, one for each state; where the run has no snapshot, in none."""
    file = project / "diag.py"
    file.write_text("first = True\n")
    bare = Run(project / "results/a", RECORD)
    run = Run(bare.save_dir, dataclasses.replace(bare.record, code=(Code(name="p", path="/p", commit="c" * 40),)))
    status = git("status", "--porcelain", cwd=project)
    assert diag_commit(file, "diag", bare) is None
    first = diag_commit(file, "diag", run)
    assert first is not None
    (project / "data/raw.csv").write_text("what is no code\n")
    assert diag_commit(file, "diag", run) == first
    assert git("show", f"{first}:diag.py", cwd=project) == "first = True\n"
    file.write_text("second = True\n")
    second = diag_commit(file, "diag", run)
    assert git("show", f"{second}:diag.py", cwd=project) == "second = True\n"
    assert len(git("for-each-ref", "refs/naga/diags", cwd=project).splitlines()) == 2
    assert git("status", "--porcelain", cwd=project) == status
    assert diag_commit(Path(__file__), "diag", run) is None  # Naga's own repository is not the user's
