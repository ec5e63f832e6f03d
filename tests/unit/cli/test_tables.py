"""What users write in their errors is text, never markup."""

import pytest

from naga.cli.tables import failures_table


def test_brackets_in_a_reason_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """Rich would read `[/data/x]` as a tag that closes nothing."""
    failures_table([("results/[a]", "KeyError: no column [/data/x]"), ("results/b", "[red]")])
    shown = capsys.readouterr().out
    for text in ("results/[a]", "no column [/data/x]", "[red]"):
        assert text in shown
