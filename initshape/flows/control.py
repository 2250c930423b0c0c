"""Step-size control: the predictive controller of Gustafsson, and the last step clipped to max_time."""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import lax

from initshape.flows.state import Controls, FlowState
from initshape.models import Array

SMALLEST_FACTOR, LARGEST_FACTOR = 0.2, 10.0
HOLD_BELOW = 1.2
"""A growth by less than this is not worth a new factorisation."""
_LEADING_BITS = -1 << 47


class Step(NamedTuple):
    """The step to try: its size, the time it ends at, and whether that is max_time."""

    size: Array
    end: Array
    last: Array


def clip_to_end(state: FlowState, controls: Controls) -> Step:
    """The proposed step, shortened so that max_time is hit exactly."""
    last = state.time + state.step >= controls.max_time
    end = jnp.where(last, controls.max_time, state.time + state.step)
    return Step(jnp.where(last, end - state.time, state.step), end, last)


def growth(error: Array, step: Array, last_error: Array, last_step: Array, safety: Array) -> Array:
    """Factor for the next step from this and the last accepted error (zero: none yet).

    **Source**: Gustafsson 1994; Hairer and Wanner II, section IV.8, equations (8.25), (8.26), order 4.
    """
    known = (last_step > 0) & (last_error > 0)
    trend = step / jnp.where(known, last_step, 1.0) * (last_error / jnp.maximum(error, 1e-300)) ** 0.25
    factor = safety * jnp.where(known, jnp.minimum(1.0, trend), 1.0) * jnp.maximum(error, 1e-16) ** -0.25
    return jnp.clip(factor, SMALLEST_FACTOR, LARGEST_FACTOR)


def rounded_down(step: Array) -> Array:
    """The step with the five leading bits of its fraction, at most 3 % shorter.

    An error estimate is known to about eps/rtol only, and steps that followed its last digits would carry that noise
    into every time: two runs whose sums are only ordered differently (another batch, another device) would agree to
    1e-8 where their states agree to 1e-14. On a coarse grid they take the same steps.
    """
    bits = lax.bitcast_convert_type(jnp.asarray(step, dtype=np.float64), np.int64)
    return lax.bitcast_convert_type(bits & np.int64(_LEADING_BITS), np.float64)
