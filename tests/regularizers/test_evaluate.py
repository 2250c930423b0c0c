"""Looking at regularizers: against mpmath, quadrature, differences, and round trips."""

from __future__ import annotations

import json
from typing import Any

import mpmath
import numpy as np
import pytest
from scipy.integrate import quad

from initshape.regularizers.evaluate import Evaluated, evaluate, view
from initshape.spec.outcome import Exactness
from initshape.spec.parse import parse_evaluation
from initshape.spec.problem import SpecError

SCALE_SHAPE = {"kind": "scale_shape", "scale": 0.3, "shape": 0.4}
POINTS = [[0.7, -1.2, 0.01], [0.0, 2.0, -0.3], [-0.5, 0.25, 1.0]]
KNOWN: dict[str, dict[str, Any]] = {
    "two layers": {"model": {"kind": "diagonal"}, "init": SCALE_SHAPE},
    "two layers, biased": {
        "model": {"kind": "diagonal"},
        "init": {
            "kind": "explicit", "u_plus": [1.0, 0.5, 2.0], "v_plus": [0.3, 1.5, 1.0], "u_minus": [0.2, 0.1, -0.3],
            "v_minus": [1.0, 0.7, 0.4],
        },
    },
    "four layers": {"model": {"kind": "diagonal", "depth": 4}, "init": SCALE_SHAPE},
    "three layers, one shape each": {
        "model": {"kind": "diagonal", "depth": 3},
        "init": {"kind": "scale_shape", "scale": [0.1, 0.5, 1.0], "shape": [0.0, 0.5, -0.3]},
    },
    "neuron": {"model": {"kind": "single_neuron"}, "init": SCALE_SHAPE},
    "neuron, two scalars": {"model": {"kind": "single_neuron", "scalar_layers": 2}, "init": SCALE_SHAPE},
    "balanced": {
        "model": {"kind": "fully_connected", "depth": 3, "width": 4},
        "init": {"kind": "scale_shape", "scale": 0.8, "shape": 0.0, "balanced": True},
    },
    "width 1": {"model": {"kind": "fully_connected", "width": 1}, "init": SCALE_SHAPE},
    "summed neurons": {
        "model": {"kind": "fully_connected", "width": 3}, "init": SCALE_SHAPE, "regularizer": "summed_neurons",
    },
    "kernel": {"model": {"kind": "diagonal", "depth": 3}, "init": SCALE_SHAPE, "regularizer": "kernel"},
    "kernel of a network": {
        "model": {"kind": "fully_connected", "width": 3}, "init": SCALE_SHAPE, "regularizer": "kernel",
    },
    "l2": {"model": {"kind": "single_neuron"}, "init": SCALE_SHAPE, "regularizer": "l2"},
    "formula of two layers": {"parameters": {"kind": "two_layer_diagonal", "sqrt_k": [1.0, 0.2, 3.0]}},
    "formula of a neuron": {
        "parameters": {"kind": "single_neuron", "delta": -0.5, "w0": [0.6, 0.8, 0.0], "sign": -1},
    },
    "formula of a balanced network": {
        "parameters": {"kind": "balanced_network", "depth": 4, "w0": [0.3, 0.0, -0.2]},
    },
}  # fmt: skip


def look(**document: Any) -> Evaluated:
    return evaluate(parse_evaluation(document))


def line(low: float, high: float, count: int, coordinate: int = 0) -> dict[str, Any]:
    return {"axes": [{"coordinate": coordinate, "linspace": [low, high, count]}]}


