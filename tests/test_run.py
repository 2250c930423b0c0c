"""The whole computation, in this process: what the result says against independent calculations."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from initshape.run import Progress, RunOutput, run
from initshape.spec.experiment import Experiment
from initshape.spec.result import Result

SPARSE = {"kind": "sparse_regression", "dimension": 12, "samples": 4, "sparsity": 2}


def compute(**parts: Any) -> RunOutput:
    document = {
        "dataset": SPARSE,
        "model": {"kind": "diagonal"},
        "init": {"kind": "scale_shape", "scale": 0.01, "shape": 0.5},
        **parts,
    }
    return run(Experiment.model_validate(document))


@pytest.fixture(scope="module")
def default() -> RunOutput:
    return compute()


def test_flow_and_theory_agree_and_brute_force_agrees_with_both(default: RunOutput) -> None:
    arrays, result = default.arrays, default.result
    X, y = arrays["X"], arrays["y"]
    # The network of the paper, written down again: u = sqrt(alpha (1-s)/(1+s)), v = sqrt(alpha (1+s)/(1-s)).
    d = X.shape[1]
    u, v = np.sqrt(0.01 / 3.0), np.sqrt(0.01 * 3.0)

    def slope(_: float, theta: np.ndarray) -> np.ndarray:
        up, vp, um, vm = theta.reshape(4, d)
        g = X.T @ (y - X @ (up * vp - um * vm)) / len(y)
        return np.concatenate([vp * g, up * g, -vm * g, -um * g])

    start = np.repeat([u, v, u, v], d)
    end = solve_ivp(slope, (0.0, 3e3), start, method="LSODA", rtol=1e-11, atol=1e-14).y[:, -1].reshape(4, d)
    w = end[0] * end[1] - end[2] * end[3]
    assert np.linalg.norm(y - X @ w) / np.linalg.norm(y) < 1e-9
    for name in ("w_flow", "w_implicit"):
        assert np.linalg.norm(arrays[name] - w) / np.linalg.norm(w) < 1e-8
    assert result.outcome == "converged"
    assert result.flow is not None
    assert result.flow.population_error == pytest.approx(float(np.sum((w - arrays["w_true"]) ** 2)), rel=1e-7)
    (implicit,) = [c for c in result.comparisons if c.regularizer == "implicit"]
    assert implicit.relative_distance is not None
    assert implicit.relative_distance < 1e-8


def test_reported_numbers_are_those_of_the_arrays(default: RunOutput) -> None:
    arrays, flow = default.arrays, default.result.flow
    assert flow is not None
    r = arrays["y"] - arrays["X"] @ arrays["w_flow"]
    assert flow.relative_residual == pytest.approx(np.linalg.norm(r) / np.linalg.norm(arrays["y"]), abs=1e-15)
    assert flow.train_loss == pytest.approx(r @ r / (2 * len(r)), abs=1e-28)
    assert arrays["time"][0] == 0.0
    assert arrays["time"][-1] == flow.time
    assert np.all(np.diff(arrays["time"]) > 0)
    saved = arrays["w_trajectory"]
    assert saved.shape == (len(arrays["time"]), len(arrays["coordinate_index"]))
    np.testing.assert_array_equal(saved[0], arrays["w_initial"][arrays["coordinate_index"]])
    for comparison in default.result.comparisons:
        w, target = arrays["w_flow"], arrays[f"w_{comparison.regularizer}"]
        gap = np.linalg.norm(w - target) / np.linalg.norm(target)
        assert comparison.relative_distance == pytest.approx(gap, rel=1e-9, abs=1e-15)
    assert {name: list(info.shape) for name, info in default.result.arrays.items()} == {
        name: list(array.shape) for name, array in arrays.items()
    }


def test_the_document_survives_json(default: RunOutput) -> None:
    text = default.result.model_dump_json()
    assert "NaN" not in text
    assert Result.model_validate(json.loads(text)) == default.result


def test_the_same_run_gives_the_same_bits(default: RunOutput) -> None:
    again = compute()
    for name, array in default.arrays.items():
        np.testing.assert_array_equal(again.arrays[name], array, err_msg=name)


def test_biased_start_per_coordinate() -> None:
    rng = np.random.default_rng(5)
    init = {"kind": "explicit"} | {
        name: rng.normal(size=12).tolist() for name in ("u_plus", "v_plus", "u_minus", "v_minus")
    }
    output = compute(init=init)
    (implicit,) = [c for c in output.result.comparisons if c.regularizer == "implicit"]
    assert implicit.relative_distance is not None
    assert implicit.relative_distance < 1e-8
    w0 = np.array(init["u_plus"]) * init["v_plus"] - np.array(init["u_minus"]) * init["v_minus"]
    np.testing.assert_allclose(output.arrays["w_initial"], w0, rtol=1e-15)


def test_theory_alone_needs_no_flow() -> None:
    output = compute(flow={"kind": "none"})
    assert output.result.flow is None
    assert output.result.comparisons == ()
    assert output.result.outcome == "converged"
    assert "w_flow" not in output.arrays
    assert output.result.regime is not None
    assert output.result.regime.of == "implicit"


def test_frozen_coordinates_that_the_data_need_are_infeasible() -> None:
    data = {"kind": "explicit", "X": [[1.0, 0.0], [0.0, 1.0]], "y": [1.0, 2.0]}
    init = {
        "kind": "explicit",
        "u_plus": [0.0, 1.0],
        "v_plus": [0.0, 1.0],
        "u_minus": [0.0, 1.0],
        "v_minus": [0.0, 1.0],
    }
    output = compute(dataset=data, init=init)
    (fit,) = [f for f in output.result.fits if f.regularizer == "implicit"]
    assert fit.outcome == "infeasible"
    assert output.result.flow is not None
    assert output.result.flow.outcome == "saddle"
    assert output.result.outcome == "saddle"
    assert output.result.advice


def test_progress_covers_the_run_and_can_stop_it() -> None:
    class EnoughError(Exception):
        pass

    seen: list[Progress] = []

    def watch(progress: Progress) -> None:
        seen.append(progress)
        if progress.stage == "flow" and progress.steps:
            raise EnoughError

    experiment = Experiment.model_validate(
        {"dataset": SPARSE, "model": {"kind": "diagonal"}, "init": {"kind": "scale_shape", "scale": 0.01, "shape": 0.5}}
    )
    with pytest.raises(EnoughError):
        run(experiment, watch)
    assert seen[0].stage == "dataset"
    fractions = [p.fraction for p in seen]
    assert fractions == sorted(fractions)


def test_gradient_descent_meets_the_theory_of_the_flow_only_in_the_limit() -> None:
    gaps = []
    for step_size in (0.04, 0.004):
        output = compute(flow={"kind": "gradient_descent", "step_size": step_size})
        (implicit,) = [f for f in output.result.fits if f.regularizer == "implicit"]
        assert implicit.exactness == "limit"
        assert implicit.conditions[-1].value == step_size
        gaps.append(next(c.relative_distance for c in output.result.comparisons if c.regularizer == "implicit"))
    assert 5.0 < gaps[0] / gaps[1] < 20.0
