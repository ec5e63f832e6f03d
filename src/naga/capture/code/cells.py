"""The code that is in no file: the cells of a notebook so far, ``python - < exp.py`` and ``python -c``."""

import json
import os
import re
import stat
import sys
from collections.abc import Callable, Mapping
from dataclasses import field
from pathlib import Path
from typing import Any

from naga.capture.code.source_secrets import redact_source
from naga.frozen import dataclass
from naga.hashing.hash_tree import hash_path
from naga.process.entry_point import file_of
from naga.process.notebook import notebook_path, shell
from naga.process.switches import why_no_cells

FOLDER = ".naga-notebook"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cells:
    """Code that ran without being in a file: its text, or why the text is unknown."""

    files: Mapping[str, bytes] = field(default_factory=dict)
    reason: str = ""
    wanted: bool = True  # a warning says that it is missing


def cells_of(fn: Callable[..., Any], *, wanted: bool) -> Cells | None:
    """Collect the code around a call of a task that is in no file; None where all of it is in files."""
    of_main = getattr(fn, "__module__", None) == "__main__"
    if of_main and file_of(fn):  # of a script, also where `%run` has started it
        return None
    ours = shell()
    if ours is None and not of_main and not _is_piped():
        return None
    if ours is not None and not _executed(ours) and not of_main:
        return None
    if reason := why_no_cells(declared=wanted):
        return Cells(reason=reason, wanted=False)
    return _of_notebook(ours) if ours is not None else _of_text()


def _executed(ours: Any) -> list[str]:
    # What this kernel has run, in order; the history on the disk is that of others, too.
    return [text for text in getattr(ours.history_manager, "input_hist_raw", [])[1:] if text.strip()]


def _of_notebook(ours: Any) -> Cells:
    cells, path = _executed(ours), notebook_path()
    if not cells:
        return Cells(reason="IPython keeps no history here")
    text = "\n\n".join(f"# %% [{number}]\n{redact_source(cell)}" for number, cell in enumerate(cells, 1))
    files = {"cells.py": f"{text}\n".encode(errors="surrogateescape")}
    if path:
        hash_ = hash_path(path).hash if path.is_file() else None
        files["notebook.json"] = json.dumps({"path": str(path), "hash": hash_}, indent=2).encode() + b"\n"
    return Cells(files=files)


def _of_text() -> Cells:
    """Read the text of ``-c``, or read again the file that the shell gives as stdin."""
    if sys.argv[:1] == ["-c"]:
        words = iter(sys.orig_argv[1:])
        options = (re.fullmatch(r"-[A-Za-z]*?c(.*)", word, re.DOTALL) for word in words)
        text = next((option[1] or next(words, "") for option in options if option), "")
        return Cells(files={"command.py": f"{redact_source(text)}\n".encode(errors="surrogateescape")})
    if not _is_piped():
        what = "of this frozen program" if hasattr(sys, "frozen") else "that was typed, or sent to this worker,"
        return Cells(reason=f"the code {what} is in no file")
    try:
        about = os.fstat(0)
        if stat.S_ISREG(about.st_mode):
            text = os.pread(0, about.st_size, 0).decode(errors="surrogateescape")
            return Cells(files={"stdin.py": redact_source(text).encode(errors="surrogateescape")})
    except OSError as error:
        return Cells(reason=f"what Python read from standard input cannot be read again: {error}")
    return Cells(reason="what Python read from a pipe cannot be read again (python exp.py, or python - < exp.py)")


def _is_piped() -> bool:
    main = vars(sys.modules["__main__"])
    return main.get("__file__") in (None, "<stdin>") and not hasattr(sys, "ps1") and sys.argv[:1] in ([""], ["-"])


def write_beside(files: Mapping[str, bytes], folder: Path) -> Path:
    """Write the cells into Naga's own folder of a run, where no repository can store them."""
    from naga.record.atomic import write_atomic

    target = folder / "notebook"
    target.mkdir(parents=True, exist_ok=True)
    if target.is_symlink():
        raise OSError(f"'{target}' is a link")
    for name, content in files.items():
        write_atomic(target / name, content)
    return target
