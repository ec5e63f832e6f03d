"""The log that is written while a run prints: of a long line, too, no half of a secret is left."""

import time
from pathlib import Path

import pytest

from naga.capture.console_tee import BEGUN, Log
from naga.secrets import redact_text


def logged(file: Path, pieces: list[str]) -> str:
    """Feed pieces to a log as they arrive, and give what it holds."""
    with file.open("w+b") as opened:
        log = Log(opened.fileno(), lambda data: redact_text(data.decode()).encode())
        for piece in pieces:
            log.feed(piece.encode())
    return file.read_text()


@pytest.mark.parametrize("before", [0, 100, 2 * BEGUN - 20, 2 * BEGUN, 3 * BEGUN, 65536])
@pytest.mark.parametrize("held", [0, 5, BEGUN - 10, BEGUN - 3, BEGUN])
def test_a_secret_that_arrives_in_two_pieces_is_left_out(tmp_path: Path, before: int, held: int) -> None:
    """Wherever the line is cut that is logged before its end."""
    filling = "x" * before + " "
    text = logged(tmp_path / "log", [f"{filling}password=hun", f"ter2s {'y' * held} end", " and more"])
    assert "hun" not in text
    assert "ter2s" not in text
    assert text == f"{filling}password=<redacted> {'y' * held} end and more"


def test_a_line_without_an_end_holds_each_of_its_secrets_back(tmp_path: Path) -> None:
    """In pieces of any length."""
    line = "".join(f"{'z' * (number % 700)} token=abcdefgh{number:04} " for number in range(600))
    pieces = [line[at : at + 4093] for at in range(0, len(line), 4093)]
    text = logged(tmp_path / "log", pieces)
    assert text == redact_text(line)
    assert "abcdefgh" not in text


def test_a_line_costs_as_much_as_lines_do(tmp_path: Path) -> None:
    """Its end may never come: at most three times as long, for the same letters."""

    def seconds(text: str) -> float:
        began = time.monotonic()
        logged(tmp_path / "log", [(text * 65536)[:65536]] * 64)
        return time.monotonic() - began

    lines = min(seconds("x" * 79 + "\n") for _ in range(3))
    assert min(seconds("x") for _ in range(3)) < 3 * lines + 0.02
