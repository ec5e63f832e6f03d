"""The code of a diag: its own file, and what that imports from the same project, directly or not.

Files are found and read, never imported: the answer is the same before and after the diag has run, in a script and in a
process that runs many diags.
"""

import hashlib
import os
import re
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

from naga.capture.code.snapshot import SnapshotLabel, capture_once
from naga.project import NAGA, project_root, top_of
from naga.runs.find import Run

# Parsing a project of some hundred files would take longer than most diags. What only looks like an import, in a
# docstring, does no harm: a file more than needed.
_IMPORT = re.compile(
    r"(?:^|;)[ \t]*(?:from[ \t]+(\.*)([\w.]*)[ \t]+import[ \t]*(\([^)]*\)|[^\n;]*)|import[ \t]+([^\n;]+))", re.MULTILINE
)
_FOREIGN = frozenset({"site-packages", "dist-packages"})


def diag_commit(file: Path, name: str, run: Run) -> str | None:
    """Return a commit of the code of a diag, under ``refs/naga/diags/...``: one for each state of the code."""
    top = top_of(file.parent)
    snapshots = {code.path for code in run.record.code if code.commit}
    if top is None or not snapshots or (top == NAGA and str(top) not in snapshots):
        return None
    label = SnapshotLabel(
        run_id=code_hash(file)[:32], task=name, save_dir=None, leave_out=(run.save_dir,), kind="diags"
    )
    return capture_once(file, label)


def code_hash(file: Path) -> str:
    """Hash the content of a diag's code, wherever the project is."""
    root = project_root(file.parent)
    files = sorted((str(path.relative_to(root)), path) for path in code_files(file))
    total = hashlib.sha256()
    for name, path in files:
        total.update(f"{name}\0{content_hash(path)}\n".encode(errors="surrogateescape"))
    return total.hexdigest()


def content_hash(file: Path) -> str:
    """Hash one file."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


def code_files(file: Path) -> set[Path]:
    """Find a diag's own file, and all files of its project that it imports, directly or not."""
    root = project_root(file.parent)
    is_file = cache(os.path.isfile)
    found, unread = {str(file)}, [str(file)]
    while unread:
        new = {path for path in _imported(unread.pop(), root, is_file) if _is_own(Path(path), root)} - found
        found |= new
        unread += new
    return set(map(Path, found))


def _is_own(path: Path, root: Path) -> bool:
    return path.is_relative_to(root) and _FOREIGN.isdisjoint(path.parts)


def _imported(file: str, root: Path, is_file: Callable[[str], bool]) -> set[str]:
    try:
        text = Path(file).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return set()
    found: set[str] = set()
    roots = list(_roots(Path(file).parent, root))
    for dots, module, names, modules in _IMPORT.findall(text):
        if modules:
            asked = {tuple(name.split(".")) for name in _split(modules)}
        else:  # each name may be a module of its own
            asked = {(*filter(None, module.split(".")), name) for name in _split(names)}
        folders = [str(Path(file).parents[len(dots) - 1])] if dots else roots
        found.update(path for parts in asked for folder in folders for path in _files_in(folder, parts, is_file))
    return found


def _roots(folder: Path, root: Path) -> Iterator[str]:
    """Name the folders that an import may be found in: every folder above, and the ``src`` of each.

    Which comes first depends on how Python was started; taking all of them gives one answer in every process.
    """
    for above in (folder, *folder.parents):
        if above.is_relative_to(root):
            yield from (str(above), str(above / "src"))
    own = dict.fromkeys(map(os.path.realpath, sys.path))
    yield from (path for path in own if _is_own(Path(path), root))


def _split(names: str) -> list[str]:
    """Read ``a as b, c  # comment`` as a and c."""
    lines = (line.partition("#")[0] for line in names.strip("()").splitlines())
    return [name.split()[0] for line in lines for name in line.split(",") if name.strip()]


def _files_in(folder: str, names: tuple[str, ...], is_file: Callable[[str], bool]) -> Iterator[str]:
    """Find the files that importing ``names[0].names[1]...`` runs: each package's, and the module's."""
    for name in names:
        folder = os.path.join(folder, name)  # noqa: PTH118  # thousands of times: Path would take most of the time
        yield from [path for path in (f"{folder}/__init__.py", f"{folder}.py") if is_file(path)][:1]
