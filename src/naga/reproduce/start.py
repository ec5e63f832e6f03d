"""How a run was started, and how to start its script again where its code is laid out."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from naga.frozen import dataclass

_VALUED = ("-W", "-X")  # of Python's options, those whose value may be a word of its own
# What changes what a program computes, and finds no other modules: optimisation, UTF-8, warnings.
_REPEATED = re.compile(r"-([OubBdq]+|[WX].*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """Python's options, the script or module (or neither) that becomes ``__main__``, and the words of ``sys.argv``.

    With none, the task is called by itself: something else than its script was started, which has called it.
    """

    options: tuple[str, ...] = ()
    script: str = ""
    module: str = ""
    argv: tuple[str, ...] = ()


def start_of(argv: Sequence[str], place_of: Callable[[str], Path], tops: Sequence[str]) -> Start:
    """Read the words that a process was started with; ``place_of`` maps a typed path to where it is laid out.

    Behind a profiler, a debugger or a launcher, the first script of the project among its words is what it started.
    """
    options, module, words = split_words(argv[1:])
    places = [place_of(word) for word in words]
    for number, (word, place) in enumerate(zip(words, places, strict=True)):
        is_script = word.endswith(".py") or (number == 0 and not module)
        if is_script and place.is_file() and any(place.is_relative_to(top) for top in tops):
            typed = str(place) if Path(word).is_absolute() else word
            return Start(options=options, script=str(place), argv=(typed, *words[number + 1 :]))
    inside = Path(*module.split("."))
    files = (inside.with_suffix(".py"), inside / "__main__.py") if module else ()
    folders = (place_of("."), *(folder for top in tops for folder in (Path(top), Path(top, "src"))))
    is_ours = any((folder / file).is_file() for folder in folders for file in files)
    return Start(options=options, module=module if is_ours else "", argv=(module, *words) if is_ours else tuple(words))


def split_words(words: Sequence[str]) -> tuple[tuple[str, ...], str, list[str]]:
    """Split a command into Python's options, those of them to repeat, the module, and all further words.

    Examples
    --------
    >>> split_words(["-O", "-X", "utf8", "-I", "exp.py", "seed=1"])
    (('-O', '-X', 'utf8'), '', ['exp.py', 'seed=1'])
    >>> split_words(["-um", "pkg.exp", "a=1"])
    ((), 'pkg.exp', ['a=1'])
    """
    options: list[str] = []
    rest = list(words)
    while rest and rest[0].startswith("-") and rest[0] != "-":
        word = rest.pop(0)
        if not word.startswith("--") and (found := re.fullmatch(r"-[A-Za-z]*?([cm])(.*)", word, re.DOTALL)):
            what = found[2] or (rest.pop(0) if rest else "")
            return tuple(options), what if found[1] == "m" else "", rest
        value = [rest.pop(0)] if word in _VALUED and rest else []
        options += [word, *value] if _REPEATED.fullmatch(word) else []
    return tuple(options), "", rest
