"""Which files the running program was imported from, other than those of installed packages."""

import os
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path


def imported_files() -> set[Path]:
    """Return the files of all modules except installed ones, the standard library and Naga, links resolved."""
    loaded = (
        getattr(module, "__file__", None)
        for name, module in sys.modules.copy().items()
        if name.partition(".")[0] != "naga"
    )
    files = {file for file in loaded if isinstance(file, str) and not is_installed(os.path.dirname(file))}  # noqa: PTH120
    own = {Path(file) for file in files if os.path.isfile(file)}  # noqa: PTH113  # thousands of modules
    return {file.resolve() for file in own if not _is_recorded(file)}


@cache
def is_installed(folder: str) -> bool:
    """Return whether a folder is the interpreter's or one of installed packages, and so no code of a project."""
    path = Path(folder)
    return any(
        place.name in ("site-packages", "dist-packages") or place in _installed_places()
        for place in (path, *path.parents)
    )


def _is_recorded(file: Path) -> bool:
    """Return whether a package's own list names a file: `pip install --target` installs into any folder."""
    return any(
        file.relative_to(place).as_posix() in _recorded(place) for place in file.parents if str(place) in sys.path
    )


@cache
def _recorded(place: Path) -> frozenset[str]:
    lists = (path.read_text(errors="replace") for path in place.glob("*.dist-info/RECORD"))
    return frozenset(line.split(",")[0].strip('"') for text in lists for line in text.splitlines())


@cache
def _installed_places() -> frozenset[Path]:
    # What `sysconfig.get_path` says of "stdlib", "platstdlib" and "scripts", which takes a millisecond to find it out.
    version = f"{sys.platlibdir}/python{sys.version_info[0]}.{sys.version_info[1]}"
    places = {f"{sys.base_prefix}/{version}", f"{sys.base_exec_prefix}/{version}", f"{sys.exec_prefix}/bin"}
    return frozenset(Path(form(place)) for place in places for form in (os.path.normpath, os.path.realpath))


def moved(path: str, folders: Mapping[str, str]) -> str | None:
    """Return the laid-out copy of a path of the project; None for one of no repository, or of an installed package."""
    real = own_place(os.path.abspath(path))  # noqa: PTH100  # thousands of modules
    tops = [top for top in folders if f"{real}/".startswith(f"{top}/")]
    if not tops or any(real.startswith(folder) for folder in folders.values()):
        return None
    top = max(tops, key=len)
    return folders[top] + real[len(top) :]


@cache
def own_place(path: str) -> str:
    """Resolve the links of a path; '' for one of an installed package."""
    real = os.path.realpath(path)
    return "" if is_installed(real) else real


def import_from(folders: Mapping[str, str]) -> None:
    """Let this process import the project, and find the files beside its modules, where it is laid out."""
    if not folders:
        return
    sys.path[:] = [moved(path or os.curdir, folders) or path for path in sys.path]
    for name, module in list(sys.modules.items()):
        if isinstance(file := getattr(module, "__file__", None), str) and (place := moved(file, folders)):
            module.__file__ = place
        if isinstance(paths := getattr(module, "__path__", None), list):
            paths[:] = [moved(path, folders) or path for path in paths]
        if name.startswith("__editable__"):  # how setuptools finds what is installed by a link
            found: dict[str, str] = module.MAPPING
            found |= {package: moved(path, folders) or path for package, path in found.items()}
