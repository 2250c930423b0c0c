"""Canonical JSON against the reference library, on everything that JSON can hold and on what it cannot."""

from __future__ import annotations

import math
import struct
from typing import Any

import pytest
import rfc8785
from hypothesis import example, given
from hypothesis import strategies as st

from initshape.spec.canonical import canonical_text

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
NUMBERS = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**53) + 1, 2**53 - 1)
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner) | st.lists(inner).map(tuple),
    max_leaves=20,
)
BITS = st.integers(0, 2**64 - 1).map(lambda bits: struct.unpack("<d", struct.pack("<Q", bits))[0]).filter(math.isfinite)
POWERS = (
    st.integers(-330, 308)
    .flatmap(lambda n: st.sampled_from([1.0, 9.999999999999999, 1.5, -2.0]).map(lambda m: m * 10.0**n))
    .filter(math.isfinite)
)


@given(DOCUMENTS)
@example({"€": 1, "\r": 2, "דּ": 3, "1": 4, "\x80": 5, "😀": 6, "ö": 7})
@example('\x00\x1f\x7f"\\/\b\f\n\r\t\u2028')
def test_any_document(document: Any) -> None:
    assert canonical_text(document) == rfc8785.dumps(document)


@given(BITS | POWERS | st.integers(-(2**53), 2**53).map(float))
@example(-0.0)
@example(1e16)
@example(1e20)
@example(1e21)
@example(1e-4)
@example(1e-5)
@example(1e-6)
@example(1e-7)
@example(1e-9)
@example(1e-10)
@example(5e-324)
@example(1.7976931348623157e308)
def test_any_number(value: float) -> None:
    assert canonical_text(value) == rfc8785.dumps(value)
    assert canonical_text({"a": [value]}) == rfc8785.dumps({"a": [value]})


@pytest.mark.parametrize(
    "document",
    [math.nan, math.inf, -math.inf, 2**53, -(2**53), "\ud800", {"\ud800": 1}, {1: 2}, {1: 2, "a": 3}, {"a": {1, 2}}],
)
def test_what_has_no_canonical_form(document: Any) -> None:
    with pytest.raises((rfc8785.CanonicalizationError, UnicodeEncodeError)):
        rfc8785.dumps(document)
    with pytest.raises(rfc8785.CanonicalizationError):
        canonical_text(document)
