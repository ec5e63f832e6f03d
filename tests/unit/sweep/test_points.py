"""The points of a sweep, their folders and their digests."""

import os
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from naga.config.declared import declared_config
from naga.errors import ConfigError, UsageError
from naga.sweep.points import Sweep, listed, planned


@dataclass
class Optim:
    lr: float = 0.1


@dataclass
class Config:
    save_dir: str = "results/x/${now:%H%M%S}"
    seed: int = 0
    name: str = "n"
    password: str = "none"
    log: str = "${save_dir}/log"
    optim: Optim = field(default_factory=Optim)


def _task(cfg: Config) -> None: ...


def _swept(*words: str, overrides: tuple[str, ...] = (), file: Path | None = None) -> Sweep:
    declared = declared_config(_task)
    assert declared
    return planned(declared, listed(words, file), overrides=overrides, files=(), before={})


def _folders(sweep: Sweep) -> list[str]:
    return [point.written for point in sweep.points]


def test_time_in_the_name_is_replaced() -> None:
    """So that the same command means the same folder."""
    sweep = _swept("optim.lr=0.1,0.01", "seed=1,2")
    assert _folders(sweep) == [f"results/x/optim.lr={rate},seed={seed}" for rate in ("0.1", "0.01") for seed in (1, 2)]
    assert sweep.root == Path("results/x").absolute()
    assert _folders(_swept("seed=1,2", overrides=("save_dir=r/run-${now:%y}-a",))) == ["r/run-seed=1", "r/run-seed=2"]


def test_a_shared_folder_is_divided() -> None:
    """Where save_dir is the same for several points, each has a folder in it."""
    assert _folders(_swept("seed=1,2", overrides=("save_dir=r",))) == ["r/seed=1", "r/seed=2"]
    assert _folders(_swept("seed=1,2", overrides=("save_dir=r/${seed}",))) == ["r/1", "r/2"]
    assert _folders(_swept("seed=1,2", "name=a", overrides=("save_dir=r/${name}",)))[0] == "r/a/seed=1,name=a"
    assert _folders(_swept("seed=7", overrides=("save_dir=r",))) == ["r"]


def test_names_of_folders_are_those_of_a_filesystem() -> None:
    """No slash, no sign that a terminal obeys, not too long, and no secret."""
    long, slash = _swept(f"name={'x' * 400},'a/b\x1b'").points
    assert len(os.fsencode(long.save_dir.name)) < 220
    assert slash.save_dir.name == "name=a_b_"
    (secret,) = _swept("password=swordfish").points
    assert secret.label == "password=1"
    with pytest.raises(UsageError, match="same configuration"):  # which secrets are no part of
        _swept("password=hunter2,swordfish")


def test_what_no_name_of_a_folder_tells_apart_is_told_apart_by_digests() -> None:
    """The one whose name stands alone has it as it is, and so has not-a-number, which equals nothing."""
    one, other, alone = _swept("name=a/b,a_b,c", overrides=("save_dir=r",)).points
    assert {one.label, other.label} == {f"name=a_b~{point.digest[:8]}" for point in (one, other)}
    assert alone.label == "name=c"
    assert _folders(_swept("optim.lr=nan,2", overrides=("save_dir=r",))) == ["r/optim.lr=nan", "r/optim.lr=2.0"]


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("points.csv", "seed,seed\n1,2\n", "'seed' stands twice"),
        ("points.csv", "seed,name\n1,a\n2\n", "line 3: more or fewer"),
        ("points.yaml", None, "points.yaml: No such file"),
    ],
)
def test_a_file_of_points_loses_no_value(tmp_path: Path, name: str, text: str | None, problem: str) -> None:
    """What two keys, or none, would claim is refused with its place."""
    file = tmp_path / name
    if text is not None:
        file.write_text(text)
    with pytest.raises(UsageError, match=problem):
        listed((), file)


def test_a_file_of_points_may_set_nothing(tmp_path: Path) -> None:
    """YAML's null is a value like any other."""
    (tmp_path / "points.yaml").write_text("- {name: null}\n- {name: a}\n")
    assert listed((), tmp_path / "points.yaml") == [("name=null",), ('name="a"',)]


def test_a_point_is_known_by_its_digest() -> None:
    """Not by how a value was typed, where its folder is, or in which order keys were listed."""
    typed = {point.digest for point in _swept("optim.lr=0.10,1e-2", "seed=1,2").points}
    assert typed == {
        point.digest for point in _swept("seed=2,1", "optim.lr=0.01,0.1", overrides=("save_dir=z",)).points
    }


@pytest.mark.parametrize("words", [("seed=1,1",), ("optim.lr=0.1,0.10",), ("seed=1,2", "seed=3,4")])
def test_equal_points_are_refused(words: tuple[str, ...]) -> None:
    """Before any of them starts."""
    with pytest.raises(UsageError, match=r"two points have|listed twice"):
        _swept(*words)


def test_wrong_keys_and_types_are_refused() -> None:
    """As for a single run."""
    with pytest.raises(ConfigError, match="unknown key 'sed'"):
        _swept("sed=1,2")
    with pytest.raises(ConfigError, match="seed is 'a'"):
        _swept("seed=1,a")


def test_points_of_a_file(tmp_path: Path) -> None:
    """YAML keeps the types, CSV is read as the command line is; words are multiplied with it."""
    (tmp_path / "p.yaml").write_text('- {optim.lr: 0.5, name: "a,b"}\n- {seed: 3}\n')
    (tmp_path / "p.csv").write_text("seed,name\n1,a\n2,b\n")
    yaml = _swept(file=tmp_path / "p.yaml")
    assert [point.label for point in yaml.points] == ["optim.lr=0.5,name=a,b", "seed=3"]
    assert [point.overrides for point in _swept(file=tmp_path / "p.csv").points] == [
        ("seed=1", "name=a"),
        ("seed=2", "name=b"),
    ]
    assert len(_swept("optim.lr=1,2", file=tmp_path / "p.csv").points) == 4


@pytest.mark.parametrize("text", ["", "a: 1", "- 1", "- {}", "- {a: [}"])
def test_files_that_are_no_points(tmp_path: Path, text: str) -> None:
    """One line that names the file."""
    (tmp_path / "p.yaml").write_text(text)
    with pytest.raises(UsageError, match=r"p\.yaml"):
        _swept(file=tmp_path / "p.yaml")
