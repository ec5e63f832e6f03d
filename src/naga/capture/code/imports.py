"""Which files of the project the running program was imported from: all that no version of a package stands for."""

import os
import sys
from functools import cache
from pathlib import Path


def imported_files() -> set[Path]:
    """Return the files of all modules but installed ones, the standard library's and Naga's, links resolved."""
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
    """Tell whether a folder is the interpreter's or that of installed packages, which are not code of a project."""
    path = Path(folder)
    return any(
        place.name in ("site-packages", "dist-packages") or place in _installed_places()
        for place in (path, *path.parents)
    )


def _is_recorded(file: Path) -> bool:
    """Tell whether a package's own list has a file: `pip install --target` installs into any folder."""
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
