"""Filters by fields of an experiment: names and values come from the schema."""

from __future__ import annotations

from typing import Any

import pytest

from initshape.spec.experiment import Experiment
from initshape.spec.filters import fields, holds, parse_filter, schema_of
from initshape.spec.identity import resolved
from initshape.spec.problem import SpecError

DOCUMENT = resolved(
    Experiment.model_validate(
        {
            "dataset": {"kind": "sparse_regression", "dimension": 1000, "samples": 100},
            "model": {"kind": "diagonal"},
            "init": {"kind": "scale_shape", "scale": 1e-3, "shape": 0},
            "regularizers": ["l1", "implicit"],
        }
    )
)


def test_every_single_value_of_a_document_can_be_filtered_by() -> None:
    def paths(node: dict[str, Any], above: str = "") -> set[str]:
        found = set()
        for name, value in node.items():
            found |= paths(value, f"{above}{name}.") if isinstance(value, dict) else {above + name}
        return found

    assert paths(DOCUMENT) <= set(fields())
    assert "dataset.X" not in fields()
    for name in fields():
        assert schema_of(name)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("dataset.dimension", "1000"), ("dataset.dimension", "1e3"), ("init.scale", "0.001"), ("init.scale", "1e-3"),
        ("init.shape", "0"), ("init.shape", "-0.0"), ("model.kind", "diagonal"), ("regularizers", "l1"),
        ("flow.integrator", "auto"),
    ],
)  # fmt: skip
def test_equal_values_are_found_however_they_are_written(name: str, text: str) -> None:
    assert holds(DOCUMENT, {name: parse_filter(name, text)})


@pytest.mark.parametrize(
    ("name", "text"),
    [("dataset.dimension", "999"), ("init.shape", "0.5"), ("model.kind", "single_neuron"), ("regularizers", "l2"),
     ("init.seed", "0"), ("model.width", "3")],
)  # fmt: skip
def test_other_values_are_not(name: str, text: str) -> None:
    assert not holds(DOCUMENT, {name: parse_filter(name, text)})
    assert not holds(DOCUMENT, {"model.kind": "diagonal", name: parse_filter(name, text)})


@pytest.mark.parametrize(
    ("name", "text", "hint"),
    [
        ("init.shap", "0.5", "init.shape"), ("shape", "0.5", "init.shape"), ("ownr", "x", "owner"),
        ("model.kind", "diagnal", "diagonal"), ("zzzzzzzz", "1", "filter by"),
        ("dataset.X", "1", "dataset"), ("init.shape", "1", "allowed"), ("init.shape", "", "allowed"),
        ("dataset.dimension", "1.5", "allowed"), ("dataset.dimension", "many", "allowed"),
        ("init.scale", "[1,2]", "allowed"), ("init.scale", "NaN", "allowed"), ("dataset.seed", "9" * 300, "allowed"),
        ("flow.kind", "true", "allowed"), ("dataset.dimension", "null", "allowed"), ("init.scale", "1_0", "allowed"),
    ],
)  # fmt: skip
def test_what_no_experiment_can_have_is_refused(name: str, text: str, hint: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_filter(name, text, ("owner", "status"))
    (problem,) = caught.value.errors
    assert problem.pointer == f"/query/{name}"
    assert hint in problem.hint
    assert problem.allowed
