"""One tag for what no person asks for, read as if each had its own."""

import pytest

from naga.tracking.tags import Tag, generation_of, packed, unpacked


def test_there_and_back() -> None:
    """What is written is read again, any letters."""
    tags = {Tag.RUN_ID: "r1", Tag.DIAG: "ü☃.py:diag", Tag.FOLDER: '7:/a "b"'}
    assert set(packed(tags)) == {Tag.RUN_ID, Tag.DETAILS}
    assert unpacked(packed(tags)) == tags
    assert "ü☃.py:diag" in packed(tags)[Tag.DETAILS], "as people read it in MLflow"
    assert packed({Tag.RUN_ID: "r1"}) == {Tag.RUN_ID: "r1"}


def test_tags_of_earlier_releases() -> None:
    """A tag of its own is what it was."""
    assert unpacked({Tag.DIAG: "exp.py:diag"}) == {Tag.DIAG: "exp.py:diag"}


@pytest.mark.parametrize("edited", ["", "no JSON", "[1]", "3", "null"])
def test_edited_by_hand(edited: str) -> None:
    """Whatever somebody has written there, the other tags count."""
    assert unpacked({Tag.DETAILS: edited, Tag.RUN_ID: "r1"}) == {Tag.RUN_ID: "r1"}


@pytest.mark.parametrize(
    ("text", "number"),
    [("7", 7), ("999999999", 999999999), ("1000000000", 0), ("", 0), ("-1", 0), ("1.5", 0), ("many", 0), ("²", 0)],
)
def test_the_number_of_a_publication(text: str, number: int) -> None:
    """What is no number, or one that nobody has counted to, came first."""
    assert generation_of({Tag.GENERATION: text}) == number
    assert generation_of({}) == 0
