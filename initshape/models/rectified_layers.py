"""Networks with a piecewise linear activation and one output: signals forward and back, and products with the Jacobian.

At a kink the slope is that of the negative side, here and in every derivative, so a unit whose input is exactly zero
does not move when that slope is zero. Where X carries `gates` (`models.kinks`) these decide instead of the inputs.

**Shape**: layers W_1 ... W_L, W_l (..., m_l, m_{l-1}), m_0 = d, m_L = 1; signals (..., m_l, N), one column a sample.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from initshape.models.base import Array

Layers = Sequence[Array]


class Forward(NamedTuple):
    """What a forward pass leaves: activations H_1 ... H_{L-1}, their slopes, and the outputs (..., N)."""

    activations: list[Array]
    slopes: list[Array]
    outputs: Array


def forward(layers: Layers, X: Array, negative_slope: float) -> Forward:
    """H_l = act(W_l H_{l-1}), H_0 = X^T; outputs W_L H_{L-1}."""
    signal, activations, slopes = X.T, [], []
    gates = getattr(X, "gates", None)
    for k, matrix in enumerate(layers[:-1]):
        raw = matrix @ signal
        on = raw > 0.0 if gates is None else gates[k]
        slope = raw.__array_namespace__().where(on, 1.0, negative_slope)
        signal = slope * raw
        activations.append(signal)
        slopes.append(slope)
    return Forward(activations, slopes, (layers[-1] @ signal)[..., 0, :])


def output_change(layers: Layers, changes: Layers, X: Array, negative_slope: float) -> Array:
    """J v: tangents carried forward through fixed slopes. **Shape**: (..., N)."""
    passed = forward(layers, X, negative_slope)
    tangent = passed.slopes[0] * (changes[0] @ X.T)
    for k in range(1, len(layers) - 1):
        tangent = passed.slopes[k] * (changes[k] @ passed.activations[k - 1] + layers[k] @ tangent)
    return (changes[-1] @ passed.activations[-1] + layers[-1] @ tangent)[..., 0, :]


def gradients(layers: Layers, X: Array, z: Array, negative_slope: float) -> list[Array]:
    """J^T z, layer by layer: G_l H_{l-1}^T with the signals of `backward`. **Shape**: z (..., N), each as its layer."""
    passed = forward(layers, X, negative_slope)
    signals = backward(layers, passed.slopes, z[..., None, :])
    inner = [G @ H.mT for G, H in zip(signals[1:], passed.activations, strict=True)]
    return [signals[0] @ X, *inner]


def backward(layers: Layers, slopes: Sequence[Array], top: Array) -> list[Array]:
    """G_{l} = slope_l o (W_{l+1}^T G_{l+1}) for l = 1 ... L, G_L = `top`. **Shape**: top (..., 1, N)."""
    signals = [top]
    for matrix, slope in zip(reversed(layers[1:]), reversed(slopes), strict=True):
        signals.append(slope * (matrix.mT @ signals[-1]))
    return signals[::-1]


def kernel(layers: Layers, X: Array, negative_slope: float) -> Array:
    """sum_l (H_{l-1}^T H_{l-1}) o (G_l^T G_l): the products of what comes in and what comes back. **Shape**: (N, N)."""
    passed = forward(layers, X, negative_slope)
    ones = passed.outputs[None, :] * 0.0 + 1.0
    signals = backward(layers, passed.slopes, ones)
    total = ((X * 1.0) @ X.T) * (signals[0].T @ signals[0])
    for H, G in zip(passed.activations, signals[1:], strict=True):
        total = total + (H.T @ H) * (G.T @ G)
    return total
