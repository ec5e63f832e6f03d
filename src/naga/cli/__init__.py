"""The command `naga`: one function per command; what they do is in the layers below."""

import argparse
import importlib
import io
import os
import shlex
import sys
from collections.abc import Callable, Sequence

from naga.cli.parser import parser
from naga.errors import NagaError, UsageError, one_line, unreadable


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line."""
    sys.stdout = sys.stdout or io.StringIO()  # closed by a shell (`>&-`): no one wants to read it
    for stream in (sys.stdout, sys.stderr):  # a name that the terminal's encoding has no letters for is shown, escaped
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        words = _read(sys.argv[1:] if argv is None else argv)
        code = _command(words.command)(words)
    except NagaError as error:
        print(one_line(error, otherwise="naga --help"), file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:
        # Whoever read the table has seen enough (`naga ls | head`).
        sys.stderr.close()
        return 0
    except OSError as error:
        print(one_line(unreadable(error)), file=sys.stderr)
        return NagaError.exit_code
    except KeyboardInterrupt:
        print("naga: interrupted", file=sys.stderr)
        return 130
    return code


def _command(name: str) -> Callable[[argparse.Namespace], int]:
    if not name:  # `naga` alone
        return lambda _: print(parser().format_help(), end="") or 0
    module, function = name.split(":")
    command: Callable[[argparse.Namespace], int] = getattr(importlib.import_module(f"naga.cli.{module}"), function)
    return command


def _read(argv: Sequence[str]) -> argparse.Namespace:
    every = parser()
    if "_ARGCOMPLETE" in os.environ:  # a shell asks what a word may be
        from naga.cli.completion import complete

        complete(every)
    words, further = every.parse_known_args(_joined(argv))
    runs = getattr(words, "run", None)
    # argparse takes no list of runs that stands behind an option.
    if any(word.startswith("-") for word in further) or (further and not isinstance(runs, list)):
        raise UsageError(f"unrecognized arguments: {' '.join(further)}", hint=_instead(argv, words))
    if further:
        words.run = [*words.run, *further]
    return words


def _instead(argv: Sequence[str], words: argparse.Namespace) -> str:
    """Say what to type: a note of several words without quotes would else be a riddle."""
    if argv[0] == "note":
        return f"naga note {shlex.quote(words.run)} {shlex.quote(' '.join(argv[2:]))}"
    return f"naga {argv[0]} --help"


def _joined(argv: Sequence[str]) -> list[str]:
    """Protect words that may begin with a minus, which argparse takes for options: ``--sort -KEY``, ``-TAG``."""
    if argv[:1] == ["tag"] and not {"-h", "--help"}.intersection(argv):
        return ["tag", "--", *argv[1:]]
    words: list[str] = []
    for word in argv:
        if words and words[-1] == "--sort":
            words[-1] = f"--sort={word}"
        else:
            words.append(word)
    return words
