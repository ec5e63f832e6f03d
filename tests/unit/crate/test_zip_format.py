"""Names in a zip that mean the same file on every system."""

import pytest

from naga.crate.zip_format import Names


@pytest.mark.parametrize(
    "names",
    [
        ["a", "b/c", "b/d/", "b/d/e"],
        ["b/", "b/c"],
        ["a.txt", "ä.txt"],
    ],
)
def test_names_that_are_fine(names: list[str]) -> None:
    """Files, folders, and files in them."""
    known = Names()
    assert [known.problem(name) for name in names] == [""] * len(names)


@pytest.mark.parametrize(
    "names",
    [
        ["../a"],
        ["/a"],
        ["a//b"],
        ["./a"],
        [""],
        ["a\\b"],
        ["C:a"],
        ["a\nb"],
        ["a\0b"],
        ["a\udce9"],
        ["x" * 5000],
        ["a", "a"],
        ["a", "A"],
        ["a/b", "A/c"],
        ["a/b", "a"],
        ["a", "a/b"],
        ["a/b", "A/"],
        ["\u00e4", "a\u0308"],
        ["stra\u00dfe", "STRASSE"],
    ],
)
def test_names_that_are_not(names: list[str]) -> None:
    """The last of them is refused: it leads out, is no name elsewhere, or is another's."""
    known = Names()
    *before, last = [known.problem(name) for name in names]
    assert before == [""] * len(before)
    assert last
