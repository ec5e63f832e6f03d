"""What people note about their runs: tags and a text, in ``.naga/notes.yaml`` beside the run.lock."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from naga.errors import LockError, NagaError, UsageError
from naga.frozen import dataclass
from naga.layout import naga_folder
from naga.record import yaml_text
from naga.record.atomic import write_atomic
from naga.record.opener import make_inside, read_inside

_TAG = re.compile(r"[\w][\w.:@/-]{0,99}")
_LONGEST = 10_000  # letters of a note


@dataclass(frozen=True, slots=True)
class Notes:
    """The tags of a run, sorted, and its note."""

    tags: tuple[str, ...] = ()
    note: str = ""


def notes_file(save_dir: Path) -> Path:
    """Name the file of the tags and the note."""
    return naga_folder(save_dir) / "notes.yaml"


def read_notes(save_dir: Path) -> Notes:
    """Read the tags and the note of a run; empty where there is nothing readable."""
    try:
        plain: Any = yaml_text.load(read_inside(save_dir, notes_file(save_dir)).decode())
    except (OSError, LockError, ValueError):
        return Notes()
    plain = plain if isinstance(plain, Mapping) else {}
    tags = plain.get("tags") if isinstance(plain.get("tags"), list) else []
    return Notes(tuple(sorted({str(tag) for tag in tags or ()})), str(plain.get("note") or ""))


def change_tags(save_dir: Path, add: Iterable[str], remove: Iterable[str]) -> Notes:
    """Add tags to a run, and remove others."""
    known = read_notes(save_dir)
    notes = Notes(tuple(sorted({*known.tags, *add} - {*remove})), known.note)
    _write(save_dir, notes)
    return notes


def set_note(save_dir: Path, text: str) -> None:
    """Set the note of a run, in place of the one before; an empty text removes it."""
    if len(text) > _LONGEST:
        raise UsageError(f"a note of {len(text)} letters", hint=f"at most {_LONGEST}; a longer text is a file")
    _write(save_dir, Notes(read_notes(save_dir).tags, text))


def checked_tag(word: str) -> str:
    """Return a tag, or refuse it: letters, digits and ``. _ : @ / -`` need no quotes in filters and shells."""
    if not _TAG.fullmatch(word):
        raise UsageError(f"{word!r} is not a tag", hint="letters, digits, and . _ : @ / - between them: +best")
    return word


def _write(save_dir: Path, notes: Notes) -> None:
    file = notes_file(save_dir)
    plain = {"tags": list(notes.tags), "note": notes.note}
    try:
        make_inside(save_dir, file.parent)
        write_atomic(file, yaml_text.dump({key: value for key, value in plain.items() if value}).encode())
    except OSError as error:
        raise NagaError(f"'{file}' cannot be written: {error.strerror or error}", hint="chmod u+w") from error
