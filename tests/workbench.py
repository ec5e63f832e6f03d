"""What tests build their projects from."""

import fcntl
import os
import re
import subprocess
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from naga.process.identity import this_process
from naga.record.schema import Record

Script = Callable[..., "subprocess.CompletedProcess[str]"]

EXPERIMENT = '''
from dataclasses import dataclass
from pathlib import Path

from omegaconf import OmegaConf

from naga import clicfg, runlock, snapshot, track_data


@dataclass
class Config:
    save_dir: str = "results/run"  # where the results go
    input_data: str = "data/raw.csv"
    learning_rate: float = 0.01
    epochs: int = 10


@runlock
@snapshot
@track_data("input_data")
@clicfg
def main(cfg: Config = OmegaConf.structured(Config)):
    """Train a model."""
    Path(cfg.save_dir, "model.txt").write_text(f"{cfg.learning_rate} {cfg.epochs}")
    return cfg


if __name__ == "__main__":
    print(main().save_dir)
'''


def some_record(**changes: Any) -> Record:
    """The record of a finished run; what a test is about is named by it."""
    record = Record(
        run_id="20260101T000000-aaaaaaaa",
        status="finished",
        task="exp.main",
        save_dir="results/a",
        started="2026-01-01T00:00:00Z",
        process=this_process(),
    )
    return replace(record, **changes)


def git(*words: str, cwd: Path) -> str:
    """Run git as a user would, and give what it prints."""
    identity = ("-c", "user.name=Ana", "-c", "user.email=ana@example.org", "-c", "init.defaultBranch=main")
    done = subprocess.run(["git", *identity, *words], cwd=cwd, check=True, capture_output=True, text=True)
    return done.stdout


def specified_example() -> str:
    """The code of the specification's example, as it is printed there."""
    page = Path(__file__).with_name("specification").joinpath("DIAGNOSTIC_WORKFLOW.md").read_text()
    code = re.search(r"```python\n(.*?)```", page, re.DOTALL)
    assert code
    return code[1]


def check_table(name: str, edit: Callable[[dict[str, list[str]]], Iterable[list[str]]]) -> None:
    """Compare a table of `docs/guarantees.md` with what the tests have seen; under ``make tables``, write it anew.

    ``edit`` gets the cells of each row by the first of them, and gives all lines, the heading first.
    """
    page = Path(__file__).parents[1] / "docs" / "guarantees.md"
    if not page.exists():
        return
    with page.open("r+", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        text = file.read()
        before, begin, rest = text.partition(f"<!-- {name}: written by make tables -->\n")
        table, end, after = rest.partition(f"<!-- {name}: end -->\n")
        cells = {first: others for first, *others in (line.strip("| ").split(" | ") for line in table.splitlines())}
        heading, *rows = edit(cells)
        lines = [heading, ["---"] * len(heading), *rows]
        written = before + begin + "".join(f"| {' | '.join(line)} |\n" for line in lines) + end + after
        if not end:
            raise AssertionError(f"docs/guarantees.md has no marks for the table '{name}'")
        if written == text:
            return
        if os.environ.get("NAGA_TABLES") != "write":
            raise AssertionError(f"the table '{name}' of docs/guarantees.md is not what was seen: make tables")
        file.seek(0)
        file.truncate()
        file.write(written)
