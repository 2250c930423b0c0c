"""Two results of one experiment, computed by different routes: equal to 1e-10 in every number."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

TOLERANCE = 1e-10
EFFORT = frozenset({"seconds", "compile_seconds", "attempt", "resumed"})
"""How much work it was, and not what came out; for fits also `iterations`."""


def assert_same_document(one: Any, other: Any, place: str = "") -> None:
    """Result documents, as JSON."""
    if isinstance(one, dict):
        assert one.keys() == other.keys(), place
        left_out = EFFORT | ({"iterations"} if place.startswith("/fits") else set())
        for name in one.keys() - left_out:
            assert_same_document(one[name], other[name], f"{place}/{name}")
    elif isinstance(one, list):
        assert len(one) == len(other), place
        for k, pair in enumerate(zip(one, other, strict=True)):
            assert_same_document(*pair, f"{place}/{k}")
    elif isinstance(one, float) and isinstance(other, float):
        assert math.isclose(one, other, rel_tol=TOLERANCE, abs_tol=TOLERANCE), f"{place}: {one} and {other}"
    else:
        assert one == other, f"{place}: {one} and {other}"


def assert_same_arrays(one: dict[str, NDArray[Any]], other: dict[str, NDArray[Any]]) -> None:
    """Arrays of results, relative to the largest entry of each."""
    assert one.keys() == other.keys()
    for name, array in one.items():
        size = float(np.max(np.abs(array), initial=0.0)) or 1.0
        np.testing.assert_allclose(array, other[name], rtol=0.0, atol=TOLERANCE * size, err_msg=name)
