"""The compiled block: a bounded number of attempted steps, with the statistics of the saved times that they cross."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from initshape.flows.integrator import AbstractIntegrator
from initshape.flows.loss import AbstractLoss
from initshape.flows.observe import observe
from initshape.flows.state import Controls, FlowState, Problem, Verdict
from initshape.flows.stopping import settle
from initshape.models import AbstractModel, Array
from initshape.training.trajectory import Rows

SMALL_BUFFER = 2**17
"""Numbers in a buffer of saved states whose statistics cost less than finding out which rows are filled."""
PIECE = 4
"""Rows of a large buffer that are reduced to statistics together; divides `saved_rows`."""


class BlockResult(NamedTuple):
    """State at the end, number and times of the saved rows, and their statistics; unfilled rows are meaningless."""

    state: FlowState
    saved: Array
    times: Array
    rows: Rows


class _Buffer(NamedTuple):
    count: Array
    times: Array
    theta: Array


class _Carry(NamedTuple):
    state: FlowState
    buffer: _Buffer
    attempts: Array


def advance(
    model: AbstractModel,
    loss: AbstractLoss,
    integrator: AbstractIntegrator,
    rows: int,
    problem: Problem,
    controls: Controls,
    state: FlowState,
    attempts: Array,
    room: Array,
) -> BlockResult:
    """Goes on from `state` until a verdict, `attempts` attempted steps, or `room` <= `rows` saved states.

    The cut between blocks changes no number: rows that do not fit wait for the next block. The first four arguments
    are static. All rows of a block go through one matrix product at its end.
    """

    def pending(now: _Carry) -> Array:
        return (now.state.next_save <= now.state.time) & (now.buffer.count < room)

    def store(now: _Carry) -> _Carry:
        state, (count, times, theta) = now.state, now.buffer
        times = lax.dynamic_update_index_in_dim(times, state.next_save, count, 0)
        theta = lax.dynamic_update_index_in_dim(theta, integrator.interpolate(state, state.next_save), count, 0)
        following = state._replace(next_save=state.next_save * controls.save_ratio)
        return now._replace(state=following, buffer=_Buffer(count + 1, times, theta))

    def going(now: _Carry) -> Array:
        running = (now.state.verdict == Verdict.running) & (now.attempts < attempts)
        return running & (now.state.next_save > now.state.time)

    def step(now: _Carry) -> _Carry:
        attempt = integrator.attempt(model, loss, problem, controls, now.state)
        return now._replace(state=settle(problem, controls, now.state, attempt), attempts=now.attempts + 1)

    def save_and_go(now: _Carry) -> _Carry:
        return lax.while_loop(going, step, lax.while_loop(pending, store, now))

    buffer = _Buffer(jnp.int64(0), jnp.zeros(rows), jnp.zeros((rows, state.theta.shape[0])))
    start = _Carry(state, buffer, jnp.int64(0))
    end = lax.while_loop(lambda now: pending(now) | going(now), save_and_go, start)
    return BlockResult(end.state, end.buffer.count, end.buffer.times, _observed(model, loss, problem, end.buffer))


def _observed(model: AbstractModel, loss: AbstractLoss, problem: Problem, buffer: _Buffer) -> Rows:
    """Statistics of the saved states: of all rows at once, or, where states are large, of the filled ones only."""
    if buffer.theta.size <= SMALL_BUFFER:
        return observe(model, loss, problem, buffer.theta)

    def piece(k: Array, found: Rows) -> Rows:
        states = lax.dynamic_slice_in_dim(buffer.theta, k * PIECE, PIECE)
        rows = observe(model, loss, problem, states)
        pairs = zip(found, rows, strict=True)
        return Rows(*(lax.dynamic_update_slice_in_dim(every, some, k * PIECE, 0) for every, some in pairs))

    shapes = jax.eval_shape(lambda theta: observe(model, loss, problem, theta), buffer.theta)
    nothing = Rows(*(jnp.zeros(found.shape, found.dtype) for found in shapes))
    filled: Rows = lax.fori_loop(0, -(-buffer.count // PIECE), piece, nothing)
    return filled
