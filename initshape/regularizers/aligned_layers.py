"""Networks whose layers are rank one and fit together: they train as a single neuron behind scalars."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from initshape.regularizers.base import Array


@dataclass(frozen=True, eq=False)
class AlignedLayers:
    """W_l = s_l u_{l+1} u_l^T for l >= 2 and W_1 = u_2 v^T, with unit vectors u_l, u_{L+1} = 1, up to `deviation`.

    The gradient of each layer has the same two directions, so the flow keeps this form and is that of f = s_2 ... s_L
    v.x. Clones (a, w) and (-a, -w), networks of width 1, two layers with W_1 = 0 and all strictly balanced networks
    are of this form.

    **Shape**: scalars (L - 1,), the sizes s_2 ... s_L; weights = v (d,). `deviation` is the largest distance of a
    layer from this form, relative to the layer.
    """

    scalars: Array
    weights: Array
    deviation: float

    @property
    def spread(self) -> float:
        """Relative difference of the largest and the smallest of the layer norms: 0 where strictly balanced."""
        sizes = np.append(np.abs(self.scalars), np.linalg.norm(self.weights))
        largest = float(np.max(sizes))
        return float((largest - np.min(sizes)) / largest) if largest > 0.0 else 0.0


def aligned(layers: Sequence[Array]) -> AlignedLayers:
    """The nearest aligned form, found from the output down. **Shape**: W_1 ... W_L, the last (1, m).

    Width 1 keeps the signs of its scalars; else they go into the directions.
    """
    if layers[0].shape[0] == 1:
        return AlignedLayers(np.array([W[0, 0] for W in layers[1:]]), layers[0][0], 0.0)
    up, deviation, scalars = np.ones(1), 0.0, []
    for below, W in zip(reversed(layers[:-1]), reversed(layers[1:]), strict=True):
        row = up @ W
        size = float(np.linalg.norm(row))
        deviation = max(deviation, _distance(W, np.outer(up, row)))
        scalars.append(size)
        up = row / size if size > 0.0 else _main_direction(below)
    weights = up @ layers[0]
    deviation = max(deviation, _distance(layers[0], np.outer(up, weights)))
    return AlignedLayers(np.array(scalars[::-1]), weights, deviation)


def _distance(W: Array, other: Array) -> float:
    size = float(np.linalg.norm(W))
    return float(np.linalg.norm(W - other)) / size if size > 0.0 else 0.0


def _main_direction(W: Array) -> Array:
    """Where the rows above are zero any direction will do; the layer below may be aligned with this one only."""
    return np.asarray(np.linalg.svd(W, full_matrices=False)[0][:, 0])
