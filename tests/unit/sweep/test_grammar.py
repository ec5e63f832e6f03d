"""What a key of a sweep lists."""

import pytest

from naga.errors import UsageError
from naga.sweep.grammar import values_of


@pytest.mark.parametrize(
    ("word", "values"),
    [
        ("a=1", ["1"]),
        ("a=1,2 ,3", ["1", "2", "3"]),
        ("a=[1,2],[3]", ["[1,2]", "[3]"]),
        ("a={b: 1, c: 2},{}", ["{b: 1, c: 2}", "{}"]),
        ("a='x,y',z", ["'x,y'", "z"]),
        ("a=choice(adam,sgd)", ["adam", "sgd"]),
        ("a=range(3)", ["0", "1", "2"]),
        ("a=range(1,4)", ["1", "2", "3"]),
        ("a=range(5,0,-2)", ["5", "3", "1"]),
        ("a=range(start=0,stop=1,step=0.25)", ["0.0", "0.25", "0.5", "0.75"]),
        ("a=linspace(0,1,5)", ["0.0", "0.25", "0.5", "0.75", "1.0"]),
        ("a=linspace(0,0.3,4)", ["0.0", "0.1", "0.2", "0.3"]),
        ("a=logspace(-3,-1,3)", ["0.001", "0.01", "0.1"]),
        ("a=b=c,d", ["b=c", "d"]),
    ],
)
def test_values(word: str, values: list[str]) -> None:
    """Hydra's lists and functions, and two of ours."""
    assert values_of(word) == ("a", values)


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("a", "not key=value"),
        ("=1,2", "not key=value"),
        ("a=1,,2", "a value is missing"),
        ("a=", "a value is missing"),
        ("a=[1,2", "is not closed"),
        ("a='x,y", "is not closed"),
        ("a=foo(1)", "no function 'foo'"),
        ("a=range(0)", "0 values"),
        ("a=range(1,2,0)", "zero"),
        ("a=range(x)", "could not convert"),
        ("a=range(1,2,3,4)", "not an argument"),
        ("a=range(stop=1,stop=2)", "not an argument"),
        ("a=linspace(0,1)", "at least 2"),
        ("a=linspace(0,1,1)", "at least 2"),
        ("a=range(10000000)", "10000000 values"),
    ],
)
def test_what_cannot_be_meant(word: str, said: str) -> None:
    """One line with the word, and a hint with an example."""
    with pytest.raises(UsageError, match=said) as caught:
        values_of(word)
    assert word in caught.value.message
    assert caught.value.hint
