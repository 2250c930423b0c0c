"""The kinks of piecewise linear networks: units, the branch that they select, and its derivatives at a kink.

A unit is one hidden neuron on one sample. Its input g is smooth in theta as long as no other unit changes its side;
the activation has slope 1 where g > 0 and s elsewhere. Fixed slopes (`Gated`) continue the network of one branch
smoothly past its kinks.

**Shape**: U = (L - 1) m N units, layer by layer, neuron by neuron, sample by sample.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from initshape.models import rectified_layers
from initshape.models.base import AbstractModel, Array
from initshape.models.fully_connected import FullyConnected


@dataclass(frozen=True)
class Gated:
    """X with the sides of all units: models use it as they use X, and take these sides instead of the inputs' own."""

    X: Any
    gates: Array

    __array_ufunc__ = None  # so that NumPy leaves `z @ X` to this class

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


def unit_forces(model: AbstractModel, theta: Array, X: Any, z: Array, held: Array | None = None) -> Array:
    """d (z.f) / d activation of every unit, before its own slope: J^T z jumps by (1 - s) force grad g at its kink.

    `held` is what units at their kinks pass down beyond their slope s, (slope - s) force, zero for all others.

    **Shape**: z (..., N), held (..., U) -> (..., U).
    """
    assert isinstance(model, FullyConnected)  # noqa: S101
    layers = model.layers(theta)
    slopes = rectified_layers.forward(layers, X, model.negative_slope).slopes
    more = [0.0] * len(slopes) if held is None else _by_layer(model, held)
    signal, forces = z[..., None, :], []
    for matrix, slope, extra in zip(reversed(layers[1:]), reversed(slopes), reversed(more), strict=True):
        forces.append(matrix.mT @ signal)
        signal = slope * forces[-1] + extra
    return _flat(theta, forces[::-1])


def unit_normals(model: AbstractModel, theta: Array, X: Any, units: Array) -> Array:
    """grad g of some units on the branch of X; at two layers x_n in the place of w_i, whatever theta.

    **Shape**: theta (..., P), units (Q,) -> (..., Q, P).
    """
    assert isinstance(model, FullyConnected)  # noqa: S101
    xp, layers, rows = theta.__array_namespace__(), model.layers(theta), X * 1.0
    passed = rectified_layers.forward(layers, X, model.negative_slope)
    layer, place = units // (model.width * len(rows)), units % (model.width * len(rows))
    neuron, sample = place // len(rows), place % len(rows)
    here = neuron[:, None] == xp.arange(model.width)
    signal, parts = None, [xp.zeros((*theta.shape[:-1], len(units), model.width))]
    for k in range(model.depth - 2, -1, -1):
        own = xp.where((layer == k)[:, None] & here, 1.0, 0.0)
        if signal is not None:
            own = own + (signal @ layers[k + 1]) * passed.slopes[k][..., sample].mT
        incoming = rows[sample] if k == 0 else passed.activations[k - 1][..., sample].mT
        outer = own[..., :, None] * incoming[..., None, :]
        outer = outer + xp.zeros((*theta.shape[:-1], 1, 1, 1))
        parts.append(outer.reshape(*outer.shape[:-2], outer.shape[-2] * outer.shape[-1]))
        signal = own
    return xp.concat(parts[::-1], axis=-1)


def unit_speeds(model: AbstractModel, theta: Array, X: Any, v: Array) -> Array:
    """dg of every unit for a change v of theta, grad g . v, on the branch of X. **Shape**: theta, v (P,) -> (U,)."""
    assert isinstance(model, FullyConnected)  # noqa: S101
    layers, changes = model.layers(theta), model.layers(v)
    passed = rectified_layers.forward(layers, X, model.negative_slope)
    speeds = [changes[0] @ X.T]
    for k in range(1, len(layers) - 1):
        carried = layers[k] @ (passed.slopes[k - 1] * speeds[-1])
        speeds.append(changes[k] @ passed.activations[k - 1] + carried)
    return _flat(theta, speeds)


