"""Which run, or which diag of it, made a file: found by its content, or else by the folder that it is in."""

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from naga.capture.data.manifest import listed
from naga.errors import LockError, NagaError
from naga.frozen import dataclass
from naga.hashing.hash_tree import hash_path
from naga.layout import DIAG, LOCK_NAME, OUTPUTS_LIST, naga_folder
from naga.record.opener import MAX_LIST_BYTES, read_inside
from naga.runs.find import Run, each_known_run, each_run, load_run


@dataclass(frozen=True, slots=True)
class Origin:
    """The origin of a file: its run, its name there, and whether its content shows that, or only its folder."""

    run: Run
    path: str
    is_content: bool
    is_diag: bool


def whence(file: Path, roots: Sequence[Path]) -> list[Origin]:
    """Find the runs whose results, or whose diags' files, include a file."""
    digest, size = hash_path(file).hash, file.stat().st_size
    found: dict[str, Origin] = {}
    for run in _runs(roots):
        for path, is_diag in _of_content(run, digest, size):
            found.setdefault(str(run.save_dir), Origin(run, path, is_content=True, is_diag=is_diag))
    return list(found.values()) or list(_of_place(file))


def _runs(roots: Sequence[Path]) -> Iterator[Run]:
    seen = set()
    for run in (*(run for root in roots for run in each_run(root, archived=True)), *each_known_run()):
        if run.folder not in seen:
            seen.add(run.folder)
            yield run


def _of_content(run: Run, digest: str, size: int) -> Iterator[tuple[str, bool]]:
    with suppress(OSError, LockError, ValueError, KeyError, TypeError):
        content = read_inside(run.save_dir, naga_folder(run.save_dir) / OUTPUTS_LIST, MAX_LIST_BYTES)
        outputs = listed(json.loads(content)) if digest.encode() in content else {}  # of thousands, one has it
        yield from ((path, False) for path, known in outputs.items() if known == digest)
    diag = run.save_dir / DIAG
    for file in diag.rglob("*") if diag.is_dir() and not diag.is_symlink() else ():
        with suppress(OSError, NagaError):
            is_alike = file.is_file() and not file.is_symlink() and file.stat().st_size == size
            if is_alike and hash_path(file).hash == digest:
                yield str(file.relative_to(run.save_dir)), True


def _of_place(file: Path) -> Iterator[Origin]:
    for folder in file.absolute().parents:
        if (folder / LOCK_NAME).is_file():
            with suppress(LockError):
                path = str(file.absolute().relative_to(folder))
                yield Origin(load_run(folder), path, is_content=False, is_diag=path.startswith("diag/"))
                return
