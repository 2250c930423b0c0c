"""How many lanes fit on a device, and which numbers of lanes get a compiled program."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np

from initshape.flows.shapes import saved_rows
from initshape.models import AbstractModel

LARGEST = 1024
SHRINK = 4
"""A batch whose work has run out goes on with a quarter of its lanes: every size is a compilation."""
FREE_SHARE = 0.8
"""Of the free memory of a device; the rest is room for fragments and for what the estimate does not know."""
STATES_AT_ONCE = 3
"""Copies of the state while a block runs: before it, in its loop, and the choice between old and new."""
STAGE_VECTORS = 40
"""Vectors of P numbers that one attempt holds at most: stages, polynomials, defects and changes of three modes each."""


def free_memory() -> int | None:
    """Bytes that the device can still give, None where it does not say (CPU)."""
    stats = jax.local_devices()[0].memory_stats()
    if not stats or "bytes_limit" not in stats:
        return None
    return int(FREE_SHARE * (stats["bytes_limit"] - stats.get("bytes_in_use", 0)))


def lane_memory(model: AbstractModel, lane: Any) -> int:
    """Bytes that one lane needs while a block runs; `lane` is its tree of arrays, one lane's worth."""
    leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(lane)]
    samples = max((leaf.shape[-1] for leaf in leaves if leaf.dtype == np.complex128), default=0)
    kernel = samples * model.dimension + 4 * samples * samples
    rows = 3 * saved_rows(model.size) * (model.size + model.dimension)
    return STATES_AT_ONCE * sum(leaf.nbytes for leaf in leaves) + 8 * (kernel + rows + STAGE_VECTORS * model.size)


def batch_size(cells: int, lane: int, memory: int | None, largest: int = LARGEST) -> int:
    """The power of two that holds `cells`, or the largest one that `memory` and `largest` allow; at least 1.

    `lane` is the memory of one lane; no memory given: no bound by it.
    """
    bound = largest if memory is None else min(largest, memory // max(lane, 1))
    size = 1 << max(0, max(bound, 1).bit_length() - 1)
    return min(size, 1 << max(0, cells - 1).bit_length())


def shrunk(size: int, live: int) -> int:
    """The size to go on with when `live` lanes of `size` are left and nothing waits."""
    while size > SHRINK and live <= size // SHRINK:
        size //= SHRINK
    return size
