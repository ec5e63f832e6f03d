"""What MLflow, drivers and the network raise, in one line with a hint that works."""

import os

import pytest

from naga.errors import TrackerError
from naga.tracking.mlflow_errors import FIRST_ANSWER_S, answering_soon, in_one_line


@pytest.mark.parametrize(
    ("error", "said", "hint"),
    [
        (OSError("Connection refused"), "no answer", "later"),
        (RuntimeError("INTERNAL_ERROR: Response: {'detail': 'Not authenticated'}"), "refuses", "MLFLOW_TRACKING_TOKEN"),
        (RuntimeError("Response: {'message': 'Forbidden'}"), "refuses", "MLFLOW_TRACKING_USERNAME"),
        (RuntimeError("Response: {'detail': 'Not Found'}"), "no MLflow server at that address", "names another store"),
        (RuntimeError("got unsupported URI 'ftp://x'"), "no stores of that kind", "sqlite:///"),
        (ModuleNotFoundError("no", name="psycopg"), "psycopg is not installed", 'pip install "psycopg[binary]"'),
        (RuntimeError("at http://me:secret@host:1\nand more"), "what: at http://host:1", "names another store"),
        (RuntimeError(""), "RuntimeError", "names another store"),
        (
            RuntimeError("The experiment 7 must be in the 'active' state."),
            "what: The experiment 7 must be in the 'active' state.",
            "mlflow experiments restore --experiment-id 7, or MLFLOW_EXPERIMENT_NAME=another",
        ),
        (
            RuntimeError("must be in the 'active' state"),
            "what: must be",
            "mlflow experiments restore --experiment-id ID, or MLFLOW_EXPERIMENT_NAME=another",
        ),
    ],
)
def test_cause_and_hint(error: Exception, said: str, hint: str) -> None:
    """The cause is named; waiting is the hint only where it helps."""
    with pytest.raises(TrackerError) as caught, in_one_line("what", "later"):
        raise error
    assert said in caught.value.message
    assert hint in caught.value.hint
    assert "\n" not in caught.value.message


def test_what_is_said_already_is_not_said_again() -> None:
    """Naga's own errors have their words."""
    with pytest.raises(TrackerError, match=r"^mine"), in_one_line("what"):
        raise TrackerError("mine")


def test_a_server_that_does_not_answer_is_given_up_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """After seconds and once, unless the user has said how long."""
    with answering_soon():
        assert os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] == str(FIRST_ANSWER_S) == "8"
        assert os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] == "0"
    assert "MLFLOW_HTTP_REQUEST_TIMEOUT" not in os.environ
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "60")
    with answering_soon():
        assert os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "60"
