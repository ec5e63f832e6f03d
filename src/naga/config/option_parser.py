"""The options of a task's command line, and its help: each field with its type, default and comment."""

import argparse
import ast
import dataclasses
import inspect
import io
import re
import shutil
import textwrap
import tokenize
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import yaml
from omegaconf import DictConfig, OmegaConf

from naga.config import omegaconf_nodes as nodes
from naga.config.declared import Declared
from naga.config.field_types import hint_name, is_structured
from naga.config.merge import dotted_keys, nearest_key
from naga.config.plain import plain_config
from naga.errors import UsageError
from naga.paths import expanded
from naga.secrets import is_secret_key, redact_config

LONGEST = 40  # characters of a type or a default; the rest is cut


def _path(word: str) -> Path:
    if not word:  # a variable of the shell that is not set; Path("") is the current folder
        raise argparse.ArgumentTypeError("'' is not a path")
    return Path(expanded(word))  # the shell has not, in ``--config=~/a.yaml``


class _Once(argparse.Action):
    """An option that may be typed once: of two values, none is dropped in silence."""

    def __call__(self, _parser: Any, namespace: Any, values: Any, _option: str | None = None) -> None:
        """Store the value of an option."""
        if getattr(namespace, self.dest) is not None:
            raise argparse.ArgumentError(self, f"given twice: {getattr(namespace, self.dest)} and {values}")
        setattr(namespace, self.dest, values)


class Parser(argparse.ArgumentParser):
    """An argparse parser that knows a task's configuration, and whose errors are Naga's."""

    def __init__(self, declared: Declared | None, program: str, description: str) -> None:
        super().__init__(
            prog=program,
            description=description,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            usage="%(prog)s [key=value ...] [options]",
            allow_abbrev=False,
        )
        self.declared = declared
        add = self.add_argument
        change = "change one value; in save_dir, ~ and $NAME are expanded"
        add("-o", dest="overrides", metavar="key=value", action="append", default=[], help=change)
        # Both in one list, because their order says what belongs to what.
        layer = partial(add, dest="layers", action="append", default=[])
        layer("--config", metavar="FILE", type=_path, help="values from a YAML file; several are laid in order")
        layer("--experiment", metavar="KEY", help="only the part of that file under this dotted key")
        add("--show-config", action="store_true", help="print the configuration and do nothing else")
        add(
            "--existing",
            action=_Once,
            choices=["archive", "refuse", "reuse"],
            help="what to do where a finished run is already",
        )
        add("--local_rank", "--local-rank", metavar="N", type=int, help="as torch.distributed.launch adds it")
        add(
            "--reuse",
            action=_Once,
            metavar="RUN_DIR",
            type=_path,
            help="compute nothing: take the configuration of this run",
        )

        _add_sweep(self.add_argument_group("many runs (https://naga.readthedocs.io: sweeps)"))

    def format_help(self) -> str:
        """Add the fields of the configuration, which are looked for in the source only when they are shown."""
        self.epilog = describe_fields(self.declared) if self.declared else None
        return super().format_help()

    def error(self, message: str) -> NoReturn:
        """Raise a `UsageError`, naming the key that was meant where an option looks like one."""
        option = message.removeprefix("unrecognized arguments: ").split()[0].partition("=")[0]
        near = None
        if option.startswith("-") and self.declared:
            near = nearest_key(option.lstrip("-").replace("-", "_"), list(dotted_keys(self.declared.base)))
        raise UsageError(message, hint=f"{near}=..." if near else f"{self.prog} --help")


def _add_sweep(group: Any) -> None:
    """Declare the options of a sweep, each under its field of `SweepWords`."""

    def add(name: str, dest: str, **about: Any) -> None:
        group.add_argument(name, dest=f"sweep_{dest}", **about)

    add(
        "--sweep",
        "values",
        metavar="key=1,2",
        action="append",
        help="a run for each value; range(5), linspace(0,1,5)",
    )
    add("--sweep-file", "file", metavar="FILE", action=_Once, type=_path, help="points from YAML or CSV")
    add("--jobs", "jobs", metavar="N", action=_Once, type=_count, help="so many at once; default: one a core")
    add("--launcher", "launcher", metavar="NAME", action=_Once, help="local (default), slurm, dask or module:factory")
    add("-l", "options", metavar="key=value", action="append", help="an option of the launcher: -l partition=gpu")
    add("--retry", "retry", action=_Once, choices=["lost", "failed", "none"], help="what is tried again; default: lost")
    add(
        "--timeout",
        "timeout",
        metavar="DURATION",
        action=_Once,
        type=_duration,
        help="of a point: 90, 30m, 2h",
    )
    add("--fail-fast", "fail_fast", action="store_true", help="end with the first point that fails")
    add("--diag", "diag", action="store_true", help="publish each point as it ends")
    add("--code", "code", action=_Once, choices=["current"], help="let each point take the code that it finds")
    add("--no-wait", "no_wait", action="store_true", help="submit, and leave")
    add("--dry-run", "dry_run", action="store_true", help="only print the points, and which are done")


def _count(word: str) -> int:
    if not word.isdecimal() or not int(word):
        raise argparse.ArgumentTypeError(f"{word!r} is not a number of runs")
    return int(word)


