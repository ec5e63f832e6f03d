"""Messages to the person at the terminal: single lines on stderr, apart from the script's own output."""

import os
import sys

from naga.secrets import redact_text
from naga.wording import shortened


def printable(text: str, *, lines: bool = True) -> str:
    r"""Make control characters visible, so that a terminal does not obey them; newlines stay unless ``lines=False``.

    Examples
    --------
    >>> print(printable("a\x1b[2Jb"))
    a\x1b[2Jb
    """
    if text.isprintable():  # as nearly all is
        return text
    return "".join(char if (lines and char == "\n") or char.isprintable() else ascii(char)[1:-1] for char in text)


def print_asked(text: str) -> None:
    """Print what was asked for on stdout, which its reader may close early (``| head``)."""
    try:
        print(text, end="", flush=True)  # noqa: T201  # it is what was asked for
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # or the interpreter complains once more at its end
    except OSError as error:
        raise SystemExit(f"naga: stdout cannot be written: {error.strerror}") from None


def print_lines(*lines: str) -> None:
    """Print lines that were asked for, each as one line whatever it holds."""
    print_asked("".join(printable(line, lines=False) + "\n" for line in lines))


def say(message: str) -> None:
    """Print one line to stderr; a closed or missing stderr is no reason to fail."""
    try:
        print(f"naga: {shortened(redact_text(message))}", file=sys.stderr, flush=True)  # noqa: T201  # the one place that speaks
    except Exception:  # noqa: BLE001  # the function may have put anything there
        return


def tell(message: str) -> None:
    """Print one line of news, which ``NAGA_QUIET=1`` leaves out; warnings are said all the same."""
    if os.environ.get("NAGA_QUIET", "").lower() in ("", "0", "no", "off", "false"):
        say(message)