@pytest.mark.parametrize("name", KNOWN)
def test_gradient_is_the_slope_of_the_value(name: str) -> None:
    """Along random segments the gradient integrates to the difference of the values.

    No coordinate passes 0, where gradients bend too sharply for a fixed quadrature.
    """
    nodes, weights = np.polynomial.legendre.leggauss(40)
    rng = np.random.default_rng(3)
    for _ in range(3):
        a, b = rng.uniform(0.3, 3.0, (2, 3)) * np.array([1.0, -1.0, 1.0])
        between = 0.5 * ((b + a) + nodes[:, None] * (b - a))
        found = look(**KNOWN[name], points=np.vstack([a, b, between]).tolist(), what=["value", "gradient"])
        integral = 0.5 * float(weights @ (found.arrays["gradient"][2:] @ (b - a)))
        value = found.arrays["value"]
        assert value[1] - value[0] == pytest.approx(integral, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("name", KNOWN)
def test_inverse_takes_the_gradient_back(name: str) -> None:
    gradient = look(**KNOWN[name], points=POINTS, what=["gradient"]).arrays["gradient"]
    back = look(**KNOWN[name], points=gradient.tolist(), what=["inverse"]).arrays["inverse"]
    assert back == pytest.approx(np.array(POINTS), rel=1e-8, abs=1e-9)


def test_two_layers_against_mpmath() -> None:
    k, x = 0.3, [-2.0, -1e-3, 0.0, 1e-9, 0.4, 1e3]
    grid = {"axes": [{"coordinate": 1, "values": x}]}
    found = look(parameters={"kind": "two_layer_diagonal", "sqrt_k": [9.0, k]}, grid=grid, what=["profile"])
    with mpmath.workdps(40):
        t = [2 * mpmath.mpf(v) / mpmath.mpf(k) for v in x]
        wanted = [mpmath.mpf(k) / 4 * (1 - mpmath.sqrt(1 + v * v) + v * mpmath.asinh(v)) for v in t]
    assert found.arrays["profile"] == pytest.approx(np.array(wanted, dtype=float), rel=1e-13)
    slopes = np.array([float(mpmath.asinh(v) / 2) for v in t])
    assert found.arrays["profile_slope"] == pytest.approx(slopes, rel=1e-13)
    assert found.profile_of == "coordinate"


@pytest.mark.parametrize("delta", [0, 1, 2, 5, -1])
def test_profile_of_the_neuron_is_the_integral_of_its_slope(delta: float) -> None:
    """qhat'(x) = (3/2) sqrt(sqrt(x^2 + delta^2/4) - delta/2), qhat(0) = 0."""
    found = look(parameters={"kind": "single_neuron", "delta": delta}, grid=line(0.0, 10.0, 6), what=["profile"])

    def slope(x: float) -> float:
        return 1.5 * np.sqrt(max(np.hypot(x, delta / 2) - delta / 2, 0.0))

    x = found.axes[0]
    assert found.arrays["profile_slope"] == pytest.approx([slope(v) for v in x], rel=1e-12, abs=1e-15)
    integrals = [quad(slope, 0.0, v, epsabs=1e-13, epsrel=1e-12)[0] for v in x]
    assert found.arrays["profile"] == pytest.approx(integrals, rel=1e-10, abs=1e-12)
    assert found.profile_of == "norm"


def test_model_and_formula_agree() -> None:
    """sqrt(k) = 4 alpha (1 + s^2)/(1 - s^2), delta = 4 alpha s/(1 - s^2), ||w0|| = sqrt(alpha (1 - s)/(1 + s))."""
    alpha, s = 0.3, 0.4
    sqrt_k, delta = 4 * alpha * (1 + s * s) / (1 - s * s), 4 * alpha * s / (1 - s * s)
    what = ["value", "gradient"]
    by_model = look(**KNOWN["two layers"], points=POINTS, what=what)
    by_formula = look(parameters={"kind": "two_layer_diagonal", "sqrt_k": sqrt_k}, points=POINTS, what=what)
    direction = [0.6, 0.0, 0.8]
    w0 = (np.sqrt(alpha * (1 - s) / (1 + s)) * np.array(direction)).tolist()
    init = {**SCALE_SHAPE, "direction": direction}
    neuron = look(model={"kind": "single_neuron"}, init=init, points=POINTS, what=what)
    formula = look(parameters={"kind": "single_neuron", "delta": delta, "w0": w0}, points=POINTS, what=what)
    for one, other in ((by_model, by_formula), (neuron, formula)):
        assert one.exactness is other.exactness is Exactness.exact
        for name in what:
            assert one.arrays[name] == pytest.approx(other.arrays[name], rel=1e-12, abs=1e-14)


@pytest.mark.parametrize("name", ["two layers, biased", "three layers, one shape each", "neuron", "kernel"])
def test_grid_is_the_product_of_its_axes(name: str) -> None:
    """The shortcut for sums over coordinates gives what one point at a time gives."""
    x, y, base = [-1.0, 0.2, 0.7, 1.5], [0.3, 2.0, -0.1], [0.4, 0.5, 0.6]
    grid = {"axes": [{"coordinate": 2, "values": x}, {"coordinate": 0, "values": y}], "base": base}
    what = ["value", "gradient", "inverse"]
    found = look(**KNOWN[name], grid=grid, what=what)
    assert found.arrays["value"].shape == (4, 3)
    assert found.arrays["gradient"].shape == (4, 3, 3)
    for i, j in np.ndindex(4, 3):
        alone = look(**KNOWN[name], points=[[y[j], base[1], x[i]]], what=what)
        for key in what:
            assert found.arrays[key][i, j] == pytest.approx(alone.arrays[key][0], rel=1e-12, abs=1e-14)


def test_outside_the_domain_is_infinite() -> None:
    """One branch that cannot move: w keeps its sign."""
    one_sided = {"kind": "explicit", "u_plus": [1.0], "v_plus": [1.0], "u_minus": [1.0], "v_minus": [-1.0]}
    found = look(model={"kind": "diagonal"}, init=one_sided, grid=line(-1.0, 1.0, 3), what=["value", "gradient"])
    assert found.arrays["value"][0] == np.inf
    assert np.all(np.isfinite(found.arrays["value"][1:]))


UNKNOWN = {
    "unbalanced": {"model": {"kind": "fully_connected", "width": 3}, "init": SCALE_SHAPE},
    "relu": {"model": {"kind": "fully_connected", "width": 3, "activation": "relu"}, "init": SCALE_SHAPE},
    "relu's kernel": {
        "model": {"kind": "fully_connected", "width": 3, "activation": "relu"}, "init": SCALE_SHAPE,
        "regularizer": "kernel",
    },
    "summed neurons of a diagonal network": {
        "model": {"kind": "diagonal"}, "init": SCALE_SHAPE, "regularizer": "summed_neurons",
    },
    "a = 0": {"model": {"kind": "single_neuron"}, "init": {"kind": "explicit", "a": 0.0, "w": [1.0, 0.0, 0.0]}},
}  # fmt: skip


@pytest.mark.parametrize("name", UNKNOWN)
def test_none_known_says_why(name: str) -> None:
    found = look(**UNKNOWN[name], points=POINTS)
    assert found.exactness is Exactness.none
    assert found.reason
    assert not found.arrays


def test_what_a_regularizer_does_not_have_is_told() -> None:
    l1 = look(model={"kind": "diagonal"}, init=SCALE_SHAPE, regularizer="l1", points=[[1.0]], what=["value", "inverse"])
    assert l1.arrays["value"] == [1.0]
    assert "no inverse" in l1.missing["inverse"]
    network = KNOWN["kernel of a network"]
    assert "neither" in look(**network, dimension=3, grid=line(0.0, 1.0, 3), what=["profile"]).missing["profile"]


def test_an_assumption_that_only_data_can_settle_is_told() -> None:
    """a^2 < ||w||^2: a may change its sign."""
    negative = {"kind": "scale_shape", "scale": 0.3, "shape": -0.4}
    assert look(model={"kind": "single_neuron"}, init=negative, points=POINTS).assumes
    assert not look(**KNOWN["neuron"], points=POINTS).assumes


@pytest.mark.parametrize("name", KNOWN)
def test_absurd_points_are_an_answer(name: str) -> None:
    """No exception and no warning (which would fail the test); JSON without NaN."""
    absurd = [[1e100, -1e100, 1e-300], [0.0, 0.0, 0.0], [-1e100, 1e-100, 1e3]]
    document = json.dumps(view(look(**KNOWN[name], points=absurd, what=["value", "gradient", "inverse"])))
    assert "NaN" not in document
    assert "Infinity" not in document
    look(**KNOWN[name], grid={"axes": [{"values": [-1e100, 0.0, 1e100]}]}, what=["profile"], **_three(name))


def _three(name: str) -> dict[str, int]:
    return {} if "parameters" in KNOWN[name] else {"dimension": 3}


def test_too_long_is_refused() -> None:
    slow = {"model": {"kind": "diagonal", "depth": 6}, "init": SCALE_SHAPE, "grid": line(-1.0, 1.0, 9000)}
    with pytest.raises(SpecError, match="more than"):
        evaluate(parse_evaluation(slow), seconds=0.01)


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "no points": ({}, ""),
    "points and grid": ({"points": POINTS, "grid": line(0, 1, 2)}, ""),
    "no axes": ({"grid": {"axes": []}}, "/grid/axes"),
    "points of no features": ({"points": [[]]}, "/points/0"),
    "ragged points": ({"points": [[1.0], [1.0, 2.0]]}, "/points/1"),
    "points of another dimension": ({"points": POINTS, "dimension": 4}, "/points/0"),
    "text": ({"points": [["1"]]}, "/points/0/0"),
    "a profile of points": ({"points": POINTS, "what": ["profile"]}, "/what"),
    "a coordinate beyond the last": ({"grid": line(0, 1, 2, 3), "dimension": 3}, "/grid/axes/0/coordinate"),
    "one coordinate twice": ({"grid": {"axes": [{"values": [1]}, {"values": [2]}]}}, "/grid/axes/1/coordinate"),
    "two sources": ({"grid": {"axes": [{"values": [1], "linspace": [0, 1, 2]}]}}, "/grid/axes/0"),
    "too many numbers": ({"grid": line(0, 1, 10_000), "dimension": 101}, "/grid"),
    "a base too short": ({"grid": {**line(0, 1, 2), "base": [1.0]}, "dimension": 2}, "/grid/base"),
    "a list of another length": (
        {"points": POINTS, "init": {"kind": "scale_shape", "scale": [1, 2], "shape": 0}}, "/init/scale",
    ),
    "a wide network": (
        {"points": POINTS, "model": {"kind": "fully_connected", "width": 4096}}, "/model/width",
    ),
    "an unknown regularizer": ({"points": POINTS, "regularizer": "l3"}, "/regularizer"),
    "an unknown quantity": ({"points": POINTS, "what": ["hessian"]}, "/what/0"),
    "an impossible delta": (
        {"parameters": {"kind": "single_neuron", "delta": -3, "w0": [1, 1, 0]}, "points": POINTS}, "/parameters/delta",
    ),
    "model and parameters": (
        {"parameters": {"kind": "single_neuron", "delta": 1}, "points": POINTS, "model": {"kind": "diagonal"}},
        "/model",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_requests_are_refused_with_a_pointer(name: str) -> None:
    change, pointer = BAD[name]
    document = change if "parameters" in change else {"model": {"kind": "diagonal"}, "init": SCALE_SHAPE, **change}
    with pytest.raises(SpecError) as caught:
        parse_evaluation(document)
    assert pointer in [problem.pointer for problem in caught.value.errors]
    assert all(problem.hint for problem in caught.value.errors)
