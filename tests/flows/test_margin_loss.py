"""Classification losses in the log domain against 60-digit arithmetic, and gamma with its derivatives."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

from initshape.flows.margin.gain import gain
from initshape.flows.margin_loss import AbstractMarginLoss, ExponentialLoss, LogisticLoss

MARGINS = np.concatenate(
    [np.linspace(-60.0, 60.0, 241), [-1e300, -1e5, -700.0, -1e-300, 1e-300, 14.999999, 15.0, 700.0, 746.0, 1e5, 1e300]]
)


def exact(m: float) -> tuple[mpmath.mpf, mpmath.mpf, mpmath.mpf]:
    """ln l, -l'/l, -l''/l' of the logistic loss."""
    if m > 2000:  # e^-m leaves even arbitrary precision's patience: the limits, to within e^-2000
        return -mpmath.mpf(m), mpmath.mpf(1), mpmath.mpf(1)
    if m < -2000:
        return mpmath.log(-mpmath.mpf(m)), -1 / mpmath.mpf(m), mpmath.mpf(0)
    x = mpmath.mpf(m)
    value = mpmath.log1p(mpmath.exp(-x))
    return mpmath.log(value), 1 / (1 + mpmath.exp(x)) / value, 1 / (1 + mpmath.exp(-x))


def test_logistic_loss_has_all_its_digits() -> None:
    loss = LogisticLoss()
    with mpmath.workdps(60):
        wanted = [exact(float(m)) for m in MARGINS]
        for k, found in enumerate((loss.log_term(MARGINS), loss.decay(MARGINS), loss.curvature(MARGINS))):
            for m, value, reference in zip(MARGINS, found, (row[k] for row in wanted), strict=True):
                scale = max(abs(reference), 1) if k == 0 else reference or 1
                assert abs((mpmath.mpf(float(value)) - reference) / scale) < 1e-15, (k, m)


def test_residual_and_value_are_those_of_the_loss() -> None:
    y = np.array([1.0, -1.0, 1.0, 0.0])
    outputs = np.array([0.3, 2.0, -4.0, 0.0])
    m = (y * outputs)[:3]
    exponential, logistic = ExponentialLoss(), LogisticLoss()
    np.testing.assert_allclose(exponential.value(outputs, y, 3.0), np.mean(np.exp(-m)), rtol=1e-15)
    np.testing.assert_allclose(logistic.value(outputs, y, 3.0), np.mean(np.log1p(np.exp(-m))), rtol=1e-15)
    np.testing.assert_allclose(exponential.residual(outputs, y), [*(y[:3] * np.exp(-m)), 0.0], rtol=1e-15)
    np.testing.assert_allclose(logistic.residual(outputs, y), [*(y[:3] / (1.0 + np.exp(m))), 0.0], rtol=1e-15)


@pytest.mark.parametrize("loss", [ExponentialLoss(), LogisticLoss()])
def test_gamma_where_every_exponential_under_or_overflows(loss: AbstractMarginLoss) -> None:
    y = np.array([1.0, -1.0, 1.0, 0.0])
    for shift in (2000.0, 1e6):
        found = gain(loss, np.array([shift, shift + np.log(2.0), shift + 1e5, 0.0]), y, np.float64(3.0))
        assert found.gamma == pytest.approx(shift - np.log(1.5 / 3.0), rel=1e-15)
        np.testing.assert_allclose(found.weights, [2 / 3, 1 / 3, 0.0, 0.0], atol=1e-9)
    wrong = gain(loss, np.array([-2000.0, 5.0, 5.0, 0.0]), y, np.float64(3.0))
    expected = np.log(3.0) - 2000.0 if isinstance(loss, ExponentialLoss) else np.log(3.0) - np.log(2000.0 + 2 * 6.7e-3)
    assert wrong.gamma == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize("loss", [ExponentialLoss(), LogisticLoss()])
def test_derivatives_of_gamma_by_differences(loss: AbstractMarginLoss) -> None:
    y = np.array([1.0, -1.0, 1.0, -1.0, 0.0])
    m = np.array([0.4, -1.2, 2.0, 6.0, 0.0])
    found = gain(loss, m, y, np.float64(4.0))
    hessian = -(np.diag(found.curvature) - np.outer(found.weights, found.weights))
    step = 1e-5
    for k in range(4):
        e = step * np.eye(5)[k]
        plus, minus = gain(loss, m + e, y, np.float64(4.0)), gain(loss, m - e, y, np.float64(4.0))
        assert (plus.gamma - minus.gamma) / (2 * step) == pytest.approx(found.weights[k], rel=1e-8)
        np.testing.assert_allclose((plus.weights - minus.weights) / (2 * step), hessian[k], rtol=1e-6, atol=1e-10)
    assert found.weights[4] == 0.0
