"""What became known as a secret while a function ran is taken out of its log."""

import os
from pathlib import Path

import pytest

from naga.capture.console import _redact_file


@pytest.mark.parametrize("block", [64, 1 << 20])
def test_a_log_is_redacted_a_part_after_the_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    """It may be larger than the memory; what is longer than the secret that it stands for overwrites nothing unread."""
    monkeypatch.setattr("naga.capture.console._BLOCK", block)
    monkeypatch.setattr("naga.secrets.redact_text", lambda text: text.replace("q7w8", "<redacted>"))
    text = "\n".join(f"line {number} q7w8 q7w8q7w8 \udcff" for number in range(50))
    log = tmp_path / "console.log"
    log.write_bytes(text.encode(errors="surrogateescape"))
    with log.open("r+b") as file:
        _redact_file(file)
    assert log.read_bytes().decode(errors="surrogateescape") == text.replace("q7w8", "<redacted>")


def test_what_is_no_data_is_not_read(tmp_path: Path) -> None:
    """Of a log that a task has made twenty gigabytes long, nothing is written either."""
    log = tmp_path / "console.log"
    log.write_text("a line\n")
    os.truncate(log, 20 << 30)
    with log.open("r+b") as file:
        _redact_file(file)
        assert os.fstat(file.fileno()).st_size == 20 << 30
        assert os.fstat(file.fileno()).st_blocks < 100
        assert file.seek(0) == 0
        assert file.read(8) == b"a line\n\0"
