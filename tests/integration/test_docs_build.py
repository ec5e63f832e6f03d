"""The documentation: it builds, says everything that is public, and its blocks of code are really run."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import naga

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted(page for page in (ROOT / "docs").rglob("*.md") if "_build" not in page.parts)]
FENCE = re.compile(r"^ *```(\S+)$", re.MULTILINE)
LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)")


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The page of the API, from a build that any warning ends."""
    out = tmp_path_factory.mktemp("html")
    words = [sys.executable, "-m", "sphinx", "--quiet", "--fail-on-warning", str(ROOT / "docs"), str(out)]
    done = subprocess.run(words, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    return (out / "api.html").read_text(encoding="utf-8")


def test_builds_and_documents_what_is_public(api: str) -> None:
    """Sphinx has no complaint, and every public name stands on the page of the API."""
    names = {f"naga.{name}" for name in naga.__all__ if name != "errors"}
    names |= {f"naga.errors.{name}" for name in naga.errors.__all__} | {"naga.mlflow_log.mlflow_log_run"}
    assert [name for name in sorted(names) if f'id="{name}"' not in api] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_has_only_blocks_that_are_run(page: Path) -> None:
    """A block names a language that `conftest.py` runs, or none: then it is not code."""
    directives = {"{toctree}", "{eval-rst}", "{image}"}
    found = set(FENCE.findall(page.read_text(encoding="utf-8")))
    assert found - directives <= {"python", "pycon", "sh", "console", "yaml", "toml"}


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CONTRIBUTING.md"], ids=lambda page: page.name)
def test_links_to_files_that_exist(page: Path) -> None:
    """A relative link leads to a file."""
    links = LINK.findall(page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


GOOD = """
```python
# power.py
def double(x):
    return 2 * x
if __name__ == "__main__":
    print(double(2), "here")
```
```yaml
# values.yaml
x: 3
```
```pycon
>>> double(1)
2
```
```sh
python power.py  # as a script
test -s values.yaml
git status
```
```console
$ python power.py
4 ...
$ python nowhere.py
...
(exit code 2)
```
<!-- skip: next "never ends" -->
```sh
exit 1
```
"""
BAD = """
```python
assert False
```
```yaml
x: [
```
```pycon
>>> 1 + 1
3
```
```sh
false
echo ends well
```
```console
$ echo one
two
```
```console
$ false
```
```console
$ true
(exit code 1)
```
```console
no command
```
"""


@pytest.mark.parametrize(("page", "outcome"), [(GOOD, "6 passed, 1 skipped"), (BAD, "8 failed")], ids=["good", "bad"])
def test_runs_the_blocks_of_a_page(tmp_path: Path, page: str, outcome: str) -> None:
    """Blocks that do as they say pass; each of those that do not fails."""
    (tmp_path / "README.md").write_text(page)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    shutil.copy(ROOT / "conftest.py", tmp_path)
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "README.md"]
    done = subprocess.run(words, cwd=tmp_path, text=True, capture_output=True, check=False)
    assert f"{outcome} in" in done.stdout.splitlines()[-1], done.stdout
