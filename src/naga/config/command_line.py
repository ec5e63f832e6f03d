"""The command line of a task, and what it asks for."""

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, NoReturn

from omegaconf import OmegaConf

from naga.config.compose import Resolved
from naga.config.declared import Declared
from naga.config.merge import dotted_keys, nearest_key, override_text
from naga.config.omegaconf_nodes import escaped, own_copy
from naga.declarations import Existing
from naga.errors import ConfigError, UsageError
from naga.frozen import dataclass
from naga.secrets import redact_config
from naga.terminal import say

TAKING_VALUES = (
    *("-o", "--config", "--experiment", "--existing", "--reuse", "--local_rank", "--local-rank"),
    *("--jobs", "--launcher", "-l", "--retry", "--timeout", "--code", "--sweep-file"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepWords:
    """What a command line says of a sweep: which values, and how to run them; ``timeout`` in seconds."""

    values: tuple[str, ...] = ()
    file: Path | None = None
    jobs: int | None = None
    launcher: str = "local"
    options: tuple[str, ...] = ()
    retry: str = "lost"
    timeout: float | None = None
    fail_fast: bool = False
    diag: bool = False
    code: str = "recorded"
    no_wait: bool = False
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Request:
    """What a command line asks for.

    ``files`` are laid over each other in their order, each whole or the part of it under a dotted key; ``local_rank``
    is what launchers of ranks add to the words that were typed.
    """

    overrides: tuple[str, ...] = ()
    files: tuple[tuple[Path, str | None], ...] = ()
    existing: Existing | None = None
    reuse: Path | None = None
    show_config: bool = False
    local_rank: int | None = None
    sweep: SweepWords | None = None


def parse_arguments(argv: Sequence[str], declared: Declared | None, *, program: str, description: str) -> Request:
    """Read the command line of a task; ``--help`` prints and exits."""
    if not argv:
        return Request()
    from naga.config.option_parser import Parser  # argparse takes as long to import as the rest of Naga's configuration

    found = vars(Parser(declared, program, description).parse_args(_with_option(argv)))
    files = _files(found.pop("layers"))
    sweep = _sweep_words({field.name: found.pop(f"sweep_{field.name}") for field in fields(SweepWords)})
    request = Request(**{**found, "overrides": tuple(found["overrides"])}, files=files, sweep=sweep)
    _check(request, declared)
    return request


def show(resolved: Resolved) -> str:
    """Write a configuration as YAML that ``--config`` reads again, without its secrets."""
    return OmegaConf.to_yaml(OmegaConf.create(escaped(redact_config(resolved.plain))))


def _with_option(argv: Sequence[str]) -> list[str]:
    """Put -o before each plain argument: argparse cannot keep the order of arguments between options.

    Those that stand behind --sweep are listed by it.
    """
    arguments: list[str] = []
    former, option = "", "-o"
    for argument in argv:
        if former in TAKING_VALUES:
            arguments.append(argument)
            former = ""
            continue
        if argument.startswith("-"):
            option = "--sweep" if argument.startswith("--sweep=") or argument == "--sweep" else "-o"
            arguments += [argument] if argument not in ("--", "--sweep") else []
        else:
            arguments += [option, argument]
        former = argument
    if "--sweep" in argv and "--sweep" not in arguments:
        raise UsageError("--sweep lists nothing", hint="--sweep lr=0.1,0.01 'seed=range(5)'")
    return arguments


def _sweep_words(found: dict[str, Any]) -> SweepWords | None:
    """Return the words of a sweep; None where nothing is swept, and then no option of a sweep may be typed."""
    given: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in found.items() if value
    }
    if not {"values", "file"} & given.keys():
        if given:
            raise UsageError(f"--{next(iter(given)).replace('_', '-')} is for sweeps", hint="--sweep lr=0.1,0.01")
        return None
    return SweepWords(**given)


def _files(layers: Sequence[Path | str]) -> tuple[tuple[Path, str | None], ...]:
    """Give each --config the parts that its --experiment name: those after it, and for the first also those before."""
    groups: list[tuple[Path, list[str]]] = []
    parts: list[str] = []
    for layer in layers:
        if isinstance(layer, Path):
            parts = [] if groups else parts
            groups.append((layer, parts))
        else:
            parts.append(layer)
    if parts and not groups:
        raise UsageError("--experiment names a part of a file", hint="--config FILE --experiment KEY")
    return tuple((file, part) for file, named in groups for part in named or (None,))


def _check(request: Request, declared: Declared | None) -> None:
    known = list(dotted_keys(declared.base)) if declared else []
    former: dict[str, str] = {}
    for text in request.overrides:
        key, equals, _ = text.partition("=")
        if former.setdefault(key, text) != text:
            say(f"{text} takes the place of {former[key]}, which stands before it")
        if declared and key.startswith(("+", "~")) and key not in known:
            _refuse_sign(text, declared)
        if not equals or not key:
            raise UsageError(f"{text!r} is not key=value", hint=f"{nearest_key(key, known) or 'key'}=...")
    if declared is None and (request.overrides or request.files):
        raise UsageError("this task has no configuration to change", hint="def main(cfg=Config()): ...")
    if request.reuse is not None and (request.files or request.show_config or request.existing):
        said = "its configuration cannot be changed" if request.files else "--show-config and --existing say nothing"
        raise UsageError(f"--reuse computes nothing, so {said}", hint="leave out --reuse, or the rest")


def _refuse_sign(text: str, declared: Declared) -> NoReturn:
    """Refuse Hydra's ``+key=value`` and ``~key``, and name what does the same in Naga."""
    meant = text.lstrip("+") if text.startswith("+") else f"{text.lstrip('~').partition('=')[0]}=null"
    does = "adds a key" if text.startswith("+") else "takes a key away"
    try:
        override_text(own_copy(declared.base), meant)
        hint = meant
    except ConfigError as error:
        hint = error.hint or "leave it out"
    raise UsageError(f"{text!r} {does} in Hydra, and no key of a declared configuration", hint=hint)
