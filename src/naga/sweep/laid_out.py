"""The code of a sweep, laid out once, so that its points import the same code however the worktree is edited."""

import fcntl
import hashlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from naga.cache_dir import cache_folder
from naga.capture.code.checkout import lay_out
from naga.capture.code.git import GitError, Repository, names
from naga.capture.code.imports import moved, own_place
from naga.errors import NagaError
from naga.project import top_of
from naga.record.schema import Code

_STAYS = ".stays"  # marks what jobs of a scheduler may still need when the driver has died


@contextmanager
def laid_out(entries: tuple[Code, ...], sweep: str, *, outlives: bool, leave: bool) -> Iterator[dict[str, str]]:
    """Lay out the repositories of a capture in the user's own cache; return the folder of each by its path.

    The folder is named after what it holds: a second driver of the sweep uses the same, and so do jobs that an earlier
    one has queued. ``outlives`` says that there may be such jobs, ``leave`` that there are.
    """
    codes = sorted((code for code in entries if code.commit), key=lambda code: code.path)
    if not codes:
        yield {}
        return
    held = hashlib.sha256(json.dumps([(code.path, code.tree) for code in codes]).encode()).hexdigest()[:12]
    place = Path(os.path.realpath(cache_folder()), "sweeps", f"{sweep}-{held}")
    mark = place.with_suffix(_STAYS)
    with ExitStack() as stack:
        try:
            lock = stack.enter_context(_shared_lock(place.parent))
            if outlives:
                mark.touch()
            _fill(codes, place)
        except (GitError, OSError) as error:
            hint = "--code current lets each point import what it finds"
            raise NagaError(f"the code of the sweep cannot be laid out: {error}", hint=hint) from error
        try:
            folders = _folders(codes, place)
            imported_from(folders)  # the links of all modules are resolved here, once for all forks
            yield folders
        finally:
            if not leave:
                mark.unlink(missing_ok=True)
            _remove_unused(place.parent, lock.fileno())


def _shared_lock(folder: Path) -> IO[str]:
    """Lock a folder that only its user can write to: who can write there can run code as this user."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.stat().st_uid != os.getuid() or folder.stat().st_mode & 0o022:
        raise PermissionError(f"others can write to '{folder}'")
    lock = (folder / "lock").open("a+")
    fcntl.flock(lock, fcntl.LOCK_SH)
    return lock


def _folders(codes: list[Code], place: Path) -> dict[str, str]:
    """Give each repository a folder; one that is inside another is inside it here, too."""
    folders: dict[str, str] = {}
    for number, code in enumerate(codes):  # sorted: the outer one comes first
        folders[code.path] = moved(code.path, folders) or str(place / f"{number}" / code.name)
    return folders


def _fill(codes: list[Code], place: Path) -> None:
    """Write the files of all commits, and links to the files beside them that no commit has."""
    if place.is_dir():
        return
    new = Path(tempfile.mkdtemp(dir=place.parent))
    try:
        for code, folder in zip(codes, _folders(codes, new).values(), strict=True):
            repository = Repository.find(Path(code.path))
            lay_out(repository, str(code.commit), Path(folder))
            _link_others(repository, code, Path(folder))
            (Path(folder) / ".git").touch()  # what searches for the root of the project stops here
        with suppress(OSError):  # another driver was faster
            new.rename(place)
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _link_others(repository: Repository, code: Code, folder: Path) -> None:
    """Link ignored files and those too large to store: built modules, ``_version.py``, weights beside the code."""
    words = ("ls-files", "-z", "--others", "--ignored", "--exclude-standard", "--directory")
    for path in (*names(repository.run(*words).stdout), *(skipped.path for skipped in code.skipped)):
        target, there = folder / path.rstrip("/"), repository.top / path.rstrip("/")
        # Python would write what it compiles here over what it has compiled there.
        is_wanted = target.name not in ("__pycache__", ".git") and target.parent.is_dir() and there.exists()
        if is_wanted and not os.path.lexists(target):
            target.symlink_to(there)


def _remove_unused(above: Path, lock: int) -> None:
    """Remove the laid-out code, also that of killed drivers, unless another driver is at work."""
    with suppress(OSError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for place in above.iterdir():
            if place.is_dir() and not place.with_suffix(_STAYS).exists():
                shutil.rmtree(place, ignore_errors=True)


def computed_at_import(script: Path | None) -> str:
    """Name a path that a module of the project has computed, which in a fork would lead to the user's own files.

    Such is ``ROOT = Path(__file__).parent``, which must lead to the code of the sweep.
    """
    top = top_of(Path(os.path.realpath(script)).parent) if script else None
    for module in list(sys.modules.values()) if top else ():
        file = os.path.abspath(getattr(module, "__file__", None) or "/")  # noqa: PTH100  # thousands of modules
        for name, value in list(vars(module).items()) if own_place(file).startswith(f"{top}/") else ():
            if not name.startswith("__") and is_below(value, (f"{top}/",)):
                return f"{name} in {Path(file).name}"
    return ""


def is_below(value: Any, tops: tuple[str, ...]) -> bool:
    """Return whether a value is an absolute path of one of these folders, or of something in them."""
    is_path = isinstance(value, str | Path) and len(str(value)) < 4096 and os.path.isabs(value)  # noqa: PTH117
    return is_path and f"{os.path.realpath(value)}/".startswith(tops)


def imported_from(folders: Mapping[str, str]) -> list[str]:
    """Name the modules of the project that this process has imported from elsewhere than where it is laid out."""
    files = {name: getattr(module, "__file__", None) for name, module in list(sys.modules.items())}
    own = {name: os.path.abspath(file) for name, file in files.items() if isinstance(file, str)}  # noqa: PTH100
    tops = tuple(f"{top}/" for top in folders)
    return [name for name, file in own.items() if moved(file, folders) and file.startswith(tops)]
