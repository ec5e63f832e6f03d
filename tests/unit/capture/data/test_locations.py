from pathlib import Path
from typing import Any

import pytest

from naga.capture.data.locations import Place, find_place, plain_value
from naga.errors import ConfigError


def place_of(value: Any, base: Path) -> Place:
    place = find_place({"x": value}, "x", base)
    assert place
    return place


@pytest.mark.parametrize(
    "url", ["s3://bucket/key", "https://host/file.csv?version=3", "gs://b/*.csv", "simplecache::s3://bucket/key"]
)
def test_url(tmp_path: Path, url: str) -> None:
    """A URL is no path: not looked for, not expanded, not left out of snapshots."""
    place = place_of(url, tmp_path)
    assert (place.kind, place.url, list(place.paths())) == ("url", url, [])
    place.require("x")


def test_path_that_looks_like_a_url(tmp_path: Path) -> None:
    """What exists under a name is meant by that name."""
    (tmp_path / "a::b").touch()
    assert place_of("a::b", tmp_path).kind == "path"


@pytest.mark.parametrize("text", ["a:b", "C:", "data:x", "12://x"])
def test_colons(tmp_path: Path, text: str) -> None:
    """A colon alone makes no URL."""
    assert place_of(text, tmp_path).kind == "path"


def test_forms_within_forms(tmp_path: Path) -> None:
    """Lists, mappings and globs may hold one another, and names say the way."""
    (tmp_path / "a.csv").touch()
    place = place_of({"train": ["*.csv", "b"], "test": None}, tmp_path)
    assert list(place.inside) == ["train"]
    train = place.inside["train"]
    assert [inner.kind for inner in train.inside.values()] == ["glob", "path"]
    assert list(place.paths()) == [tmp_path / "a.csv", tmp_path / "b"]


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("data/*.csv", ["a.csv", "b.csv"]),
        ("./data/*/c.csv", ["sub/c.csv"]),
        ("data/**/*.csv", ["a.csv", "b.csv", "sub/c.csv"]),
        ("d*/sub", ["data/sub"]),
        ("data/[ab].csv", ["a.csv", "b.csv"]),
        ("data/../data/?.csv", ["a.csv", "b.csv"]),
    ],
)
def test_names_of_matches(tmp_path: Path, pattern: str, names: list[str]) -> None:
    """Matches are known by the path from the first part that is a pattern on, wherever they lie."""
    (tmp_path / "data" / "sub").mkdir(parents=True)
    for name in ("a.csv", "b.csv", "sub/c.csv"):
        (tmp_path / "data" / name).touch()
    assert list(place_of(pattern, tmp_path).inside) == names
    assert list(place_of(f"{tmp_path}/{pattern}", Path("/")).inside) == names


def test_plain_value() -> None:
    """What is recorded is what the user wrote, with strings for path objects and keys."""
    value = {"a": [Path("x/y"), "./z", None], 1: Path("/w")}
    assert plain_value({"x": value}, "x", Path("/")) == {"a": ["x/y", "./z", None], "1": "/w"}


@pytest.mark.parametrize("text", ["~/a.csv", "$PLACE/a.csv", "$HOME/*.csv"])
def test_home_and_variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """They are put in as a shell does, and recorded so, for they mean something else elsewhere."""
    (tmp_path / "home").mkdir()
    (tmp_path / "home/a.csv").touch()
    for name in ("HOME", "PLACE"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    assert list(place_of([text], tmp_path).paths()) == [tmp_path / "home/a.csv"]
    recorded = f"{tmp_path}/home/{text.rpartition('/')[2]}"
    assert plain_value({"x": [{"y": text}]}, "x", tmp_path) == [{"y": recorded}]


def test_what_is_there_by_that_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is called like a variable, and a URL with a dollar, are meant as they are written."""
    monkeypatch.setenv("X", "other")
    (tmp_path / "$X").touch()
    assert place_of("$X", tmp_path).path == tmp_path / "$X"
    assert plain_value({"x": "$X"}, "x", tmp_path) == "$X"
    assert place_of("https://host/a?$filter=x", tmp_path).url == "https://host/a?$filter=x"


def test_variable_that_is_not_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is named with its key, and no folder is looked for."""
    monkeypatch.delenv("NOT_SET", raising=False)
    with pytest.raises(ConfigError, match=r"x.0: \$NOT_SET is not set") as caught:
        place_of(["$NOT_SET/a"], tmp_path)
    assert caught.value.hint == "export NOT_SET=..."
