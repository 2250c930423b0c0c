"""A branch under `vmap`: what it computes, and that its costly side waits until some lane asks for it."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from initshape.flows.lane_cond import lane_cond

pytestmark = pytest.mark.timeout(120, method="thread")


def costly(x: Any, y: Any) -> Any:
    """2 x + y, after longer than any test may take."""
    ended = lax.while_loop(lambda k: k < 10**15, lambda k: k + 1 + jnp.int64(abs(x.sum()) > 1e300), jnp.int64(0))
    return 2 * x + y + 0 * ended


def cheap(x: Any, y: Any) -> Any:
    return 2 * x + y


def kept(x: Any, y: Any) -> Any:
    return x


X, Y = jnp.arange(6.0).reshape(3, 2), jnp.array([10.0, 20.0])


def test_lanes_choose_for_themselves() -> None:
    chosen = jnp.array([True, False, True])
    found = jax.jit(jax.vmap(lambda p, x: lane_cond(p, cheap, kept, x, Y)))(chosen, X)
    np.testing.assert_array_equal(found, np.where(np.array(chosen)[:, None], 2 * X + Y, X))


def test_a_predicate_that_all_lanes_share() -> None:
    for chosen in (True, False):
        found = jax.jit(jax.vmap(lambda x, p=chosen: lane_cond(jnp.bool_(p), cheap, kept, x, Y)))(X)
        np.testing.assert_array_equal(found, 2 * X + Y if chosen else X)


def test_alone_it_is_the_ordinary_branch() -> None:
    for chosen in (True, False):
        found = jax.jit(lambda p: lane_cond(p, cheap, kept, X[0], Y))(chosen)
        np.testing.assert_array_equal(found, 2 * X[0] + Y if chosen else X[0])


def test_what_no_lane_asks_for_is_not_computed() -> None:
    found = jax.jit(jax.vmap(lambda p, x: lane_cond(p, costly, kept, x, Y)))(jnp.zeros(3, dtype=bool), X)
    np.testing.assert_array_equal(found, X)
