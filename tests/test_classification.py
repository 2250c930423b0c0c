"""Classification through the whole run: the loss that was asked for, directions, and the limits of theory."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize

from initshape.run import RunOutput, run
from initshape.spec.experiment import Experiment

CLASSES = {"kind": "separable_classification", "dimension": 12, "samples": 8, "sparsity": 2, "test_samples": 500}


def compute(**parts: Any) -> RunOutput:
    document = {
        "dataset": CLASSES,
        "model": {"kind": "diagonal"},
        "init": {"kind": "scale_shape", "scale": 0.1, "shape": 0.3},
        "loss": {"kind": "exponential"},
        **parts,
    }
    return run(Experiment.model_validate(document))


@pytest.fixture(scope="module")
def default() -> RunOutput:
    return compute()


def test_ends_at_the_requested_loss_and_says_so_in_logarithms(default: RunOutput) -> None:
    flow, arrays = default.result.flow, default.arrays
    assert flow is not None
    assert flow.gamma == pytest.approx(230.25850929940457, rel=1e-9)
    m = arrays["y"] * (arrays["X"] @ arrays["w_flow"])
    least = m.min()
    gamma = least - np.log(np.mean(np.exp(-(m - least))))
    assert gamma == pytest.approx(flow.gamma, rel=1e-9)
    np.testing.assert_allclose(np.sort(arrays["margins"]), np.sort(m), rtol=1e-10)
    assert flow.margin == pytest.approx(least / np.linalg.norm(arrays["w_flow"]), rel=1e-10)
    assert flow.relative_residual is None
    assert flow.population_error is None
    wrong = np.mean(arrays["y"] * (arrays["X"] @ arrays["w_true"]) <= 0)
    assert wrong == 0.0


def test_maximum_margins_are_those_of_a_general_solver(default: RunOutput) -> None:
    rows = default.arrays["y"][:, None] * default.arrays["X"]
    found = minimize(
        lambda w: 0.5 * w @ w, default.arrays["w_l2"] + 0.1, jac=lambda w: w, method="SLSQP", tol=1e-14,
        constraints={"type": "ineq", "fun": lambda w: rows @ w - 1.0, "jac": lambda w: rows},
    ).x  # fmt: skip
    np.testing.assert_allclose(default.arrays["w_l2"], found, atol=1e-6)
    assert np.min(rows @ default.arrays["w_l1"]) >= 1.0 - 1e-9
    assert np.abs(default.arrays["w_l1"]).sum() <= np.abs(found).sum()


def test_comparisons_are_of_directions(default: RunOutput) -> None:
    w = default.arrays["w_flow"] / np.linalg.norm(default.arrays["w_flow"])
    for comparison in default.result.comparisons:
        target = default.arrays[f"w_{comparison.regularizer}"]
        gap = float(np.linalg.norm(w - target / np.linalg.norm(target)))
        assert comparison.of == "directions"
        assert comparison.relative_distance == pytest.approx(gap, rel=1e-9)
        assert comparison.angle == pytest.approx(2 * np.arcsin(gap / 2), rel=1e-6)


def test_no_exact_theorem_is_claimed_at_a_finite_loss(default: RunOutput) -> None:
    labels = {fit.regularizer: fit.exactness for fit in default.result.fits}
    assert labels["implicit"] == "limit"
    assert {labels[name] for name in ("l1", "l2", "kernel")} == {"baseline"}
    (implicit,) = [fit for fit in default.result.fits if fit.regularizer == "implicit"]
    assert any("multiplier" in condition.name for condition in implicit.conditions)


def test_large_initialization_goes_to_the_l2_margin_and_says_so() -> None:
    init = {"kind": "scale_shape", "scale": 1e6, "shape": 0.0}
    output = compute(init=init, stop={"log_train_loss": -1e3})
    (l2,) = [c for c in output.result.comparisons if c.regularizer == "l2"]
    assert l2.angle is not None
    assert l2.angle < 5e-3
    assert output.result.regime is not None
    assert {output.result.regime.label, *output.result.regime.ties} == {"l2", "kernel"}


def test_overlapping_classes_are_infeasible() -> None:
    data = {"kind": "explicit", "X": [[1.0], [2.0], [-1.0]], "y": [1, -1, 1]}
    output = compute(dataset=data, init={"kind": "scale_shape", "scale": 0.1, "shape": 0})
    assert output.result.outcome == "infeasible"
    assert output.result.flow is not None
    assert output.result.flow.outcome == "infeasible"