def _duration(word: str) -> float:
    read = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(s|m|h|d|)", word.strip())
    if not read or not float(read[1]):
        raise argparse.ArgumentTypeError(f"{word!r} is not a duration, such as 90, 30m or 2h")
    return float(read[1]) * {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}[read[2]]


class _Row(NamedTuple):
    key: str
    type: str
    default: str
    help: str


def describe_fields(declared: Declared) -> str:
    """Describe every field of a configuration, nested ones by their dotted keys.

    What a field is for is read from the source of its dataclass: the comment after it or above it, the docstring below
    it, or ``metadata={"help": ...}``.
    """
    rows = list(_rows(declared.base, ()))
    width = shutil.get_terminal_size().columns
    keys, types = (max((len(row[i]) for row in rows), default=0) for i in (0, 1))
    lefts = [f"  {row.key:<{keys}}  {row.type:<{types}}  {row.default}" for row in rows]
    column = min(max(map(len, lefts), default=0) + 2, max(width - 30, 10))
    lines = [line for left, row in zip(lefts, rows, strict=True) for line in _beside(left, row.help, column, width)]
    return "\n".join(["configuration (key=value):", *lines])


def _beside(left: str, text: str, column: int, width: int) -> Iterator[str]:
    """Write a text in the right column, or below where the left side is too long."""
    wrapped = textwrap.wrap(text, max(width - column, 20))
    if wrapped and len(left) + 2 <= column:
        yield f"{left:<{column}}{wrapped.pop(0)}"
    else:
        yield left.rstrip()
    yield from (" " * column + line for line in wrapped)


def _rows(cfg: Any, above: nodes.Keys) -> Iterator[_Row]:
    helps = _helps(OmegaConf.get_type(cfg))
    for key, node in nodes.children(cfg):
        path = (*above, key)
        text = helps.get(str(key), "")
        if not (isinstance(node, DictConfig) and nodes.is_live(node) and len(node)):
            yield _Row(nodes.dotted(path), _type_of(node), _default_of(node, path), text)
            continue
        if text:
            yield _Row(nodes.dotted(path), _type_of(node), "", text)
        yield from _rows(node, path)


def _type_of(node: Any) -> str:
    name = hint_name(nodes.node_hint(node))
    value = nodes.as_written(node)
    if name == "Any" and not isinstance(value, str | None):
        name = type(value).__name__
    return _cut(name)


def _default_of(node: Any, path: nodes.Keys) -> str:
    key = "password" if any(is_secret_key(str(key)) for key in path) else ""
    value = plain_config({key: nodes.as_written(node)})[key]
    if not (isinstance(value, str) and "${" in value):
        value = redact_config({key: value})[key]
    if value == "???":
        return "(required)"
    if value is None or isinstance(value, str):
        return _cut(" ".join(str(value).split("\n")) or '""')
    text = yaml.safe_dump(value, default_flow_style=True, width=10**6, allow_unicode=True)
    return _cut(text.removesuffix("\n").removesuffix("\n..."))


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."


def _helps(kind: Any) -> dict[str, str]:
    """Collect what a class and its parents say of their fields."""
    if not is_structured(kind):
        return {}
    fields = dataclasses.fields(kind) if dataclasses.is_dataclass(kind) else kind.__attrs_attrs__
    kind = getattr(kind, "mirrors", kind)
    helps = {name: text for parent in reversed(kind.__mro__[:-1]) for name, text in _source_helps(parent) if text}
    return helps | {field.name: str(field.metadata["help"]) for field in fields if "help" in field.metadata}


def _source_helps(kind: type) -> Iterator[tuple[str, str]]:
    try:
        source = textwrap.dedent(inspect.getsource(kind))
        body = ast.parse(source).body[0].body  # type: ignore[attr-defined]  # a class has one
    except (OSError, TypeError, SyntaxError):  # made at run time, or typed at a prompt
        return
    comments = dict(_comments(source))
    for statement, following in zip(body, [*body[1:], None], strict=True):
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            yield statement.target.id, _docstring(following) or _comment(statement, comments)


def _docstring(statement: ast.stmt | None) -> str:
    value = statement.value if isinstance(statement, ast.Expr) else None
    text = value.value if isinstance(value, ast.Constant) else None
    return " ".join(text.split()) if isinstance(text, str) else ""


def _comment(statement: ast.stmt, comments: dict[int, tuple[str, bool]]) -> str:
    for line in (statement.end_lineno or 0, statement.lineno):
        text, is_alone = comments.get(line, ("", False))
        if text and not is_alone:
            return text
    lines: list[str] = []
    line = statement.lineno - 1
    while comments.get(line, ("", False))[1]:
        lines.insert(0, comments[line][0])
        line -= 1
    return " ".join(lines).strip()


def _comments(source: str) -> Iterator[tuple[int, tuple[str, bool]]]:
    """Return each comment of a source: its line, its text, and whether it stands alone in the line."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        text = token.string.lstrip("#:").strip()
        is_pragma = text.startswith(("noqa", "type:", "pylint:", "pragma:", "fmt:"))
        if token.type == tokenize.COMMENT and not is_pragma:
            text = text if any(map(str.isalnum, text)) else ""  # a drawn line says nothing
            yield token.start[0], (text, token.line.lstrip().startswith("#"))
