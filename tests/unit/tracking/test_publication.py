"""What a publication is called, and what it is searched by."""

import pytest

from naga.tracking.publication import logical_run_key, shown_name


@pytest.mark.parametrize(
    ("logical_id", "shown"),
    [
        ("results/a", "a"),
        ("Results/a", "a"),
        ("results", "results"),
        ("a/b", "a/b"),
        ("../results/a", "a"),
        ("..", ".."),
        (".", "."),
        ("/p/results/a", "a"),
        ("/p", "/p"),
        ("/q/results/deep/a", "deep/a"),
        ("/disk/q/train/v2/a", "train/v2/a"),
        ("/outputs/b/v2", "b/v2"),
        ("/a", "a"),
    ],
)
def test_the_part_that_tells_it_from_its_neighbours(logical_id: str, shown: str) -> None:
    """Without the folder of all results, and without what lies far above."""
    assert shown_name(logical_id, "/p") == shown


@pytest.mark.parametrize("length", [198, 199, 200])
def test_a_name_of_any_length_that_fits_is_whole(length: int) -> None:
    """One that does not shows its end, which differs."""
    assert shown_name("x" * length, "/p") == "x" * length
    assert shown_name("y" + "x" * 200, "/p") == "..." + "x" * 200
    assert shown_name("y" * 9 + "x" * 200, "/p") == "..." + "x" * 200


def test_searched_by_a_hash() -> None:
    """Of any path, also one that is no text."""
    assert len({logical_run_key(name) for name in ("a", "b", "\udcff")}) == 3
    assert logical_run_key("a") == logical_run_key("a")
