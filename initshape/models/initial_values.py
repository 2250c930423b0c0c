"""What the initializations of all families share."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from initshape.datasets.streams import stream
from initshape.spec.init import ExplicitInit, ScaleShape

Vector = npt.NDArray[np.float64]
GivenInit = ScaleShape | ExplicitInit
"""What the families know: `initialize` has opened an uploaded initialization before."""


class InitializationError(ValueError):
    """Arrays of an initialization that do not fit the model."""


def one_or_each(value: float | tuple[float, ...], count: int) -> Vector:
    """One number for all, or one for each of `count`. **Shape**: (count,)."""
    values = np.asarray(value, dtype=np.float64)
    if values.shape not in ((), (count,)):
        raise InitializationError(f"expected one number or {count}, got {values.size}")
    return np.broadcast_to(values, (count,))


def factors(scale: Vector, shape: Vector, layers: int, large: int) -> tuple[Vector, Vector]:
    """p, and r p for `large` of the `layers`, with product alpha = `scale` and r = (1 + s)/(1 - s), s = `shape`.

    With two layers alpha = p q and s = (q - p)/(q + p). **Source**: Azulay et al. 2021.
    """
    if not (np.all(scale > 0.0) and np.all(np.abs(shape) < 1.0)):
        raise InitializationError("scale must be positive and shape inside (-1, 1)")
    r = (1.0 + shape) / (1.0 - shape)
    p = (scale / r**large) ** (1.0 / layers)
    return p, r * p


def unit(vector: npt.ArrayLike) -> Vector:
    """Along the last axis. **Errors**: InitializationError for a zero vector."""
    array = np.asarray(vector, dtype=np.float64)
    largest = np.max(np.abs(array), axis=-1, keepdims=True)
    if not np.all(largest > 0.0):
        raise InitializationError("a zero vector has no direction")
    scaled = array / largest
    norm: Vector = np.sqrt(np.sum(scaled * scaled, axis=-1, keepdims=True))
    return np.asarray(scaled / norm)


def drawn_directions(seed: int, name: str, count: int, dimension: int) -> Vector:
    """Uniform on the unit sphere, from the stream of this name; more of them change none. **Shape**: (count, d)."""
    return unit(stream(seed, f"init {name}").standard_normal((count, dimension)))


def drawn_signs(seed: int, name: str, count: int) -> Vector:
    """-1 or 1, from the stream of this name; more of them change none. **Shape**: (count,)."""
    return np.where(stream(seed, f"init {name}").randint(0, 2, size=count) == 1, 1.0, -1.0)


def given(name: str, value: object, shape: tuple[int, ...]) -> Vector:
    """An explicit array. **Errors**: InitializationError where it is missing, ragged or of another shape."""
    if value is None:
        raise InitializationError(f"explicit initialization needs {name}")
    try:
        array = np.array(value, dtype=np.float64)
    except ValueError as error:
        raise InitializationError(f"the rows of {name} must have one length") from error
    if array.shape != shape:
        raise InitializationError(f"expected {name} of shape {shape}, got {array.shape}")
    return array
