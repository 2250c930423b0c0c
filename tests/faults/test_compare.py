"""What tells two results apart."""

from __future__ import annotations

import math

import numpy as np

from tests.faults.client import numbers_of
from tests.faults.compare import arrays_difference, document_difference, same_bits

DOCUMENT = {
    "outcome": "converged",
    "fits": [{"value": 1.0, "iterations": 3, "seconds": 0.1}],
    "provenance": {"host": "a"},
}


def test_numbers_count_and_effort_does_not() -> None:
    other = {"outcome": "converged", "fits": [{"value": 1.0, "iterations": 5, "seconds": 9.0}], "provenance": {}}
    assert document_difference(DOCUMENT, {**other, "provenance": {"host": "b"}}) == 0.0
    assert numbers_of(DOCUMENT) == numbers_of(other)
    other["fits"] = [{"value": 1.0 + 1e-9, "iterations": 3, "seconds": 0.1}]
    assert 0.9e-9 < document_difference(DOCUMENT, other) < 1.1e-9
    assert numbers_of(DOCUMENT) != numbers_of(other)


def test_another_word_or_a_missing_part_is_no_small_difference() -> None:
    assert document_difference(DOCUMENT, {**DOCUMENT, "outcome": "diverged"}) == math.inf
    assert document_difference(DOCUMENT, {**DOCUMENT, "fits": []}) == math.inf
    assert document_difference(DOCUMENT, {**DOCUMENT, "advice": None}) == math.inf


def test_arrays() -> None:
    one = {"w": np.array([1.0, math.nan, 100.0])}
    assert arrays_difference(one, {"w": np.array([1.0 + 1e-8, math.nan, 100.0])}) < 1.1e-10
    assert arrays_difference(one, {"w": np.array([1.0, 0.0, 100.0])}) == math.inf
    assert arrays_difference(one, {"v": one["w"]}) == math.inf
    assert arrays_difference(one, {"w": one["w"][:2]}) == math.inf
    assert same_bits(one, {"w": one["w"].copy()})
    assert not same_bits(one, {"w": one["w"] * (1 + 1e-15)})
