"""Whatever a task leaves or raises, its lock is written, says what it cut, and can be read again."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from naga import load_run, runlock
from naga.config.plain import plain_config
from naga.process.identity import this_process
from naga.record.bounds import DEEPEST, _size, bounded
from naga.record.lockfile import lock_text, parse_lock
from naga.record.opener import MAX_LOCK_BYTES
from naga.record.schema import Environment, Failure, Record

RECORD = Record(run_id="r", status="failed", task="t", save_dir="a", started="", process=this_process())


def nested(depth: int) -> dict[str, Any]:
    """A mapping in a mapping, and so on."""
    value: dict[str, Any] = {}
    for _ in range(depth):
        value = {"a": value}
    return value


ODD = {
    "deep": nested(200),
    "deeper": nested(450),
    "int": 10**5000,
    "many": dict.fromkeys(map(str, range(100_000)), 1),
    "list": list(range(300_000)),
    "text": "x" * 6_000_000,
    "escaped": "\x00" * 1_000_000,
    "lines": "\n" * 1_000_000,
    "bytes": b"x" * 6_000_000,
    "key": {"k" * 5000: 1, "k" * 5001: 2, 10**5000: 3, float("nan"): 4, float("-nan"): 5},
}


@pytest.mark.parametrize("kind", ODD)
def test_an_odd_value_is_cut_and_said(kind: str) -> None:
    """In the configuration and its end; what stands beside it stays."""
    text = lock_text(replace(RECORD, config={"lr": 0.1, "odd": ODD[kind]}, config_end={"odd": ODD[kind], "lr": 0.2}))
    assert len(text.encode()) < MAX_LOCK_BYTES
    again = parse_lock(text)
    assert again.config["lr"] == 0.1
    assert kind == "key" or "<cut: " in text or "after" in again.warnings[0]
    assert any("config.odd" in warning for warning in again.warnings)


def test_what_fits_is_not_touched() -> None:
    """Up to the limits."""
    config = {"deep": nested(DEEPEST - 3), "int": 10**3000, "text": "x" * 100_000, "lines": "a\n" * 1000}
    again = parse_lock(lock_text(replace(RECORD, config=config)))
    assert (again.config, again.warnings) == (config, ())


@pytest.mark.parametrize(
    ("name", "megabytes"), [("config", 4), ("config_end", 3), ("code", 1), ("data", 2), ("odd", 1)]
)
def test_each_part_has_its_room(name: str, megabytes: int) -> None:
    """What takes a little less is whole; of what takes a little more the beginning stays, and that is said."""
    line = "x" * 482  # twice that, and 36 for being an item of a list
    for share, whole in ((0.98, True), (1.02, False)):
        value, cuts = [line] * int(share * megabytes * 2**20 / 1000), list[str]()
        plain = bounded({name: value}, cuts)
        assert (plain[name] == value) == whole
        assert bool(cuts) != whole
        assert len(plain[name]) > 0.96 * megabytes * 2**20 / 1000


@pytest.mark.parametrize(
    ("key", "fits"),
    [
        ("k" * 450, True),
        ("k" * 451, False),
        ("é" * 150, True),
        ("é" * 151, False),
        ("k\n" * 50, True),
        ("k" * 150 + "\n", False),
        (b"k" * 444, True),
        (b"k" * 445, False),
        (2**13_000 - 1, True),
        (2**13_000, False),
    ],
)
def test_a_key_that_no_reader_would_take(key: Any, fits: bool) -> None:
    """It is shortened, and that is said; one that readers take is left."""
    cuts: list[str] = []
    (found,) = bounded({"config": {key: 1}}, cuts)["config"]
    assert (found == key) == fits == (not cuts)
    assert fits or cuts[0].startswith("config, a key: ")


def depth_of(value: Any) -> int:
    """How many mappings lie in one another."""
    return 1 + max(map(depth_of, value.values()), default=0) if isinstance(value, dict) else 0


def test_the_deepest_that_stays() -> None:
    """Sixty containers, whichever way they are cut; what lies deeper is a text that says so."""
    for depth, whole in ((59, True), (60, False), (61, False)):
        cuts: list[str] = []
        config = {"config": nested(depth)}
        assert (bounded(config, cuts) == config) == whole
        assert bool(cuts) != whole
        assert depth_of(bounded(config, [])["config"]) == min(depth + 1, 60)


def test_what_the_schema_asks_for_stays() -> None:
    """The first fields of a part are there, however large they are; a configuration is cut anywhere."""
    odd = {str(number): "x" * 900_000 for number in range(100)}
    assert len(bounded({"process": odd}, [])["process"]) == 32
    assert len(bounded({"config": odd}, [])["config"]) == 16


def test_what_was_cut_is_said_before_the_error() -> None:
    """Where the schema has it; where there is no error, at the end."""
    long = ["x" * 500] * 2000
    plain = {"run_id": "r", "code": long, "process": 1, "error": "e", "zeta": 2}
    assert [*bounded(plain, [])] == ["run_id", "code", "process", "warnings", "error", "zeta"]
    assert [*bounded({"code": long, "process": 1}, [])] == ["code", "process", "warnings"]
    kept = bounded({"warnings": ["before"], "code": long, "error": "e"}, ["elsewhere"])
    assert [*kept] == ["warnings", "code", "error"]
    assert kept["warnings"][:2] == ["before", "too large for a run.lock, cut there: elsewhere"]


def test_a_text_says_how_much_of_it_was_cut() -> None:
    """Both ends stay, as long as each other."""
    cut = bounded({"error": "a" * 400_000 + "z" * 400_000}, [])["error"]
    begins, said, ends = cut.split("\n")
    assert begins == "a" * len(begins)
    assert ends == "z" * len(begins)
    assert said == f"<cut: {800_000 - 2 * len(begins):,} characters>"
    assert len(cut) * 2 > 0.99 * 2**18


@pytest.mark.parametrize(
    ("text", "depth", "most"),
    [("abc", 5, 6), ("é", 5, 6), ("a\n" * 10, 3, 140), ("a\n" * 10, 1, 100), ("a\nb", 0, 22), (b"abc", 9, 18)],
)
def test_how_much_a_text_takes(text: str | bytes, depth: int, most: int) -> None:
    """At most: escapes take six bytes, the lines of a block are indented, bytes are written in base64."""
    assert _size(text, depth) == most


def test_how_many_values_there_are_room_for() -> None:
    """Each takes some, more where it lies deep: no more than the reader takes are written."""
    flat = bounded({"config": [1] * 200_000}, [])["config"]
    assert len(flat) == -((34 - 4 * 2**20) // 36)
    deep = bounded({"config": {"a": {"b": [1] * 200_000}}}, [])["config"]["a"]["b"]
    assert len(deep) == -((34 + 36 + 38 + 2 * 32 - 4 * 2**20) // 40)


def test_whole_numbers_are_written_as_far_as_readers_take_them() -> None:
    """Thirteen thousand bits."""
    config = {"config": {"a": 2**13_000 - 1, "b": 1 - 2**13_000}}
    assert bounded(config, []) == config
    assert bounded({"config": {"a": 2**13_000}}, [])["config"] == {"a": "<cut: a whole number of 13001 bits>"}


def test_keys_that_are_no_numbers_stay_apart() -> None:
    """Nothing is cut for it, so nothing is said."""
    cuts: list[str] = []
    plain = bounded({"config": {float("nan"): 1, float("-nan"): 2, "k" * 999: 3, "k" * 998: 4}}, cuts)
    assert [*plain["config"].values()] == [1, 2, 3, 4]
    assert [*plain["config"]][:2] == ["nan", "nan~"]
    assert len(cuts) == 1
    assert "nan" not in cuts[0]


def test_texts_of_errors_variables_and_words_are_cut() -> None:
    """Of a traceback both ends stay."""
    failure = Failure(type="E", message="m" * 10_000_000, traceback="first\n" + "line\n" * 1_000_000 + "last")
    environment = Environment(python="3", executable="x", platform="y", variables={"V": "v" * 3_000_000})
    process = replace(RECORD.process, argv=("w" * 300_000,) * 100)
    warnings = ("w" * 1000,) * 10_000
    record = replace(RECORD, error=failure, environment=environment, process=process, warnings=warnings)
    text = lock_text(record)
    assert len(text.encode()) < MAX_LOCK_BYTES
    again = parse_lock(text)
    assert again.error is not None
    assert again.error.traceback is not None
    assert again.error.traceback.startswith("first\n")
    assert again.error.traceback.endswith("last")
    assert any("error.traceback" in warning for warning in again.warnings)
    assert again.process.argv[0].startswith("www")


class OddError(Exception):
    """An exception whose text raises."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


