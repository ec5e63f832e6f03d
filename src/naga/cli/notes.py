"""`naga tag` and `naga note`: what people note about their runs."""

import argparse

from naga.errors import UsageError
from naga.paths import near
from naga.runs.filter import Filter
from naga.runs.find import load_run
from naga.runs.notes import change_tags, checked_tag, read_notes, set_note
from naga.runs.select import select_runs
from naga.terminal import print_asked, print_lines, printable


def tag(words: argparse.Namespace) -> int:
    """Change the tags of runs."""
    add = [checked_tag(word[1:]) for word in words.words if word.startswith("+")]
    remove = [checked_tag(word[1:]) for word in words.words if word.startswith("-")]
    names = [word for word in words.words if word[:1] not in ("+", "-")]
    if not names or not (add or remove):
        raise UsageError("naga tag takes runs and tags", hint="naga tag results/a +best -draft")
    for run in select_runs(names, Filter()):
        notes = change_tags(run.save_dir, add, remove)
        print_lines(f"{near(run.save_dir)}  {', '.join(notes.tags) or 'no tags'}")
    return 0


def note(words: argparse.Namespace) -> int:
    """Set or print the note of a run."""
    run = load_run(words.run)
    if words.text is None:
        print_asked(printable(read_notes(run.save_dir).note) + "\n")
    else:
        set_note(run.save_dir, words.text)
    return 0
