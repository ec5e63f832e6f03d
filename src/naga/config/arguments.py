"""The command line of a task."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NoReturn

from omegaconf import OmegaConf

from naga.config.compose import Resolved
from naga.config.declared import Declared
from naga.config.merge import dotted_keys, nearest
from naga.config.nodes import escaped
from naga.errors import UsageError

__all__ = ["Existing", "Request", "parse_arguments", "show"]

Existing = Literal["archive", "refuse", "reuse"]
TAKING_VALUES = ("-o", "--config", "--experiment", "--existing", "--reuse")


@dataclass(frozen=True)
class Request:
    """What a command line asks for."""

    overrides: tuple[str, ...] = ()
    file: Path | None = None
    experiment: str | None = None
    existing: Existing | None = None
    reuse: Path | None = None
    show_config: bool = False


def parse_arguments(argv: Sequence[str], declared: Declared | None, *, program: str, description: str) -> Request:
    """Read the command line of a task; ``--help`` prints and exits.

    Parameters
    ----------
    argv : sequence of str
        The arguments, without the program's name.
    declared : Declared or None
        The configuration, whose keys help and errors name.

    Raises
    ------
    UsageError
        The command line cannot be read.

    Examples
    --------
    >>> parse_arguments(["lr=0.1", "--config", "a.yaml"], None, program="exp.py", description="").overrides
    ('lr=0.1',)
    """
    keys = list(dotted_keys(declared.base)) if declared else []
    found = _parser(declared, keys, program, description).parse_args(_with_option(argv))
    for text in found.overrides:
        _check_override(text, keys)
    if found.experiment is not None and found.file is None:
        raise UsageError("--experiment names a part of a file", hint="--config FILE --experiment KEY")
    if found.reuse is not None and (found.overrides or found.file):
        raise UsageError(
            "--reuse computes nothing, so its configuration cannot be changed", hint="leave out --reuse, or the rest"
        )
    return Request(**{**vars(found), "overrides": tuple(found.overrides)})


def show(resolved: Resolved) -> str:
    """Write a configuration as YAML that ``--config`` reads again."""
    return OmegaConf.to_yaml(OmegaConf.create(escaped(resolved.plain)))


def _with_option(argv: Sequence[str]) -> list[str]:
    """Put -o before each plain argument: argparse cannot keep the order of arguments that stand between options."""
    arguments: list[str] = []
    former = ""
    for argument in argv:
        if argument == "--":
            continue
        is_plain = not argument.startswith("-") and former not in TAKING_VALUES
        arguments += ["-o", argument] if is_plain else [argument]
        former = "" if former in TAKING_VALUES else argument
    return arguments


def _check_override(text: str, keys: list[str]) -> None:
    key, equals, _ = text.partition("=")
    if not equals or not key:
        near = nearest(key, keys)
        raise UsageError(f"{text!r} is not key=value", hint=f"{near or 'key'}=...")


class _Parser(argparse.ArgumentParser):
    """An argparse parser whose errors are Naga's."""

    declared: Declared | None = None
    keys: Sequence[str] = ()

    def format_help(self) -> str:
        from naga.config.describe import describe_fields  # reads source; only help needs it

        self.epilog = describe_fields(self.declared) if self.declared else None
        return super().format_help()

    def error(self, message: str) -> NoReturn:
        option = message.removeprefix("unrecognized arguments: ").split()[0].split("=")[0]
        near = nearest(option.lstrip("-").replace("-", "_"), list(self.keys)) if option.startswith("-") else None
        raise UsageError(message, hint=f"{near}=..." if near else f"{self.prog} --help")


def _parser(declared: Declared | None, keys: list[str], program: str, description: str) -> _Parser:
    parser = _Parser(
        prog=program,
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        usage="%(prog)s [key=value ...] [options]",
        allow_abbrev=False,
    )
    parser.declared, parser.keys = declared, keys
    add = parser.add_argument
    add("-o", dest="overrides", metavar="key=value", action="append", default=[], help="change one value")
    add("--config", dest="file", metavar="FILE", type=Path, help="values from a YAML file")
    add("--experiment", metavar="KEY", help="only the part of the file under this dotted key")
    add("--show-config", action="store_true", help="print the configuration and do nothing else")
    add("--existing", choices=["archive", "refuse", "reuse"], help="what to do where a finished run lies already")
    add("--reuse", metavar="RUN_DIR", type=Path, help="compute nothing: take the configuration of this run")
    return parser
