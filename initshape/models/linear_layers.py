"""Products of weight matrices that end in a row, and their derivatives: linear networks with one output.

The matrices are never multiplied with each other or with the data: a row is carried down from the output and a
feature vector up from the input, so that every product costs O(P).

**Shape**: layers W_1 ... W_L, W_l (..., m_l, m_{l-1}), m_0 = d, m_L = 1.
"""

from __future__ import annotations

from collections.abc import Sequence

from initshape.models.base import Array

Layers = Sequence[Array]


def rows_above(layers: Layers) -> list[Array]:
    """r_l = W_L ... W_{l+1} for l = 0 ... L - 1, the signal that reaches layer l from the output; r_0 is the
    predictor. **Shape**: each (..., m_l)."""
    rows = [layers[-1][..., 0, :]]
    for matrix in reversed(layers[:-1]):
        rows.append((rows[-1][..., None, :] @ matrix)[..., 0, :])
    return rows[::-1]


def predictor(layers: Layers) -> Array:
    """w = W_L ... W_1. **Shape**: (..., d)."""
    return rows_above(layers)[0]


def predictor_change(layers: Layers, changes: Layers) -> Array:
    """sum_l W_L ... W_{l+1} dW_l W_{l-1} ... W_1. **Shape**: (..., d)."""
    row, moved = layers[-1], changes[-1]
    for matrix, change in zip(reversed(layers[:-1]), reversed(changes[:-1]), strict=True):
        row, moved = row @ matrix, moved @ matrix + row @ change
    return moved[..., 0, :]


def gradients(layers: Layers, gradient: Array) -> list[Array]:
    """d(w.g)/dW_l = r_l^T (W_{l-1} ... W_1 g)^T, layer by layer. **Shape**: g = `gradient` (..., d)."""
    rows, features = rows_above(layers), gradient
    found = []
    for row, matrix in zip(rows[1:], layers[:-1], strict=True):
        found.append(row[..., :, None] * features[..., None, :])
        features = (matrix @ features[..., None])[..., 0]
    return [*found, features[..., None, :]]


def kernel(layers: Layers, X: Array) -> Array:
    """sum_l ||r_l||^2 X (W_{l-1} ... W_1)^T (W_{l-1} ... W_1) X^T, with r_L = 1. **Shape**: (N, N)."""
    rows = rows_above(layers)
    total = (X * (rows[1] * rows[1]).sum()) @ X.T
    features = layers[0] @ X.T
    for row, matrix in zip(rows[2:], layers[1:-1], strict=True):
        total = total + (row * row).sum() * (features.T @ features)
        features = matrix @ features
    return total + features.T @ features
