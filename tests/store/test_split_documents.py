"""Documents as they are stored: what several share is written once and reads the same."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from initshape.store.documents import LARGE, Splitter, encode, join, references

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
SECTIONS = SCALARS | st.lists(SCALARS) | st.dictionaries(st.text(), SCALARS)


@given(st.lists(SECTIONS, min_size=1, max_size=5).flatmap(
    lambda sections: st.lists(st.dictionaries(st.text(), st.sampled_from(sections)), max_size=5)
))  # fmt: skip
def test_small_documents_are_written_as_they_are(found: list[dict[str, Any]]) -> None:
    splitter = Splitter()
    for document in found:
        assert splitter.split(document) == (encode(document), {})


def test_a_large_section_is_one_part_for_all_who_share_it() -> None:
    data = {"kind": "explicit", "X": [[0.5] * LARGE]}
    splitter = Splitter()
    told = [splitter.split({"dataset": data, "init": {"scale": k}}) for k in range(3)]
    parts = told[0][1]
    assert len(parts) == 1
    for k, (text, own) in enumerate(told):
        stored = json.loads(text)
        assert own == parts
        assert references(stored).keys() == {"dataset"}
        assert stored["dataset"]["kind"] == "explicit"
        assert join(stored, own) == {"dataset": data, "init": {"scale": k}}


def test_what_is_gone_is_not_taken_for_what_comes_after_it() -> None:
    splitter = Splitter()
    for k in range(1000):
        assert splitter.split({"init": {"scale": k}})[0] == b'{"init":{"scale":%d}}' % k
