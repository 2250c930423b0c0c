"""A branch that stays a branch when many lanes take it at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.custom_batching import custom_vmap

from initshape.models import Array


def lane_cond(predicate: Array, if_true: Callable[..., Any], if_false: Callable[..., Any], *operands: Any) -> Any:
    """`lax.cond`, whose costly side `if_true` runs under `vmap` only in rounds in which some lane asks for it.

    Plain `lax.cond` under `vmap` computes both sides for every lane, every time. `if_false` must be cheap: it is always
    computed. Both see the operands only, and close over nothing that has lanes; results are trees of arrays.
    """

    def chosen(predicate: Array, *operands: Any) -> Any:
        return lax.cond(predicate, if_true, if_false, *operands)

    def many(_: int, batched: list[Any], predicate: Array, *operands: Any) -> tuple[Any, Any]:
        axes = jax.tree.map(lambda has_lanes: 0 if has_lanes else None, tuple(batched[1:]))
        kept = jax.vmap(if_false, in_axes=axes)(*operands)

        def some() -> Any:
            new = jax.vmap(if_true, in_axes=axes)(*operands)
            return jax.tree.map(lambda a, b: where_lane(predicate, a, b), new, kept)

        result = lax.cond(predicate.any(), some, lambda: kept)
        return result, jax.tree.map(lambda _: True, result)

    by_lane: Any = custom_vmap(chosen)
    by_lane.def_vmap(many)
    return by_lane(predicate, *operands)


def where_lane(lanes: Array, new: Array, old: Array) -> Array:
    """`new` in the chosen lanes, `old` in the others. **Shape**: lanes (B,), new and old (B, ...)."""
    lanes = jnp.broadcast_to(lanes, new.shape[:1])
    return jnp.where(lanes.reshape(lanes.shape + (1,) * (new.ndim - 1)), new, old)
