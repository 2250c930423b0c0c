"""From the spec of a model and its initialization to the model and its first parameters."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from initshape.models.base import AbstractModel
from initshape.models.diagonal import Diagonal
from initshape.spec.init import ExplicitInit, InitSpec, ScaleShape
from initshape.spec.model import ModelSpec

Vector = npt.NDArray[np.float64]


class InitializationError(ValueError):
    """Arrays of an initialization that do not fit the model."""


def initialize(model: ModelSpec, init: InitSpec, dimension: int) -> tuple[AbstractModel, Vector]:
    """The model on `dimension` features and theta(0).

    **Errors**: InitializationError when lists do not have one entry a coordinate, or named arrays are missing.
    """
    network = Diagonal(depth=model.depth, dimension=dimension)
    if isinstance(init, ScaleShape):
        branch = scale_shape_layers(init.scale, init.shape, model.depth, dimension)
        return network, np.concatenate([branch, branch]).reshape(-1)
    return network, explicit_layers(init, model.depth, dimension).reshape(-1)


def scale_shape_layers(
    scale: float | tuple[float, ...], shape: float | tuple[float, ...], depth: int, dimension: int
) -> Vector:
    """Layers of one branch with product alpha = `scale` and normalised difference s = `shape` of the two factors.

    Layers 1..L-1 are p, the last is r p, with r = (1 + s)/(1 - s) and p = (alpha/r)^(1/L): at depth 2 alpha = p q and
    s = (q - p)/(q + p). **Shape**: (L, d). **Source**: Azulay et al. 2021, section 3.
    """
    alpha, s = (_per_coordinate(value, dimension) for value in (scale, shape))
    if not (np.all(alpha > 0.0) and np.all(np.abs(s) < 1.0)):
        raise InitializationError("scale must be positive and shape inside (-1, 1)")
    r = (1.0 + s) / (1.0 - s)
    p = (alpha / r) ** (1.0 / depth)
    return np.vstack([np.broadcast_to(p, (depth - 1, dimension)), r * p])


def explicit_layers(init: ExplicitInit, depth: int, dimension: int) -> Vector:
    """[plus, minus] x layers x coordinates from the named arrays. **Shape**: (2, L, d)."""
    if init.plus is not None and init.minus is not None:
        branches = [init.plus, init.minus]
    elif None not in (init.u_plus, init.v_plus, init.u_minus, init.v_minus) and depth == 2:
        branches = [(init.u_plus, init.v_plus), (init.u_minus, init.v_minus)]  # type: ignore[list-item]
    else:
        raise InitializationError("explicit initialization needs u_plus, v_plus, u_minus, v_minus, or plus and minus")
    try:
        layers = np.array(branches, dtype=np.float64)
    except ValueError as error:
        raise InitializationError("the layers of an initialization must have one length") from error
    if layers.shape != (2, depth, dimension):
        raise InitializationError(f"expected {depth} layers of {dimension} coordinates, got {layers.shape[1:]}")
    return layers


def _per_coordinate(value: float | tuple[float, ...], dimension: int) -> Vector:
    values = np.asarray(value, dtype=np.float64)
    if values.shape not in ((), (dimension,)):
        raise InitializationError(f"expected one number or {dimension}, got {values.size}")
    return np.broadcast_to(values, (dimension,))
