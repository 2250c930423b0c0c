"""Which integrators a document may ask for, and what is said where one does not apply."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from initshape.spec.experiment import Experiment
from initshape.spec.identity import experiment_id
from initshape.spec.parse import parse_submission
from initshape.spec.problem import SpecError

BASE: dict[str, Any] = {
    "dataset": {"kind": "sparse_regression", "dimension": 20, "samples": 5, "seed": 1},
    "model": {"kind": "diagonal"},
    "init": {"kind": "scale_shape", "scale": 0.1, "shape": 0.0},
}
NEURON: dict[str, Any] = {"model": {"kind": "single_neuron"}}
NETWORK: dict[str, Any] = {"model": {"kind": "fully_connected", "depth": 3, "width": 3}}
BALANCED: dict[str, Any] = {**NETWORK, "init": {"kind": "scale_shape", "scale": 0.1, "shape": 0.0, "balanced": True}}
TWO_LAYERS: dict[str, Any] = {"model": {"kind": "fully_connected", "depth": 2, "width": 3}}
RELU: dict[str, Any] = {"model": {"kind": "fully_connected", "depth": 2, "width": 3, "activation": "relu"}}
DESCENT: dict[str, Any] = {"kind": "gradient_descent", "step_size": 0.1}
CLASSES: dict[str, Any] = {
    "dataset": {"kind": "separable_classification", "dimension": 20, "samples": 5, "seed": 1},
    "loss": {"kind": "exponential"},
}


def document(integrator: str, *changes: dict[str, Any], **flow: Any) -> dict[str, Any]:
    found = copy.deepcopy(BASE)
    for change in changes:
        found |= change
    return found | {"flow": {"kind": "gradient_flow", "integrator": integrator, **flow}}


@pytest.mark.parametrize(
    ("integrator", "change"),
    [
        ("dual", {}),
        ("dual", {"model": {"kind": "diagonal", "depth": 6}}),
        ("dual", {"stop": {"max_time": 3.0}}),
        ("limit", {"model": {"kind": "diagonal", "depth": 3}}),
        ("limit", NEURON),
        ("limit", BALANCED),
        ("limit", {"stop": {"max_time": 1e9, "relative_residual": 1e-6}}),
        ("tsit5", {}),
        ("tsit5", RELU),
        ("tsit5", TWO_LAYERS),
    ],
)
def test_accepted(integrator: str, change: dict[str, Any]) -> None:
    found = Experiment.model_validate(document(integrator, change))
    assert found.flow.integrator == integrator


@pytest.mark.parametrize(
    ("document", "pointer", "hint"),
    [
        (document("dual", NEURON), "/flow/integrator", "diagonal network"),
        (document("dual", RELU), "/flow/integrator", "radau"),
        (document("dual", CLASSES), "/flow/integrator", "margin path"),
        (document("limit", CLASSES), "/flow/integrator", "margin path"),
        (document("tsit5", CLASSES), "/flow/integrator", "margin path"),
        (document("limit", TWO_LAYERS), "/flow/integrator", "balanced"),
        (document("limit", RELU), "/flow/integrator", "relu"),
        (document("dual", atol=1e-9), "/flow/atol", "remove"),
        (document("limit", atol=1e-9), "/flow/atol", "remove"),
        (document("limit", rtol=1e-6), "/flow/rtol", "remove rtol"),
        (document("limit", completion="off"), "/flow/completion", "remove completion"),
        (document("limit", {"stop": {"max_time": 10.0}}), "/stop/max_time", "dual or radau"),
        (
            {**BASE, "flow": DESCENT | {"integrator": "dual"}},
            "/flow/integrator",
            "",
        ),
        (document("duel"), "/flow/integrator", "dual"),
    ],
)
def test_refused_with_a_pointer_and_a_hint(document: dict[str, Any], pointer: str, hint: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_submission({"experiment": document})
    assert caught.value.status == 422
    problems = [problem for problem in caught.value.errors if problem.pointer == f"/experiment{pointer}"]
    assert problems, caught.value
    assert hint in problems[0].hint


def test_new_integrators_have_ids_of_their_own_and_leave_old_ones_alone() -> None:
    """The golden ids of test_identity.py pin the old ones; auto and radau were different documents before."""
    names = ("auto", "radau", "tsit5", "dual", "limit")
    ids = [experiment_id(Experiment.model_validate(document(name))) for name in names]
    assert len(set(ids)) == 5
    assert ids[0] == experiment_id(Experiment.model_validate(BASE))
