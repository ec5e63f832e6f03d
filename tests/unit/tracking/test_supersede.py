"""Which publications are of one run, and what number the next of them has."""

from naga.tracking.publication import Publication
from naga.tracking.published_runs import PublishedRun
from naga.tracking.supersede import _has_elder_elsewhere, _next, _related
from naga.tracking.tags import Status, Tag

MINE = Publication(
    name="a",
    key="k",
    run_id="r1",
    former=frozenset({"r0"}),
    archived=False,
    tags={Tag.RUN_ID: "r1", Tag.PLACE: "host:/p/a", Tag.FOLDER: "7:/p/a"},
    params=(),
    artifacts=(),
    datasets=(),
)


def published(run_id: str, place: str, *, generation: int = 1, experiment: str = "0", status: str = "") -> PublishedRun:
    """A publication of a run that lay there."""
    tags = {Tag.RUN_ID: run_id, Tag.PLACE: place, Tag.GENERATION: str(generation), Tag.STATUS: status}
    return PublishedRun(f"{run_id} {generation}", experiment, 0, tags)


def test_what_is_related() -> None:
    """The same run anywhere, another run of the same folder, and a run that the folder's archive names."""
    entries = [
        published("r1", "elsewhere:/q"),
        published("r2", "host:/p/a"),
        published("r0", "other:/x"),
        published("r9", "host:/p/b"),
    ]
    found = _related(MINE, {entry.run_id: entry for entry in entries})
    assert set(found) == {"r1 1", "r2 1", "r0 1"}


def test_next_number() -> None:
    """It is above all others, whatever somebody has deleted among them."""
    assert _next({}) == 1
    assert _next({"x": published("r1", "h:/p", generation=4), "y": published("r1", "h:/p", generation=2)}) == 5


def test_an_elder_in_another_experiment() -> None:
    """It counts where it is active, or has as large a number; of the same experiment all was known before."""
    mine = published("r1", "h:/p", generation=3)
    for elder, counts in (
        (published("r1", "h:/p", generation=1, experiment="1", status=Status.ACTIVE), True),
        (published("r1", "h:/p", generation=3, experiment="1", status=Status.DEPRECATED), True),
        (published("r1", "h:/p", generation=2, experiment="1", status=Status.DEPRECATED), False),
        (published("r1", "h:/p", generation=9, experiment="0", status=Status.ACTIVE), False),
    ):
        assert _has_elder_elsewhere(mine, {elder.run_id: elder}) is counts
