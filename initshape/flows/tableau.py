"""Constants of Radau IIA, order 5, in the modes in which its stage systems separate.

A^-1 = FROM_MODES diag(SHIFT_REAL, SHIFT_COMPLEX, conj) TO_MODES: one real and one complex system instead of three
coupled ones. **Source**: Hairer and Wanner, Solving Ordinary Differential Equations II, section IV.8.
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from initshape.models import Array

_ROOT = 6.0**0.5

NODES = np.array([(4 - _ROOT) / 10, (4 + _ROOT) / 10, 1.0])
"""Collocation points c_i."""
ERROR_WEIGHTS = np.array([[-13 - 7 * _ROOT, -13 + 7 * _ROOT, -1.0]]) / 3
"""Weights of the stages in the embedded third-order formula, less the slope at the start."""
SHIFT_REAL = 3 + 3 ** (2 / 3) - 3 ** (1 / 3)
SHIFT_COMPLEX = 3 + 0.5 * (3 ** (1 / 3) - 3 ** (2 / 3)) - 0.5j * (3 ** (5 / 6) + 3 ** (7 / 6))
FROM_MODES = np.array(
    [
        [0.09443876248897524, -0.14125529502095421, 0.03002919410514742],
        [0.25021312296533332, 0.20412935229379994, -0.38294211275726192],
        [1.0, 1.0, 0.0],
    ]
)
TO_MODES = np.array(
    [
        [4.17871859155190428, 0.32768282076106237, 0.52337644549944951],
        [-4.17871859155190428, -0.32768282076106237, 0.47662355450055044],
        [0.50287263494578682, -2.57192694985560522, 0.59603920482822492],
    ]
)
TO_POLYNOMIAL = np.array(
    [
        [13 / 3 + 7 * _ROOT / 3, 13 / 3 - 7 * _ROOT / 3, 1 / 3],
        [-23 / 3 - 22 * _ROOT / 3, -23 / 3 + 22 * _ROOT / 3, -8 / 3],
        [10 / 3 + 5 * _ROOT, 10 / 3 - 5 * _ROOT, 10 / 3],
    ]
)
"""Stage increments to the coefficients of x, x^2, x^3, x in [0, 1] over the step."""


def combine(weights: np.ndarray[Any, np.dtype[np.float64]], rows: Array) -> Array:
    """weights @ rows for a small constant matrix, written out so that the compiler fuses it with its neighbours."""
    return jnp.stack([sum(float(c) * rows[j] for j, c in enumerate(line) if c != 0.0) for line in weights])
