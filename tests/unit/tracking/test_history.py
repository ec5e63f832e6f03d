"""Which of several publications is the newest."""

from naga.tracking.history import _linked, unlinked
from naga.tracking.published_runs import PublishedRun
from naga.tracking.tags import Status, Tag


def published(run_id: str, generation: str, start_time: int) -> PublishedRun:
    """A publication of that generation, begun at that time."""
    return PublishedRun(run_id, "0", start_time, {Tag.GENERATION: generation})


def test_the_generation_comes_before_the_clock() -> None:
    """Clocks of machines differ by hours; what is no number came first."""
    late, early, odd = published("a", "2", 9000), published("b", "10", 1000), published("c", "many", 9999)
    assert sorted([late, early, odd], key=lambda one: one.order) == [odd, late, early]


def test_of_one_generation_the_later_is_newer() -> None:
    """And of one moment, always the same one."""
    one, other, third = published("a", "1", 5), published("b", "1", 6), published("c", "1", 6)
    assert max([third, one, other], key=lambda one: one.order) is third
    assert max([one, other], key=lambda one: one.order) is other


def test_a_publication_is_of_a_run_by_its_id_or_its_place() -> None:
    """Where one side does not say, the name alone counts."""
    known = PublishedRun("a", "0", 0, {Tag.RUN_ID: "r1", Tag.PLACE: "host:/x", Tag.FOLDER: "7:/x"})
    assert known.is_of({Tag.RUN_ID: "r1", Tag.PLACE: "host:/y"})
    assert known.is_of({Tag.RUN_ID: "r2", Tag.PLACE: "host:/x"})
    assert not known.is_of({Tag.RUN_ID: "r2", Tag.PLACE: "host:/y"})
    assert known.is_of({Tag.PLACE: "host:/y"})
    assert PublishedRun("a", "0", 0, {Tag.RUN_ID: "r1"}).is_of({Tag.RUN_ID: "r2", Tag.PLACE: "host:/y"})


def test_a_folder_is_the_same_on_all_hosts_that_share_it() -> None:
    """One inode and path are one folder, whatever the host is called; neither alone is."""
    known = PublishedRun("a", "0", 0, {Tag.RUN_ID: "r1", Tag.PLACE: "one:/x", Tag.FOLDER: "7:/x"})
    assert known.is_of({Tag.RUN_ID: "r2", Tag.PLACE: "two:/x", Tag.FOLDER: "7:/x"})
    assert not known.is_of({Tag.RUN_ID: "r2", Tag.PLACE: "two:/x", Tag.FOLDER: "8:/x"})
    assert not known.is_of({Tag.RUN_ID: "r2", Tag.PLACE: "two:/x"})


def test_links_of_a_description() -> None:
    """They are one line below what people wrote; each verb once, whatever earlier releases wrote."""
    note = _linked("My words.\n\nOf two paragraphs.", "Supersedes", "Supersedes [a](x)")
    assert note == "My words.\n\nOf two paragraphs.\n\nSupersedes [a](x)"
    note = _linked(note, "Superseded by", "Superseded by [b](y)")
    assert note.endswith("paragraphs.\n\nSuperseded by [b](y) · Supersedes [a](x)")
    assert _linked(note, "Superseded by", "Superseded by [c](z)").count("Superseded by") == 1
    assert _linked(note, "Superseded by") == "My words.\n\nOf two paragraphs.\n\nSupersedes [a](x)"
    assert _linked("Mine\n\nSupersedes [a](x)\n\nSuperseded by [b](y)", "Supersedes") == "Mine\n\nSuperseded by [b](y)"


def test_what_leads_nowhere() -> None:
    """What leads to something gone, and the largest of a circle: once that is linked, the others lead to it."""
    tags = {"a": "b", "b": "end", "c": "gone", "d": "e", "e": "d"}
    known = {
        name: PublishedRun(name, "0", 0, {Tag.STATUS: Status.DEPRECATED, Tag.SUPERSEDED_BY: to})
        for name, to in tags.items()
    }
    known["end"] = PublishedRun("end", "0", 0, {Tag.STATUS: Status.ACTIVE})
    assert {entry.run_id for entry in unlinked(known, {"end"})} == {"c", "e"}


def test_a_long_description_leaves_room_for_its_links() -> None:
    """MLflow would cut the end, where they stand."""
    note = _linked("x" * 9000, "Supersedes", "Supersedes [a](x)")
    assert len(note) <= 8000
    assert note.startswith("xxx")
    assert note.endswith("\n\nSupersedes [a](x)")
    assert _linked("x" * 7000, "Supersedes", "Supersedes [a](x)") == "x" * 7000 + "\n\nSupersedes [a](x)"
