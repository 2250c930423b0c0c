"""The kinks of piecewise linear networks: units, the branch that they select, and its derivatives at a kink.

A unit is one hidden neuron on one sample. Its input g is smooth in theta as long as no other unit changes its side;
the activation has slope 1 where g > 0 and s elsewhere. Fixed slopes (`Gated`) continue the network of one branch
smoothly past its kinks.

**Shape**: U = (L - 1) m N units, layer by layer, neuron by neuron, sample by sample.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from initshape.models import rectified_layers
from initshape.models.base import AbstractModel, Array
from initshape.models.fully_connected import FullyConnected


@dataclass(frozen=True)
class Gated:
    """X with the sides of all units: models use it as they use X, and take these sides instead of the inputs' own."""

    X: Any
    gates: Array

    __array_ufunc__ = None  # NumPy leaves `z @ X` to this class

    @property
    def T(self) -> Any:  # noqa: N802 - the name that arrays use
        """X^T, without gates: layers need them once."""
        return self.X.T

    def __rmatmul__(self, left: Array) -> Array:
        return left @ self.X

    def __mul__(self, weights: Array) -> Array:
        return self.X * weights


def has_kinks(model: AbstractModel) -> bool:
    """Whether the model is only piecewise smooth in its parameters."""
    return isinstance(model, FullyConnected) and not model.linear


def slope_gap(model: AbstractModel) -> float:
    """1 - s, the jump of the slope at a kink."""
    assert isinstance(model, FullyConnected)  # noqa: S101 - the only family with kinks
    return 1.0 - model.negative_slope


def gated(model: AbstractModel, X: Any, sides: Array) -> Gated:
    """X with the side of each unit. **Shape**: sides (U,), true where the slope is 1."""
    assert isinstance(model, FullyConnected)  # noqa: S101
    return Gated(X, sides.reshape(model.depth - 1, model.width, -1))


def unit_inputs(model: AbstractModel, theta: Array, X: Any) -> Array:
    """g of every unit. **Shape**: theta (..., P) -> (..., U)."""
    return _flat(theta, _inputs(model, theta, X))


def unit_scales(model: AbstractModel, theta: Array, X: Any) -> Array:
    """Norm of weights times norm of what comes in: the size that rounding of g is relative to. **Shape**: (..., U)."""
    assert isinstance(model, FullyConnected)  # noqa: S101
    layers, rows = model.layers(theta), X * 1.0
    found, incoming = [], (rows * rows).sum(-1) ** 0.5
    activations = rectified_layers.forward(layers, X, model.negative_slope).activations
    for matrix, activation in zip(layers[:-1], activations, strict=True):
        found.append((matrix * matrix).sum(-1)[..., None] ** 0.5 * incoming[..., None, :])
        incoming = (activation * activation).sum(-2) ** 0.5
    return _flat(theta, found)


def unit_forces(model: AbstractModel, theta: Array, X: Any, z: Array) -> Array:
    """d (z.f) / d activation of every unit, before its own slope: J^T z jumps by (1 - s) force grad g at its kink.

    **Shape**: z (..., N) -> (..., U).
    """
    assert isinstance(model, FullyConnected)  # noqa: S101
    layers = model.layers(theta)
    slopes = rectified_layers.forward(layers, X, model.negative_slope).slopes
    signals = rectified_layers.backward(layers, slopes, z[..., None, :])
    return _flat(theta, [W.mT @ G for W, G in zip(layers[1:], signals[1:], strict=True)])


def unit_normals(model: AbstractModel, theta: Array, X: Array, units: Array) -> Array:
    """grad g of some units of a two-layer network: x_n in the place of w_i. NumPy. **Shape**: (Q,) -> (Q, P).

    **Errors**: NotImplementedError at depth > 2, where it depends on theta.
    """
    assert isinstance(model, FullyConnected)  # noqa: S101
    if model.depth > 2:
        raise NotImplementedError("kinks of deeper networks are curved")
    neurons, samples = np.divmod(np.asarray(units), len(X))
    normals = np.zeros((len(neurons), model.size))
    columns = neurons[:, None] * model.dimension + np.arange(model.dimension)
    np.put_along_axis(normals, columns, X[samples], axis=1)
    return normals


def _inputs(model: AbstractModel, theta: Array, X: Any) -> list[Array]:
    assert isinstance(model, FullyConnected)  # noqa: S101
    layers = model.layers(theta)
    activations = rectified_layers.forward(layers, X, model.negative_slope).activations
    return [W @ H for W, H in zip(layers[:-1], [X.T, *activations[:-1]], strict=True)]


def _flat(theta: Array, parts: list[Array]) -> Array:
    xp = theta.__array_namespace__()
    return xp.concat([part.reshape(*part.shape[:-2], -1) for part in parts], axis=-1)
