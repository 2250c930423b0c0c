"""The output weights of networks of neurons, whose signs theory cares about."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from initshape.models.base import AbstractModel, Array
from initshape.models.fully_connected import FullyConnected
from initshape.models.single_neuron import SingleNeuron


def output_weights(model: AbstractModel, theta: Array) -> Array | None:
    """a_i of two layers of neurons; for a single neuron the product of its scalars; None for other networks.

    **Shape**: (m,), or (1,).
    """
    if isinstance(model, SingleNeuron):
        return np.atleast_1d(np.prod(model.scalars(np.asarray(theta))))
    if isinstance(model, FullyConnected) and model.depth == 2:
        return np.asarray(model.layers(np.asarray(theta))[1][0])
    return None


def flipped(model: AbstractModel, start: Array, end: Array) -> npt.NDArray[np.int64] | None:
    """Indices of the neurons whose output weights have another sign at the end than at the start (0 has none)."""
    before, after = output_weights(model, start), output_weights(model, end)
    if before is None or after is None:
        return None
    return np.flatnonzero(np.sign(before) * np.sign(after) < 0.0).astype(np.int64)
