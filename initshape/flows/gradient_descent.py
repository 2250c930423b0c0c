"""Gradient descent with a finite step: what papers run, for comparison with the flow that it approximates."""

from __future__ import annotations

import copy
import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from initshape.flows.kept import compile_or_load
from initshape.flows.loss import SquareLoss
from initshape.flows.minibatch import Batches, FullBatch, MiniBatches
from initshape.flows.observe import observe
from initshape.flows.start import Start, start
from initshape.flows.trees import packed, unpacked
from initshape.models import AbstractModel, Array
from initshape.spec.outcome import Outcome
from initshape.training.checkpoint import NOWHERE, Checkpoints, Snapshot, scalar
from initshape.training.settings import Floats, FlowProgress, FlowSolution
from initshape.training.trajectory import Recorder, Rows, named

NAME = "gradient_descent"
LARGEST_BLOCK = 8192
BLOCK_SECONDS = 0.15
DIVERGED = 1e8
"""The iterates have left every bounded region once the residual is this many times its start, or its target's size."""


@dataclass(frozen=True)
class DescentSettings:
    """Step size eta, heavy-ball momentum beta in [0, 1), batch size (None: all samples) and its seed; stop rules.

    `max_time` is in units of flow time, eta times the number of steps (over 1 - beta with momentum).
    """

    step_size: float
    momentum: float = 0.0
    batch_size: int | None = None
    seed: int = 0
    relative_residual: float = 1e-10
    max_time: float = 1e9
    max_steps: int = 20_000_000
    max_seconds: float = 3600.0
    points: int = 200

    @property
    def time_per_step(self) -> float:
        """Flow time of one step: heavy ball follows the flow 1/(1 - beta) times faster."""
        return self.step_size / (1.0 - self.momentum)


class DescentState(NamedTuple):
    """Iterate, velocity, steps done; the iterate's residual on all samples, and its relative size."""

    theta: Array
    velocity: Array
    steps: Array
    residual: Array
    relative_residual: Array


def descend(
    model: AbstractModel,
    theta0: Floats,
    X: Floats,
    y: Floats,
    settings: DescentSettings,
    *,
    observers: Mapping[str, Floats] | None = None,
    coordinates: Sequence[int] = (),
    on_progress: Callable[[FlowProgress], None] | None = None,
    checkpoints: Checkpoints = NOWHERE,
) -> FlowSolution:
    """theta <- theta + v, v <- momentum v - step_size grad L(theta), from theta0 to a stop rule.

    A step that makes the residual larger than 1e8 times its start, or not finite, ends the run as `diverged`, at the
    last iterate before it. Saved times are whole steps, spaced evenly in log time. **Shape**: as `integrate`.
    **Errors**: ValueError for arrays that do not fit.
    """
    clock = time.perf_counter()
    targets = dict(observers or {})
    with np.errstate(over="ignore", invalid="ignore"):
        begin = start(model, SquareLoss(), theta0, X, y, targets, coordinates)
        run = _Descent(begin, settings, on_progress or (lambda progress: None), checkpoints)
        stopped_by = run.go()
        theta = np.asarray(run.state.theta)
        rows = [observe(model, begin.loss, begin.problem, state[None]) for state in (begin.theta, theta)]
    steps = int(run.state.steps)
    times, history = run.recorder.finish(rows[0], rows[1], steps * settings.time_per_step)
    return FlowSolution(
        outcome=_OUTCOMES[stopped_by],
        stopped_by=stopped_by,
        theta=theta,
        time=steps * settings.time_per_step,
        steps=steps,
        completion=None,
        train_loss=float(rows[1].train_loss[0]),
        relative_residual=float(rows[1].relative_residual[0]),
        invariant_drift=float(rows[1].invariant_drift[0]),
        seconds=run.earlier + time.perf_counter() - clock - run.compile_seconds,
        compile_seconds=run.compile_seconds,
        integrator=NAME,
        trajectory=named(times, history, tuple(targets), begin.problem.coordinates),
        effort={"blocks": run.blocks},
        resumed_from=run.resumed_from,
    )


