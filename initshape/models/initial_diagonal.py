"""First parameters of a diagonal network."""

from __future__ import annotations

import numpy as np

from initshape.models.diagonal import Diagonal
from initshape.models.initial_values import GivenInit, InitializationError, Vector, factors, one_or_each
from initshape.spec.init import ExplicitInit, ScaleShape
from initshape.spec.model import Diagonal as DiagonalSpec


def initialize_diagonal(model: DiagonalSpec, init: GivenInit, dimension: int) -> tuple[Diagonal, Vector]:
    """Both branches by scale and shape, or every layer as given."""
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
    p, q = factors(one_or_each(scale, dimension), one_or_each(shape, dimension), layers=depth, large=1)
    return np.vstack([np.broadcast_to(p, (depth - 1, dimension)), q])


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
