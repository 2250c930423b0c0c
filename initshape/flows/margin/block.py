"""The compiled block of a classification flow: a bounded number of attempted steps, and the saved states they cross."""

from __future__ import annotations

import threading
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from initshape.flows.kept import compile_or_load
from initshape.flows.margin.attempt import attempt, fraction_at
from initshape.flows.margin.observe import MarginRows, observe
from initshape.flows.margin.radau import interpolate
from initshape.flows.margin.state import MarginControls, MarginProblem, MarginState, Verdict
from initshape.flows.margin_loss import AbstractMarginLoss
from initshape.models import AbstractModel, Array


class BlockResult(NamedTuple):
    """State at the end, number and times (tau) of the saved rows, their statistics; unfilled rows mean nothing."""

    state: MarginState
    saved: Array
    times: Array
    rows: MarginRows


class _Buffer(NamedTuple):
    count: Array
    times: Array
    theta: Array


def advance(
    model: AbstractModel,
    loss: AbstractMarginLoss,
    rows: int,
    problem: MarginProblem,
    controls: MarginControls,
    state: MarginState,
    attempts: Array,
) -> BlockResult:
    """Goes on from `state` until a verdict, `attempts` attempted steps, or `rows` saved states.

    The cut between blocks changes no number: states that do not fit wait for the next block. The first three
    arguments are static.
    """

    def save(state: MarginState, buffer: _Buffer) -> tuple[MarginState, _Buffer]:
        def pending(now: tuple[Array, _Buffer]) -> Array:
            return (now[0] <= state.gamma) & (now[1].count < rows)

        def store(now: tuple[Array, _Buffer]) -> tuple[Array, _Buffer]:
            gamma, (count, times, theta) = now
            x = fraction_at(state, gamma)
            when = state.time - (1.0 - x) * state.memory.last_step
            times = lax.dynamic_update_index_in_dim(times, when, count, 0)
            theta = lax.dynamic_update_index_in_dim(theta, interpolate(state, x), count, 0)
            following = controls.first + (gamma - controls.first) * controls.save_ratio
            return following, _Buffer(count + 1, times, theta)

        following, buffer = lax.while_loop(pending, store, (state.next_save, buffer))
        return state._replace(next_save=following), buffer

    def waiting(state: MarginState) -> Array:
        return state.next_save <= state.gamma

    def going(now: tuple[MarginState, _Buffer, Array]) -> Array:
        state, buffer, count = now
        return ((state.verdict == Verdict.running) | waiting(state)) & (count < attempts) & (buffer.count < rows)

    def step(now: tuple[MarginState, _Buffer, Array]) -> tuple[MarginState, _Buffer, Array]:
        state, buffer, count = now
        moved = lax.cond(waiting(state), lambda: state, lambda: attempt(model, loss, problem, controls, state))
        return *save(moved, buffer), count + 1

    empty = _Buffer(jnp.int64(0), jnp.zeros(rows), jnp.zeros((rows, state.theta.shape[0])))
    end, buffer, _ = lax.while_loop(going, step, (state, empty, jnp.int64(0)))
    return BlockResult(end, buffer.count, buffer.times, observe(model, loss, problem, buffer.theta))


class Program(NamedTuple):
    """A compiled block, and the seconds that getting it took in this call (0.0 when it was at hand)."""

    run: Any
    compile_seconds: float


_programs: dict[Any, Any] = {}
_lock = threading.Lock()


def program(model: AbstractModel, loss: AbstractMarginLoss, rows: int, arguments: tuple[Any, ...]) -> Program:
    """The block for this model and these argument shapes; compiled at most once a process."""
    leaves, structure = jax.tree.flatten(arguments)
    key = (model, loss, rows, structure, tuple((leaf.shape, leaf.dtype.str) for leaf in leaves), jax.default_backend())
    with _lock:
        if key in _programs:
            return Program(_programs[key], 0.0)
        _programs[key], seconds, _ = compile_or_load(advance, (model, loss, rows), arguments)
        return Program(_programs[key], seconds)
