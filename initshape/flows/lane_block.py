"""The compiled block for many flows of one shape: in each round every lane that is under way attempts one step."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from initshape.flows.block import BlockResult
from initshape.flows.integrator import AbstractIntegrator
from initshape.flows.lane_cond import where_lane
from initshape.flows.loss import AbstractLoss
from initshape.flows.observe import observe
from initshape.flows.state import Controls, FlowState, Problem, Verdict
from initshape.flows.stopping import settle
from initshape.models import AbstractModel, Array


class LaneLimits(NamedTuple):
    """Where a block ends: after `rounds`, or when more than `idle` lanes that were under way at its start are not.

    `room` (B,) is the number of rows that each lane may save. Plain numbers: a change compiles nothing.
    """

    rounds: Array
    idle: Array
    room: Array


class _Carry(NamedTuple):
    state: FlowState
    count: Array
    times: Array
    theta: Array
    rounds: Array


def advance_lanes(
    model: AbstractModel,
    loss: AbstractLoss,
    integrator: AbstractIntegrator,
    rows: int,
    shared: bool,
    problem: Problem,
    controls: Controls,
    state: FlowState,
    limits: LaneLimits,
) -> BlockResult:
    """`block.advance` for B lanes, with a leading axis B on everything but the design where it is `shared`.

    Each lane goes through the same steps and saved rows as alone. One flat loop instead of the nested ones of a single
    run: nested ones would let every lane wait wherever one of them saves a row. Lanes with a verdict rest: what is
    computed for them is discarded, and asks for no kernel, no factors and one Newton iteration.
    """
    axes = Problem(*(None if shared and name == "X" else 0 for name in Problem._fields))

    def full(now: _Carry) -> Array:
        return now.count >= jnp.minimum(limits.room, rows)

    def pending(now: _Carry) -> Array:
        return (now.state.next_save <= now.state.time) & ~full(now)

    def under_way(now: _Carry) -> Array:
        return (now.state.verdict == Verdict.running) & (now.state.next_save > now.state.time)

    def store(now: _Carry) -> _Carry:
        waiting, state = pending(now), now.state
        lanes, slot = jnp.arange(len(waiting)), jnp.where(waiting, now.count, rows)
        saved = jax.vmap(integrator.interpolate)(state, state.next_save)
        following = jnp.where(waiting, state.next_save * controls.save_ratio, state.next_save)
        return now._replace(
            state=state._replace(next_save=following),
            count=now.count + waiting,
            # A slot beyond the last is dropped: lanes that save nothing now.
            times=now.times.at[lanes, slot].set(state.next_save, mode="drop", unique_indices=True),
            theta=now.theta.at[lanes, slot].set(saved, mode="drop", unique_indices=True),
        )

    def step(problem: Problem, controls: Controls, state: FlowState) -> FlowState:
        return settle(problem, controls, state, integrator.attempt(model, loss, problem, controls, state))

    def attempt(now: _Carry) -> _Carry:
        moving, state = under_way(now), now.state
        tried = _chosen(moving, state, jax.vmap(integrator.rest)(state))
        settled = jax.vmap(step, in_axes=(axes, 0, 0))(problem, controls, tried)
        return now._replace(state=_chosen(moving, settled, state), rounds=now.rounds + 1)

    def going(now: _Carry) -> Array:
        moving = under_way(now)
        return moving.any() & (now.rounds < limits.rounds) & ((started & ~moving).sum() <= limits.idle)

    def saved(now: _Carry) -> _Carry:
        return lax.while_loop(lambda now: pending(now).any(), store, now)

    lanes, parameters = state.theta.shape
    nothing = jnp.zeros(lanes, dtype=jnp.int64)
    start = saved(_Carry(state, nothing, jnp.zeros((lanes, rows)), jnp.zeros((lanes, rows, parameters)), jnp.int64(0)))
    started = under_way(start)
    end = lax.while_loop(going, lambda now: saved(attempt(now)), start)
    statistics: Any = jax.vmap(lambda problem, theta: observe(model, loss, problem, theta), in_axes=(axes, 0))
    return BlockResult(end.state, end.count, end.times, statistics(problem, end.theta))


def _chosen(lanes: Array, new: Any, old: Any) -> Any:
    """One tree of arrays in the chosen lanes, another in the rest."""
    return jax.tree.map(lambda a, b: where_lane(lanes, a, b), new, old)
