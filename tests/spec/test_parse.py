"""Documents that cannot be accepted: each leaves as one SpecError whose pointer names the path as the user wrote it."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from initshape.spec.parse import parse_json, parse_submission, parse_sweep, parse_yaml
from initshape.spec.problem import SpecError, shown

GOOD: dict[str, Any] = {
    "experiment": {
        "dataset": {"kind": "sparse_regression", "dimension": 100, "samples": 10},
        "model": {"kind": "diagonal"},
        "init": {"kind": "scale_shape", "scale": 1e-3, "shape": 0.5},
    }
}
MISSING = object()


def changed(path: str, value: Any) -> dict[str, Any]:
    document = copy.deepcopy(GOOD)
    node = document
    *parents, last = path.strip("/").split("/")
    for name in parents:
        node = node.setdefault(name, {})
    if value is MISSING:
        del node[last]
    else:
        node[last] = value
    return document


EXPLICIT = {"kind": "explicit", "X": [[1, 2, 0], [0, 1, 1]], "y": [1, 2]}

BAD: list[tuple[str, Any, str, str]] = [
    # path, value, pointer of the problem, words of its hint
    ("/experiment", MISSING, "/experiment", "required"),
    ("/experiment", [], "/experiment", "object"),
    ("/experiment/dataset", MISSING, "/experiment/dataset", "required"),
    ("/experiment/model", MISSING, "/experiment/model", "required"),
    ("/experiment/init", MISSING, "/experiment/init", "required"),
    ("/experiment/modle", {}, "/experiment/modle", "'model'"),
    ("/experiment/model", "diagonal", "/experiment/model", "object"),
    ("/experiment/model/kind", "diagnal", "/experiment/model/kind", "'diagonal'"),
    ("/experiment/model/depth", 1, "/experiment/model/depth", "at least"),
    ("/experiment/model/depth", 2.5, "/experiment/model/depth", "whole"),
    ("/experiment/model/width", 3, "/experiment/model/width", "unknown key"),
    ("/experiment/dataset/kind", MISSING, "/experiment/dataset/kind", "required"),
    ("/experiment/dataset/kind", "sparse", "/experiment/dataset/kind", "'sparse_regression'"),
    ("/experiment/dataset/kind", 3, "/experiment/dataset/kind", "kind"),
    ("/experiment/dataset/dimension", MISSING, "/experiment/dataset/dimension", "required"),
    ("/experiment/dataset/dimension", "100", "/experiment/dataset/dimension", "without quotes"),
    ("/experiment/dataset/dimension", True, "/experiment/dataset/dimension", "not numbers"),
    ("/experiment/dataset/dimension", None, "/experiment/dataset/dimension", "number"),
    ("/experiment/dataset/dimension", 10**12, "/experiment/dataset/dimension", "at most"),
    ("/experiment/dataset/samples", 0, "/experiment/dataset/samples", "at least"),
    ("/experiment/dataset/samples", -3, "/experiment/dataset/samples", "at least"),
    ("/experiment/dataset/samples", 101, "/experiment/dataset/samples", "noisy"),
    ("/experiment/dataset/sparsity", 101, "/experiment/dataset/sparsity", "lower"),
    ("/experiment/dataset/noise_variance", -1, "/experiment/dataset/noise_variance", "at least"),
    ("/experiment/dataset/noise_variance", float("nan"), "/experiment/dataset/noise_variance", "finite"),
    ("/experiment/dataset/seed", 2**53, "/experiment/dataset/seed", "at most"),
    ("/experiment/dataset/sparcity", 5, "/experiment/dataset/sparcity", "'sparsity'"),
    ("/experiment/init/scale", 0, "/experiment/init/scale", "at least"),
    ("/experiment/init/scale", -1e-3, "/experiment/init/scale", "at least"),
    ("/experiment/init/scale", float("inf"), "/experiment/init/scale", "finite"),
    ("/experiment/init/scale", "1e-3", "/experiment/init/scale", "without quotes"),
    ("/experiment/init/scale", [1.0, 2.0], "/experiment/init/scale", "dimension 100"),
    ("/experiment/init/scale", [1.0] * 99 + ["1"], "/experiment/init/scale/99", "without quotes"),
    ("/experiment/init/scale", [], "/experiment/init/scale", "empty"),
    ("/experiment/init/shape", 1, "/experiment/init/shape", "less than 1"),
    ("/experiment/init/shape", -1, "/experiment/init/shape", "greater than -1"),
    ("/experiment/init/shape", [0.0] * 99 + [2], "/experiment/init/shape/99", "less than 1"),
    ("/experiment/init/sahpe", 0.5, "/experiment/init/sahpe", "'shape'"),
    ("/experiment/init", {"kind": "explicit", "u_plus": [1] * 100}, "/experiment/init/v_plus", "v_plus"),
    ("/experiment/init", {"kind": "explicit"}, "/experiment/init", "exactly one"),
    ("/experiment/init", {"kind": "explicit", "plus": [[1] * 100] * 2, "minus": [[1] * 100]},
     "/experiment/init/minus", "depth"),
    ("/experiment/init", {"kind": "explicit", "plus": [[1e60] * 100] * 2, "minus": [[1] * 100] * 2},
     "/experiment/init/plus", "unit scale"),
    ("/experiment/loss/kind", "sqare", "/experiment/loss/kind", "'square'"),
    ("/experiment/flow/kind", "gradient_flwo", "/experiment/flow/kind", "'gradient_flow'"),
    ("/experiment/flow/rtol", 0, "/experiment/flow/rtol", "at least"),
    ("/experiment/flow/integrator", "radua", "/experiment/flow/integrator", "'radau'"),
    ("/experiment/flow/completion", True, "/experiment/flow/completion", "must be"),
    ("/experiment/stop/relative_residual", 1, "/experiment/stop/relative_residual", "less than 1"),
    ("/experiment/stop/max_time", 0, "/experiment/stop/max_time", "greater than 0"),
    ("/experiment/stop/max_steps", 1.5, "/experiment/stop/max_steps", "whole"),
    ("/experiment/regularizers", [], "/experiment/regularizers", "empty"),
    ("/experiment/regularizers", "l1", "/experiment/regularizers", "list"),
    ("/experiment/regularizers", ["implict"], "/experiment/regularizers/0", "'implicit'"),
    ("/experiment/trajectory/points", 1, "/experiment/trajectory/points", "at least"),
    ("/experiment/resources/device", "tpu", "/experiment/resources/device", "'gpu'"),
    ("/experiment/dataset", {**EXPLICIT, "X": []}, "/experiment/dataset/X", "empty"),
    ("/experiment/dataset", {**EXPLICIT, "X": [[], []]}, "/experiment/dataset/X/0", "feature"),
    ("/experiment/dataset", {**EXPLICIT, "X": [[1, 2, 3], [1, 2]]}, "/experiment/dataset/X/1", "same number"),
    ("/experiment/dataset", {**EXPLICIT, "X": [[1, 0], [2, 1], [0, 1]]}, "/experiment/dataset/y", "transposed"),
    ("/experiment/dataset", {**EXPLICIT, "X": [[1, "2", 3], [1, 2, 3]]}, "/experiment/dataset/X/0/1", "quotes"),
    ("/experiment/dataset", {**EXPLICIT, "X": [[1, float("nan"), 3], [1, 2, 3]]}, "/experiment/dataset/X/0/1",
     "finite"),
    ("/experiment/dataset", {**EXPLICIT, "y": [0, 0]}, "/experiment/dataset/y", "nothing to learn"),
    ("/experiment/dataset", {**EXPLICIT, "X": [[1, 2, 3], [2, 4, 6]], "y": [1, 3]}, "/experiment/dataset/y",
     "no weights"),
    ("/experiment/dataset", {**EXPLICIT, "X": [[0, 0, 0], [0, 0, 0]]}, "/experiment/dataset/y", "no weights"),
    ("/experiment/dataset", {**EXPLICIT, "y": [1, 3], "X": [[1], [1]]}, "/experiment/dataset/y", "no weights"),
    ("/experiment/dataset", {**EXPLICIT, "X_test": [[1, 2, 3]]}, "/experiment/dataset/y_test", "neither"),
    ("/experiment/dataset", {**EXPLICIT, "X_test": [[1, 2]], "y_test": [1]}, "/experiment/dataset/X_test/0",
     "features"),
    ("/experiment/dataset", {**EXPLICIT, "w_true": [1, 2]}, "/experiment/dataset/w_true", "feature"),
    ("/schema_version", 2, "/schema_version", "must be 1"),
    ("/tags", ["two words"], "/tags/0", "match"),
    ("/name", "x" * 201, "/name", "at most 200"),
    ("/priority", 11, "/priority", "at most 10"),
    ("/nmae", "x", "/nmae", "'name'"),
    ("/sweep", {}, "/sweep", "/v1/sweeps"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "value", "pointer", "words"), BAD)
def test_bad_documents(path: str, value: Any, pointer: str, words: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_submission(changed(path, value))
    assert caught.value.status == 422
    assert [p.pointer for p in caught.value.errors if words in p.hint] == [pointer], caught.value.errors


def test_the_good_document_is_good() -> None:
    assert parse_submission(GOOD).experiment.dataset.dimension == 100
    parse_submission(changed("/experiment/dataset", EXPLICIT))
    parse_submission(changed("/experiment/init/scale", [1e-3] * 100))


@pytest.mark.parametrize("body", [b"", b"{", b'{"a": 1, "a": 2}', b"[" * 100_000, b"\xff", b"9" * 6000, b"{'a': 1}"])
def test_unparsable_bodies_are_400(body: bytes) -> None:
    with pytest.raises(SpecError) as caught:
        parse_json(body)
    assert caught.value.status == 400


def test_yaml_reads_numbers_as_yaml_1_2() -> None:
    document = parse_yaml("a: 1e-3\nb: [1.0e+5, 1, -2.5, .5]\nc: yes\nd: 0o17\n")
    assert document == {"a": 1e-3, "b": [1e5, 1, -2.5, 0.5], "c": "yes", "d": 15}


def test_yaml_nested_without_end_is_refused_at_once() -> None:
    with pytest.raises(SpecError, match="deeply"):
        parse_yaml("[" * 200_000)


@pytest.mark.parametrize("text", ["a: &x [1]\nb: *x\n", "a: [1", "a: 1\na: 2\n", "? [1, 2]\n: 3\n", "a: !!python/x 1"])
def test_yaml_that_has_no_json_form_is_400(text: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_yaml(text)
    assert caught.value.status == 400


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["experiment", "dataset", "kind", "init", "X", "scale", "x"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@given(JSON)
def test_any_json_is_accepted_or_refused_with_pointers(document: Any) -> None:
    for parse in (parse_submission, parse_sweep):
        try:
            parse(document)
        except SpecError as error:
            assert error.errors
            assert all(problem.hint for problem in error.errors)


@given(st.sampled_from(["dataset", "model", "init", "flow", "stop", "trajectory", "loss", "regularizers"]), JSON)
def test_any_part_replaced_by_any_json(part: str, value: Any) -> None:
    try:
        parse_submission(changed(f"/experiment/{part}", value))
    except SpecError as error:
        assert all(p.pointer.startswith(f"/experiment/{part}") or p.pointer == "/experiment" for p in error.errors)


@pytest.mark.parametrize(
    ("value", "echo"),
    [
        (float("nan"), "nan"),
        (float("-inf"), "-inf"),
        (2**80, "an integer of 81 bits"),
        (7, 7),
        ("x" * 300, "x" * 199 + "…"),
    ],
)
def test_values_are_echoed_short_and_fit_for_json(value: object, echo: object) -> None:
    assert shown(value) == echo
