"""Which of several publications belong together, and how they are named in what is said of them."""

from naga.tracking.history import PublishedRun
from naga.tracking.repair import _name, _of_same
from naga.tracking.tags import Tag


def published(number: str, run_id: str, place: str, **tags: str) -> PublishedRun:
    """A publication of a run that lay there."""
    return PublishedRun(number * 32, "0", 0, {Tag.RUN_ID: run_id, Tag.PLACE: place, **tags})


def test_the_same_run_or_folder() -> None:
    """The first that is of the same run or folder; none where the others are of another clone."""
    mine = published("1", "r1", "host:/p/a")
    clone, newer, copy = (
        published("2", "r2", "host:/q/a"),
        published("3", "r3", "host:/p/a"),
        published("4", "r1", "other:/x"),
    )
    assert _of_same(mine, [clone, newer, copy]) is newer
    assert _of_same(mine, [clone, copy]) is copy
    assert _of_same(mine, [clone]) is None


def test_name() -> None:
    """As it was called before it was superseded, and the beginning of its id."""
    assert _name(published("1", "r1", "host:/p/a", **{Tag.NAME: "a #2 (superseded)"})) == "a #2 (11111111)"