def raised(kind: str) -> BaseException:
    """An exception that is hard to write down."""
    if kind == "chain":
        error: BaseException = ValueError("first")
        for n in range(3000):
            later = ValueError(str(n))
            later.__cause__ = error
            error = later
        return error
    return {"str": OddError(), "long": ValueError("x" * 10_000_000), "bytes": ValueError("\udcff\x00")}[kind]


@pytest.mark.parametrize("kind", ["str", "long", "chain", "bytes"])
def test_what_a_task_raises_is_recorded(project: Path, kind: str) -> None:
    """And raised again, as it was."""

    def main(cfg: Any = {"save_dir": "results/run"}) -> None:  # noqa: B006
        raise raised(kind)

    with pytest.raises((OddError, ValueError)):
        runlock(main)()
    assert load_run("results/run").record.status == "failed"


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.complex_numbers()
KEYS = st.text() | st.integers() | st.floats() | st.none() | st.tuples(st.integers()) | st.binary()
HEAVY = st.builds(lambda: 10**4500) | st.just("\x00" * 90_000) | st.builds(lambda: nested(150))
OBJECTS = st.recursive(
    SCALARS
    | st.builds(object)
    | st.builds(lambda: 10**4500)
    | st.just("\x00" * 90_000)
    | st.builds(lambda: nested(150)),
    lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner) | st.tuples(inner) | st.frozensets(st.text()),
    max_leaves=20,
)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.text(), OBJECTS, max_size=5), st.text(), st.dictionaries(st.text(), st.text(), max_size=3))
def test_any_object_is_read_back(config: dict[str, Any], text: str, variables: dict[str, str]) -> None:
    """In the configuration, the error and the environment."""
    environment = Environment(python="3", executable="x", platform="y", variables=variables)
    failure = Failure(type=text, message=text, traceback=text)
    record = replace(RECORD, config=plain_config(config), error=failure, environment=environment, warnings=(text,))
    again = parse_lock(lock_text(record))
    assert again.status == "failed"
    assert len(again.config) == len(record.config)
