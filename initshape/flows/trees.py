"""State trees of compiled blocks as named arrays, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from initshape.training.checkpoint import Arrays, SnapshotError, part


def packed(name: str, tree: Any) -> Arrays:
    """The leaves of a tree on the host, under `name` and their numbers."""
    leaves = jax.device_get(jax.tree.leaves(tree))
    return {f"{name}.{k}": np.asarray(leaf) for k, leaf in enumerate(leaves)}


def unpacked(name: str, arrays: Mapping[str, Any], like: Any, *, resized: bool = False) -> Any:
    """A tree with the structure, shapes and types of `like`; `resized`: only the number of axes has to agree.

    **Errors**: SnapshotError.
    """
    leaves, structure = jax.tree.flatten(like)
    found = []
    for k, leaf in enumerate(leaves):
        array = part(arrays, f"{name}.{k}", None if resized else leaf)
        if array.ndim != np.ndim(leaf) or array.dtype != np.asarray(leaf).dtype:
            raise SnapshotError(f"{name}.{k} is of another kind")
        found.append(array)
    if f"{name}.{len(leaves)}" in arrays:
        raise SnapshotError(f"{name} has more parts than this flow")
    return jax.tree.unflatten(structure, found)
