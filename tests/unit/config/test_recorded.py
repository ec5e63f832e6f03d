"""A configuration that was recorded gets its secrets from the one that is composed now."""

import pytest

from naga.config.recorded import with_secrets
from naga.errors import ConfigError
from naga.secrets import MARK


def test_a_redacted_value_is_what_is_given_now() -> None:
    """Wherever it is; the record itself stays as it is."""
    recorded = {"lr": 0.1, "db": {"password": MARK}}
    assert with_secrets(recorded, {"lr": 5, "db": {"password": "x"}}) == {"lr": 0.1, "db": {"password": "x"}}
    assert recorded["db"] == {"password": MARK}


@pytest.mark.parametrize("own", [{}, {"db": None}, {"db": {}}, {"db": {"password": None}}, {"db": "text"}])
def test_a_missing_secret_is_no_value(own: dict[str, object]) -> None:
    """None would be computed with."""
    with pytest.raises(ConfigError, match=r"db\.password has no value"):
        with_secrets({"db": {"password": MARK}}, own)