_OUTCOMES = {
    "relative_residual": Outcome.converged,
    "max_time": Outcome.reached_max_time,
    "max_steps": Outcome.reached_max_steps,
    "max_seconds": Outcome.out_of_time,
    "diverged": Outcome.diverged,
    "stationary": Outcome.saddle,
    "nonfinite": Outcome.nonfinite,
}


class _Descent:
    """The outer loop: blocks of steps that end at saved times, and what is checked between them."""

    def __init__(
        self,
        begin: Start,
        settings: DescentSettings,
        on_progress: Callable[[FlowProgress], None],
        checkpoints: Checkpoints,
    ) -> None:
        self._begin, self._settings, self._on_progress = begin, settings, on_progress
        self._save_snapshot = checkpoints.save
        unit = settings.time_per_step
        self.recorder = Recorder(settings.points, begin.rate, settings.max_time)
        self._next_save = max(self.recorder.first, unit)
        self._batches: Batches = (
            FullBatch()
            if settings.batch_size is None or settings.batch_size == len(begin.problem.y)
            else MiniBatches(len(begin.problem.y), settings.batch_size, settings.seed)
        )
        zero = np.zeros_like(begin.theta)
        residual = begin.problem.y - np.asarray(begin.model.outputs(begin.theta, begin.problem.X))
        self.state = DescentState(begin.theta, zero, np.int64(0), residual, np.float64(begin.relative_residual))
        self.compile_seconds, self.blocks = 0.0, 0
        self._largest_block = 64
        steps_by_time = math.floor(settings.max_time / unit * (1 + 1e-12))
        self._last, self._last_rule = min((settings.max_steps, "max_steps"), (max(steps_by_time, 1), "max_time"))
        self.earlier, self._clock = 0.0, time.perf_counter()
        self.resumed_from = checkpoints.restore(self._restore)

    def go(self) -> str:
        """Runs to the rule that ends it, and returns its name."""
        begin, settings = self._begin, self._settings
        if not np.isfinite(begin.relative_residual):
            return "nonfinite"
        if begin.relative_residual <= settings.relative_residual:
            return "relative_residual"
        if not np.any(begin.slope):
            return "stationary"
        last_report = 0.0
        if self.resumed_from is not None:
            self._on_progress(self._progress())
        while True:
            rule = self._block()
            now = self._spent()
            if rule is None and now > settings.max_seconds:
                rule = "max_seconds"
            if rule is None:
                self._save_snapshot(self._snapshot)
            if rule is not None or now - last_report > BLOCK_SECONDS:
                last_report = now
                self._on_progress(self._progress())
            if rule is not None:
                return rule

    def _spent(self) -> float:
        """Seconds of this run, with those before it was interrupted."""
        return self.earlier + time.perf_counter() - self._clock - self.compile_seconds

    def _snapshot(self) -> Snapshot:
        numbers = {
            "next_save": self._next_save,
            "largest_block": self._largest_block,
            "blocks": self.blocks,
            "seconds": self._spent(),
        }
        arrays = packed("state", self.state) | self.recorder.snapshot() | self._batches.snapshot()
        arrays |= {name: np.asarray(value) for name, value in numbers.items()}
        return Snapshot(NAME, int(self.state.steps), self._progress().fraction, arrays)

    def _restore(self, snapshot: Snapshot) -> None:
        arrays = snapshot.arrays_of(NAME)
        state = unpacked("state", arrays, self.state)
        numbers = [scalar(arrays, name) for name in ("next_save", "largest_block", "blocks", "seconds")]
        recorder = copy.copy(self.recorder)
        recorder.restore(arrays)
        self._batches.restore(arrays)
        self.state, self.recorder = state, recorder
        self._next_save, self._largest_block, self.blocks, self.earlier = numbers

    def _block(self) -> str | None:
        settings, unit = self._settings, self._settings.time_per_step
        done = int(self.state.steps)
        wanted = max(math.ceil(self._next_save / unit - 1e-9), done + 1)
        count = min(wanted - done, self._last - done, self._largest_block)
        batch = self._batches.take(count, self._largest_block)
        run = self._compiled(batch)
        before = time.perf_counter()
        limit = DIVERGED * max(self._begin.relative_residual, 1.0)
        goal = np.float64(settings.relative_residual)
        self.state, diverged = run(self.state, np.int64(count), goal, np.float64(limit), batch)
        self.state = DescentState(*(np.asarray(part) for part in self.state))
        seconds = time.perf_counter() - before
        self.blocks += 1
        if count == self._largest_block and seconds < BLOCK_SECONDS and self._largest_block < LARGEST_BLOCK:
            self._largest_block = LARGEST_BLOCK  # two sizes only: each compiles a program of its own with mini-batches
        done = int(self.state.steps)
        self._save(done * unit)
        if bool(diverged):
            return "diverged"
        if float(self.state.relative_residual) <= settings.relative_residual:
            return "relative_residual"
        return self._last_rule if done >= self._last else None

    def _save(self, now: float) -> None:
        if now < self._next_save * (1 - 1e-12):
            return
        row: Rows = observe(
            self._begin.model, self._begin.loss, self._begin.problem, np.asarray(self.state.theta)[None]
        )
        following = self.recorder.add(np.array([now]), row)
        self._next_save = following if following is not None else now * self.recorder.ratio

    def _compiled(self, batch: Any) -> Callable[..., Any]:
        begin, settings = self._begin, self._settings
        problem = begin.problem
        constants = (
            problem.X,
            problem.y,
            problem.y_norm,
            np.float64(settings.step_size),
            np.float64(settings.momentum),
        )
        run, seconds = _program(begin.model, type(self._batches), constants, self.state, batch)
        self.compile_seconds += seconds
        return run

    def _progress(self) -> FlowProgress:
        residual, wanted = float(self.state.relative_residual), self._settings.relative_residual
        first = max(self._begin.relative_residual, wanted * (1 + 1e-12))
        fallen = math.log(first / max(residual, wanted)) / math.log(first / wanted)
        steps = int(self.state.steps)
        fraction = min(max(fallen, steps / self._last, 0.0), 1.0)
        return FlowProgress(steps * self._settings.time_per_step, steps, residual, fraction)


