"""What the command line of a task asks for."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from omegaconf import OmegaConf

from naga.config.compose import Resolved
from naga.config.declared import Declared
from naga.config.merge import dotted_keys, nearest_key
from naga.config.omegaconf_nodes import escaped
from naga.declarations import Existing
from naga.errors import UsageError
from naga.secrets import redact_config

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
    """Read the command line of a task; ``--help`` prints and exits."""
    if not argv:
        return Request()
    from naga.config.option_parser import Parser  # argparse takes as long to import as the rest of Naga's configuration

    found = Parser(declared, program, description).parse_args(_with_option(argv))
    request = Request(**{**vars(found), "overrides": tuple(found.overrides)})
    _check(request, declared)
    return request


def show(resolved: Resolved) -> str:
    """Write a configuration as YAML that ``--config`` reads again; secrets are to be given again."""
    return OmegaConf.to_yaml(OmegaConf.create(escaped(redact_config(resolved.plain))))


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


def _check(request: Request, declared: Declared | None) -> None:
    for text in request.overrides:
        key, equals, _ = text.partition("=")
        if not equals or not key:
            near = nearest_key(key, list(dotted_keys(declared.base))) if declared else None
            raise UsageError(f"{text!r} is not key=value", hint=f"{near or 'key'}=...")
    if request.experiment is not None and request.file is None:
        raise UsageError("--experiment names a part of a file", hint="--config FILE --experiment KEY")
    if request.reuse is not None and request.file:
        raise UsageError(
            "--reuse computes nothing, so its configuration cannot be changed", hint="leave out --reuse, or the rest"
        )
