"""What is drawn from the source is what it says: the map in CONTRIBUTING.md, and the page of the command line."""

import argparse
import ast
import os
from pathlib import Path

from unit.test_layers import LAYERS

import naga
from naga.cli.parser import parser
from naga.config.option_parser import Parser

SOURCE = Path(naga.__file__).parent
TOP = Path(__file__).parents[2]
FENCE = "```\n"


def first_line(module: Path) -> str:
    """What a module says of itself before anything else."""
    text = (ast.get_docstring(ast.parse(module.read_text())) or "").splitlines()[0]
    return text.rstrip(".")


def lines_of(room: str) -> list[str]:
    """A room and its modules, or a module that is a room of its own."""
    place = SOURCE / room.replace(".", "/")
    if not place.is_dir():
        return [f"{room}.py".ljust(27) + first_line(place.with_suffix(".py"))]
    modules = sorted(path for path in place.glob("*.py") if path.name != "__init__.py")
    head = f"{room.replace('.', '/')}/".ljust(27) + first_line(place / "__init__.py")
    return [head, *(f"  {path.name}".ljust(27) + first_line(path) for path in modules)]


def drawn() -> str:
    """All rooms that there are, from the top of the house to its foundations."""
    rooms = [room for layer in LAYERS for room in layer]
    there = [room for room in rooms if (SOURCE / room.replace(".", "/")).is_dir() or (SOURCE / f"{room}.py").exists()]
    return "\n".join(line for room in there for line in lines_of(room)) + "\n"


def option_rows(found: argparse.ArgumentParser) -> list[str]:
    """A row of a table for each word that a parser takes."""
    rows = []
    for action in found._actions:
        if isinstance(action, argparse._HelpAction | argparse._VersionAction | argparse._SubParsersAction):
            continue
        word = action.metavar or ("{" + ",".join(map(str, action.choices)) + "}" if action.choices else "")
        takes_word = action.nargs != 0 and not isinstance(action, argparse.BooleanOptionalAction)
        names = ", ".join(action.option_strings)
        shown = f"{names} {word if takes_word else ''}".strip()
        text = (action.help or "").replace("|", "\\|")
        rows.append(f"| `{shown}` | {text} |".replace(" |  |", " | |"))
    return rows


def command_line() -> str:
    """Each command of `naga`, and the options of a task."""
    top = parser()
    commands = next(action for action in top._actions if isinstance(action, argparse._SubParsersAction))
    parts = []
    for name, command in commands.choices.items():
        parts += [f"## naga {name}", "", str(command.description), ""]
        parts += ["| word | meaning |", "| --- | --- |", *option_rows(command), ""]
    parts += [
        "## python exp.py",
        "",
        "What a script takes whose task has `@clicfg` and `@runlock`, besides `key=value`.",
        "",
    ]
    return "\n".join([*parts, "| word | meaning |", "| --- | --- |", *option_rows(Parser(None, "exp.py", "")), ""])


def hold(page: Path, name: str, wanted: str) -> None:
    """Compare, or with `make tables` write, what stands between two comments of a page."""
    begin, end = f"<!-- {name}: written by make tables -->\n", f"<!-- {name}: end -->\n"
    before, found, rest = page.read_text().partition(begin)
    _, found_end, after = rest.partition(end)
    assert found
    assert found_end
    if os.environ.get("NAGA_TABLES") == "write":
        page.write_text(f"{before}{begin}{wanted}{end}{after}")
    assert page.read_text() == f"{before}{begin}{wanted}{end}{after}", "make tables"


def test_the_map_is_true() -> None:
    """`make tables` draws it anew."""
    hold(TOP / "CONTRIBUTING.md", "map", f"{FENCE}{drawn()}{FENCE}")


def test_the_command_line_is_that_of_the_parser() -> None:
    """Each command and option, with its help."""
    hold(TOP / "docs" / "reference" / "cli.md", "commands", f"\n{command_line()}\n")


def test_every_room_is_on_the_map() -> None:
    """A folder or a file that has no layer would be missed by the map and by the test of imports."""
    rooms = {room for layer in LAYERS for room in layer}
    for module in SOURCE.rglob("*.py"):
        parts = module.relative_to(SOURCE).with_suffix("").parts
        assert rooms & {".".join(parts[:2]), parts[0]}, module