def at_rest(model: AbstractModel, v: Array, units: Array, samples: int) -> Array:
    """Units whose normal cannot meet v: two layers, and the weights of their neuron do not move. **Shape**: (Q,)."""
    assert isinstance(model, FullyConnected)  # noqa: S101
    if curved(model):
        return np.zeros(len(units), dtype=np.bool_)
    still: Array = ~np.any(model.layers(v)[0], axis=1)
    return still[units // samples]


class Beyond(NamedTuple):
    """Sides just beyond the kinks, units that get no signal at all, and which units at their kinks could feed others.

    **Shape**: sides, starved (U,); sources: an array of units for each sample that is fed by units at their kinks only.
    """

    sides: Array
    starved: Array
    sources: list[Array]


def beyond(
    model: AbstractModel, theta: Array, X: Array, sides: Array, at_kink: Array, leaders: Collection[int] = ()
) -> Beyond:
    """What is above the kinks at which the units `at_kink` are. NumPy.

    At a kink a unit sends no signal. Units above that get none from elsewhere are on the sides that its first signal,
    a positive one, puts them on; where several units could send it, that of the one in `leaders`, else nothing comes.

    **Shape**: sides, at_kink (U,) of bool.
    """
    assert isinstance(model, FullyConnected)  # noqa: S101
    layers, count = model.layers(theta), len(X)
    sides, reached = sides.reshape(-1, model.width, count).copy(), at_kink.reshape(-1, model.width, count)
    starved = np.zeros_like(sides)
    sources = []
    signal = X.T
    for k, matrix in enumerate(layers[:-1]):
        empty = ~np.any(signal, axis=0)
        starved[k:, :, empty] = True
        signal = np.where(sides[k], 1.0, model.negative_slope) * (matrix @ signal)
        signal[reached[k]] = 0.0
        if k == len(sides) - 1:
            break
        for n in np.flatnonzero(~np.any(signal, axis=0) & ~empty):
            first = np.flatnonzero(reached[k, :, n])
            units = (k * model.width + first) * count + n
            if len(first) == 0:
                continue
            sources.append(units)
            leading = first if len(first) == 1 else first[np.isin(units, list(leaders))]
            sides[k + 1 :, :, n] = False
            if len(leading):
                _pulse(model, layers, sides, k, int(leading[0]), int(n))
    return Beyond(sides.reshape(-1), starved.reshape(-1), sources)


def _pulse(model: FullyConnected, layers: Sequence[Array], sides: Array, layer: int, neuron: int, sample: int) -> None:
    """Sets the sides above one unit to those that its signal alone gives."""
    pulse = np.eye(model.width)[neuron]
    for above in range(layer + 1, len(sides)):
        pulse = layers[above] @ pulse
        on = pulse > 0.0
        sides[above, :, sample] = on
        pulse = np.where(on, 1.0, model.negative_slope) * pulse


def curved(model: AbstractModel) -> bool:
    """Whether normals of kinks depend on theta."""
    assert isinstance(model, FullyConnected)  # noqa: S101
    return model.depth > 2


def _by_layer(model: FullyConnected, units: Array) -> list[Array]:
    """**Shape**: (..., U) -> (..., m, N) for each hidden layer."""
    shaped = units.reshape(*units.shape[:-1], model.depth - 1, model.width, -1)
    return [shaped[..., k, :, :] for k in range(model.depth - 1)]


def _inputs(model: AbstractModel, theta: Array, X: Any) -> list[Array]:
    assert isinstance(model, FullyConnected)  # noqa: S101
    layers = model.layers(theta)
    activations = rectified_layers.forward(layers, X, model.negative_slope).activations
    return [W @ H for W, H in zip(layers[:-1], [X.T, *activations[:-1]], strict=True)]


def _flat(theta: Array, parts: list[Array]) -> Array:
    xp = theta.__array_namespace__()
    return xp.concat([part.reshape(*part.shape[:-2], -1) for part in parts], axis=-1)
