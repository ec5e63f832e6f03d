"""A `return` in `finally` swallows Ctrl-C; its source shows which function has one."""

from naga.process.return_in_finally import swallowing


def returns() -> int:
    try:
        return 1
    finally:
        return 2  # noqa: B012, SIM107  # the very thing


def breaks_its_own_loop() -> None:
    try:
        pass
    finally:
        for _ in range(3):
            break


def has_an_inner_function() -> None:
    try:
        pass
    finally:

        def inner() -> int:
            return 1

        inner()


def test_it_is_named_with_its_line() -> None:
    """So that its author finds it."""
    warning = swallowing(returns)
    assert warning
    assert str(returns.__code__.co_firstlineno + 4) in warning


def test_loops_and_functions_inside_are_no_concern() -> None:
    """They leave nothing but themselves."""
    assert swallowing(breaks_its_own_loop) is None
    assert swallowing(has_an_inner_function) is None


def test_what_has_no_source() -> None:
    """A builtin cannot be read, and is no reason to warn."""
    assert swallowing(len) is None
