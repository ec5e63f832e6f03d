"""What the types of fields say of their elements."""

from typing import Any, Dict, List, Literal, Optional, Tuple  # noqa: UP035  # as users of OmegaConf write them

import pytest

from naga.config.field_types import element_hint


@pytest.mark.parametrize(
    ("hint", "key", "element"),
    [
        (List[int], 0, int),  # noqa: UP006
        (Optional[List[int]], 5, int),  # noqa: UP006, UP045
        (list[str], 0, str),
        (list, 0, Any),
        (Dict[str, float], "a", float),  # noqa: UP006
        (dict, "a", Any),
        (Tuple[int, str], 0, int),  # noqa: UP006
        (Tuple[int, str], 1, str),  # noqa: UP006
        (Tuple[int, str], 2, Any),  # noqa: UP006
        (Tuple[int, ...], 7, int),  # noqa: UP006
        (Literal["a", "b"], 0, Any),
        (int, 0, Any),
        (Any, 0, Any),
    ],
)
def test_elements(hint: Any, key: Any, element: Any) -> None:
    """Of lists, tuples and dicts that say it; of all else anything."""
    assert element_hint(hint, key) is element
