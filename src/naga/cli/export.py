"""`naga export`: a zip of runs, and the list of what goes into it."""

import argparse
import re
import sys
from collections import Counter

from naga.cli.tables import size_text
from naga.crate.export import Crate, Wishes, export
from naga.crate.zip_format import MOST_BYTES
from naga.paths import near
from naga.runs.filter import Filter
from naga.runs.select import select_runs
from naga.terminal import print_asked, printable
from naga.wording import and_more, plural

_SHOWN = 100
_CODE = re.compile(r"code/[^/]+/")


def export_runs(words: argparse.Namespace) -> int:
    """Write runs to a new zip, after listing what it will hold."""
    wishes = Wishes(data=words.with_data, history=words.with_history, machine=words.with_machine)
    export(select_runs(words.run, Filter()), words.to, wishes, tell=_list)
    print_asked(f"{printable(near(words.to), lines=False)}\n")
    return 0


def _list(crate: Crate) -> None:
    """List the files with their sizes, and name what is left out."""
    total = sum(entry.size for entry in crate.entries)
    lines = [f"naga: {plural(len(crate.entries), 'file')}, {size_text(total)}:"]
    listed = Counter[str]()
    for entry in crate.entries:  # of code, of which the bundle is the same, each repository
        listed["/".join([*entry.name.split("/")[:2], ""]) if _CODE.match(entry.name) else entry.name] += entry.size
    lines += [f"{size_text(size):>12}  {name}" for name, size in [*listed.items()][:_SHOWN]]
    lines += [and_more(len(listed) - _SHOWN)] * (len(listed) > _SHOWN)
    lines += ["  to read it takes --large"] * (total > MOST_BYTES)
    lines += [f"  left out: {line}" for line in (*crate.left_out, *_not_asked(crate))]
    print("\n".join(printable(line, lines=False) for line in lines), file=sys.stderr)


def _not_asked(crate: Crate) -> list[str]:
    wishes, keys = crate.wishes, {key for part in crate.parts for key in part.about["changed"]}
    lines = [] if wishes.data else ["inputs: they are named by path, hash and size (--with-data)"]
    lines += [] if wishes.history else ["former commits (--with-history: they hold secrets that were deleted since)"]
    if not wishes.machine:
        lines.append("user, host, paths and addresses of the machine, and what was printed (--with-machine)")
    return lines + [f"config: {key}: what it says of the machine" for key in sorted(keys)]