_lock = threading.Lock()


_programs: dict[Any, Any] = {}


def _program(
    model: AbstractModel, batches: type[Batches], constants: tuple[Any, ...], state: DescentState, batch: Any
) -> tuple[Callable[..., Any], float]:
    """The block for these shapes, and the seconds that getting it took now."""
    shapes = tuple(np.shape(leaf) for leaf in jax.tree.leaves((constants, state, batch)))
    key = (model, batches, shapes)
    seconds = 0.0
    with _lock:
        if key not in _programs:
            arguments = (*constants, state, np.int64(1), np.float64(0.0), np.float64(1.0), batch)
            _programs[key], seconds, _ = compile_or_load(_advance, (model, batches), arguments)
        compiled = _programs[key]
    return lambda *arguments: compiled(*constants, *arguments), seconds


def _advance(
    model: AbstractModel,
    batches: type[Batches],
    X: Array,
    y: Array,
    y_norm: Array,
    step_size: Array,
    momentum: Array,
    state: DescentState,
    count: Array,
    goal: Array,
    limit: Array,
    batch: Any,
) -> tuple[DescentState, Array]:
    """At most `count` steps; ends at the first iterate that reaches `goal`, and before a step beyond `limit`."""
    last = state.steps + count

    class Carry(NamedTuple):
        state: DescentState
        diverged: Array

    def going(now: Carry) -> Array:
        return (now.state.steps < last) & ~now.diverged & (now.state.relative_residual > goal)

    def step(now: Carry) -> Carry:
        theta, velocity, steps, residual, _ = now.state
        slope = batches.slope(model, theta, X, y, residual, batch, steps - state.steps)
        velocity = momentum * velocity + step_size * slope
        moved = theta + velocity
        r = y - model.outputs(moved, X)
        relative = jnp.sqrt((r * r).sum()) / y_norm
        bad = ~(relative <= limit)
        kept = DescentState(*(jnp.where(bad, old, new) for old, new in zip(
            now.state, (moved, velocity, steps + 1, r, relative), strict=True)))  # fmt: skip
        return Carry(kept, bad)

    end = lax.while_loop(going, step, Carry(state, jnp.bool_(False)))
    return end.state, end.diverged
