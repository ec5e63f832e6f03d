"""What a publication is made of, and the key that shows whether it would be the same today.

The key of a publication covers the run's lock, the diag with all code of its project that it imports, and the diag's
arguments. Its parts stand in its tags, so that anyone can compute it again later from the files alone, without
importing them.
"""

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from naga.diagnose.diag_code import code_files, code_hash, content_hash
from naga.frozen import dataclass
from naga.process.identity import age_s
from naga.project import project_root
from naga.tracking.tags import Tag

_LONGEST = 1000  # characters of arguments that a tag shows
_TICKS_S = 0.02  # the system counts in hundredths; Python takes longer than this to open its first file

RECORDED = "recorded"


@dataclass(frozen=True, slots=True, kw_only=True)
class DiagKey:
    """Everything that decides what a diag publishes of a run.

    ``diag`` is ``file:function``, the file as it is called in its project; without a file, as in a notebook, the
    function alone. ``arguments`` are what the function is given besides the configuration, as JSON. ``recorded`` says
    that all code but the diag's own file was that of the run.
    """

    diag: str
    code: str
    arguments: str = ""
    recorded: bool = False

    def key(self, lock_hash: str) -> str:
        """Return the ``naga.diag_key`` of the publication of a run: an unchanged key means an unchanged publication."""
        parts = json.dumps([lock_hash, self.diag, self.code, self.arguments, self.recorded])
        return hashlib.sha256(parts.encode(errors="surrogateescape")).hexdigest()

    def tags(self) -> dict[str, str]:
        """Return the tags from which the key can be computed again."""
        tags = {Tag.DIAG: self.diag}
        if self.arguments:
            tags[Tag.DIAG_ARGUMENTS] = self.arguments
        return tags | ({Tag.DIAG_CODE: RECORDED} if self.recorded else {})


def diag_key_of(
    fn: Callable[..., Any], file: Path | None, arguments: Mapping[str, Any], *, recorded: bool = False
) -> DiagKey:
    """Return the key of a call of a diag."""
    shown = json.dumps(dict(arguments), default=repr, sort_keys=True) if arguments else ""
    if len(shown) > _LONGEST:
        shown = f"sha256:{hashlib.sha256(shown.encode()).hexdigest()}"
    if file is None:
        code = hashlib.sha256(repr(_compiled(fn)).encode()).hexdigest()
        return DiagKey(diag=fn.__qualname__, code=code, arguments=shown)
    return DiagKey(
        diag=f"{_in_project(file)}:{fn.__qualname__}",
        code=_loaded(file, recorded),
        arguments=shown,
        recorded=recorded,
    )


def diag_key_today(tags: Mapping[str, str], root: Path) -> DiagKey | None:
    """Return the key that a publication would have if its diag were called today."""
    diag, recorded = tags.get(Tag.DIAG, ""), tags.get(Tag.DIAG_CODE) == RECORDED
    name, mark, _ = diag.rpartition(":")
    file = root / name
    if not mark or not file.is_file():
        return None
    code = content_hash(file) if recorded else code_hash(file)
    return DiagKey(diag=diag, code=code, arguments=tags.get(Tag.DIAG_ARGUMENTS, ""), recorded=recorded)


def _in_project(file: Path) -> str:
    return file.relative_to(project_root(file.parent)).as_posix()


@lru_cache
def _loaded(file: Path, recorded: bool) -> str:
    """Hash a diag's code once in a process, since that is how often it is imported.

    Code that was edited after the process began may not be what runs: its hash is then like no other, and what it
    publishes counts as stale.
    """
    began = time.time() - age_s() + _TICKS_S
    files = {file} if recorded else code_files(file)
    if any(path.stat().st_mtime > began for path in files):
        return f"edited {time.time_ns()}"
    return content_hash(file) if recorded else code_hash(file)


def _compiled(fn: Callable[..., Any]) -> tuple[Any, ...]:
    code = fn.__code__
    return code.co_code, code.co_names, [const for const in code.co_consts if not hasattr(const, "co_code")]
