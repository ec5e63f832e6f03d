"""The pages of reference say what the source says: variables, tags, errors."""

import re
from pathlib import Path

import naga
from naga.tracking.tags import Status, Tag

DOCS = Path(__file__).parents[2] / "docs"
SOURCE = "\n".join(module.read_text() for module in Path(naga.__file__).parent.rglob("*.py"))


def cells(page: str, heading: str) -> set[str]:
    """What is written as code in the first column of the table below a heading."""
    _, _, after = (DOCS / page).read_text().partition(f"\n{heading}\n")
    table = re.search(r"(?:^\|.*\n)+", after, re.MULTILINE)
    assert table, heading
    return {name for row in table[0].splitlines() for name in re.findall(r"`([^`]+)`", row.split("|")[1])}


def test_every_variable_of_naga_is_in_the_table() -> None:
    """What the source reads, and nothing else; those of examples in docstrings aside."""
    used = set(re.findall(r"\bNAGA_[A-Z_]+[A-Z]\b", SOURCE)) - {"NAGA_EXAMPLE"}
    assert cells("reference/environment.md", "## Naga's own") == used


def test_every_tag_is_in_the_table() -> None:
    """Those of runs with their meaning, and the values of ``naga.run_status``."""
    own = {value for name, value in vars(Tag).items() if name.isupper()}
    page = "reference/mlflow_tags.md"
    assert own == cells(page, "## Tags") | cells(page, "## naga.details")
    assert {value for name, value in vars(Status).items() if name.isupper()} == cells(
        "reference/mlflow_tags.md", "## naga.run_status"
    )


def test_every_error_is_in_the_table() -> None:
    """Each class of messages with its cause and remedy."""
    page = (DOCS / "reference" / "errors.md").read_text()
    rows = {row.split("|")[1].strip(" `"): row.split("|")[2:4] for row in page.splitlines() if row.startswith("| `")}
    assert set(rows) == set(naga.errors.__all__)
    assert all(cell.strip() for row in rows.values() for cell in row)
