"""The map of the house in CONTRIBUTING.md is what the modules say of themselves."""

import ast
import os
from pathlib import Path

from unit.test_layers import LAYERS

import naga

SOURCE = Path(naga.__file__).parent
PAGE = Path(__file__).parents[2] / "CONTRIBUTING.md"
BEGIN, END = "<!-- map: written by make tables -->\n```\n", "```\n<!-- map: end -->\n"


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


def test_the_map_is_true() -> None:
    """`make tables` draws it anew."""
    before, begin, rest = PAGE.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    assert begin
    assert end
    if os.environ.get("NAGA_TABLES") == "write":
        PAGE.write_text(f"{before}{BEGIN}{drawn()}{END}{after}")
    assert PAGE.read_text() == f"{before}{BEGIN}{drawn()}{END}{after}", "make tables"


def test_every_room_is_on_the_map() -> None:
    """A folder or a file that has no layer would be missed by the map and by the test of imports."""
    rooms = {room for layer in LAYERS for room in layer}
    for module in SOURCE.rglob("*.py"):
        parts = module.relative_to(SOURCE).with_suffix("").parts
        assert rooms & {".".join(parts[:2]), parts[0]}, module
