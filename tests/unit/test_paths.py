"""Paths as people write them."""

import pytest

from naga.errors import ConfigError
from naga.paths import expanded


@pytest.mark.parametrize(
    ("written", "path"),
    [
        ("~", "/home/ana"),
        ("~/runs/a", "/home/ana/runs/a"),
        ("./~/a", "./~/a"),
        ("a/~", "a/~"),
        ("~root/a", "/root/a"),
        ("$LAB/a", "/lab/ana/a"),
        ("a/$LAB-$N", "a//lab/ana-1"),
        ("a/${LAB}", "a/${LAB}"),
        (r"a/\$LAB", r"a/\$LAB"),
        ("5$ a$", "5$ a$"),
        ("", ""),
    ],
)
def test_home_and_variables_are_expanded(written: str, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As shells do, but for braces, which are OmegaConf's."""
    for name, value in {"HOME": "/home/ana", "LAB": "/lab/ana", "N": "1"}.items():
        monkeypatch.setenv(name, value)
    assert expanded(written) == path


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("$NAGA_NONE/a", "$NAGA_NONE is not set (hint: export NAGA_NONE=...)"),
        ("~no-one-here/a", "'~no-one-here/a': there is no user 'no-one-here' (hint: ./~no-one-here/a)"),
    ],
)
def test_what_cannot_be_expanded_is_refused(written: str, said: str) -> None:
    """A folder called so would surprise its owner."""
    with pytest.raises(ConfigError) as caught:
        expanded(written)
    assert str(caught.value) == said
