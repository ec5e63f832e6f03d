"""Reproducing a run several times."""

from pathlib import Path

import pytest
from workbench import some_record

from naga.record.lockfile import write_lock
from naga.record.schema import Outputs
from naga.reproduce.reproduce import Verdict, repeated


def _made(folder: Path, verdict: str, text: str) -> Verdict:
    """Leave a reproduction with one output."""
    (folder / ".naga").mkdir(parents=True)
    write_lock(folder, some_record(outputs=Outputs(hash=f"blake3:{text}", files=1)))
    (folder / "a.json").write_text(text)
    (folder / ".naga" / "outputs.json").write_text(f'[{{"path": "a.json", "hash": "blake3:{text}"}}]')
    return Verdict(verdict=verdict, run_id="r", save_dir=folder)


@pytest.mark.parametrize(
    ("made", "tolerance", "verdict", "line"),
    [
        ([("reproduced", "1.0"), ("reproduced", "1.0")], 0.0, "reproduced", ""),
        (
            [("differs", "2.0"), ("reproduced", "1.0")],
            0.0,
            "differs",
            "different outputs: the program differs from itself",
        ),
        (
            [("differs", "2.0"), ("differs", "2.0")],
            0.0,
            "differs",
            "the same outputs: it differs from what it did then",
        ),
        (
            [("differs", "2.0"), ("differs", "2.1")],
            0.1,
            "differs",
            "the same outputs: it differs from what it did then",
        ),
        (
            [("differs", "2.0"), ("differs", "2.1")],
            0.0,
            "differs",
            "different outputs: the program differs from itself",
        ),
        ([("differs", "2.0")], 0.0, "differs", ""),
    ],
)
def test_several_times(made: list[tuple[str, str]], tolerance: float, verdict: str, line: str, tmp_path: Path) -> None:
    """The worst of all counts, whichever it is, and noise within a tolerance is no difference from itself."""
    ways = iter([_made(tmp_path / str(number), *one) for number, one in enumerate(made)])
    found = repeated(len(made), lambda: next(ways), {"a.json": tolerance})
    assert found.verdict == verdict
    assert [text.partition("times with ")[2] for text in found.differences] == ([line] if line else [])
