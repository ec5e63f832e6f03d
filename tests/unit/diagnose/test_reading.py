"""The task that made a run is found by its recorded name; what its configuration lacked is said once."""

from naga import clicfg
from naga.config.upgrade import Filled, Upgraded
from naga.diagnose.reading import reading_lines, task_of


@clicfg(was=["old_script.compute", "older.main"])
def train(cfg: dict[str, float] = {"lr": 0.1}) -> None:  # noqa: B006  # how a configuration is declared
    ...


@clicfg
def main(cfg: dict[str, float] = {"lr": 0.1}) -> None:  # noqa: B006  # likewise
    ...


def diag(cfg: object) -> None: ...


def test_the_task_is_found_by_its_name_and_by_its_former_ones() -> None:
    """By the name of its file and function, however its module was imported; and not by the function's name alone."""
    assert task_of("test_reading.train", diag) is train
    assert task_of("pkg.test_reading.main", diag) is main
    assert task_of("old_script.compute", diag) is train
    assert task_of("older.main", diag) is train
    assert task_of("other.main", diag) is None
    assert task_of("bold_script.compute", diag) is None


def test_each_thing_is_said_once_with_the_number_of_runs() -> None:
    """A value is shown where it is the same for all."""
    one = Upgraded(value=None, filled={"a": Filled(1, "default"), "b": Filled(2, "before")}, removed=("gone",))
    two = Upgraded(value=None, filled={"a": Filled(3, "default"), "c": Filled(4, "upgrade")}, renamed={"new": "old"})
    assert list(reading_lines([one, two], renamed=True)) == [
        "2 runs older than a: its default is used",
        "1 run older than b: its declared former value 2 is used",
        "1 run with c: the upgrade gives 4",
        "1 run with gone, which is no longer declared: run.config has it",
        "1 run with new under its former name old",
    ]
    assert list(reading_lines([two])) == [
        "1 run older than a: its default 3 is used",
        "1 run with c: the upgrade gives 4",
    ]
