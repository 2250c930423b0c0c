"""The outer loop of a classification flow: compiled blocks, and between them progress, deadlines and saved rows."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import numpy as np

from initshape.flows.margin.block import program
from initshape.flows.margin.observe import MarginRows, observe
from initshape.flows.margin.settings import MarginSettings
from initshape.flows.margin.start import MarginStart, compiled_arguments
from initshape.flows.margin.state import MarginState, Verdict
from initshape.flows.shapes import saved_rows
from initshape.flows.trees import packed, unpacked
from initshape.training.checkpoint import NOWHERE, Checkpoints, Snapshot, SnapshotError, part, scalar
from initshape.training.settings import Floats, FlowProgress

ROUTE = "margin"
FIRST_BLOCK, LARGEST_BLOCK = 8, 4096
BLOCK_SECONDS = 0.15
"""Aimed at for one block; progress, cancellation and deadlines wait for the end of one."""


@dataclass(frozen=True)
class MarginEnd:
    """The last state, why it is the last (None: the wall clock), and the saved rows with start and end among them.

    `earlier` are the seconds before an interruption, `resumed_from` the step from which the run went on.
    """

    verdict: Verdict | None
    theta: Floats
    time: float
    steps: int
    times: Floats
    rows: MarginRows
    compile_seconds: float
    effort: dict[str, int]
    earlier: float = 0.0
    resumed_from: int | None = None


@dataclass
class _Saved:
    """What changes along a run."""

    state: MarginState
    times: Floats
    rows: MarginRows
    blocks: int = 0
    earlier: float = 0.0

    def add(self, state: MarginState, times: Floats, rows: MarginRows) -> None:
        """One more block."""
        self.state, self.blocks = state, self.blocks + 1
        self.times = np.concatenate([self.times, times])
        self.rows = MarginRows(*(np.concatenate(pair) for pair in zip(self.rows, rows, strict=True)))

    def snapshot(self, fraction: float, seconds: float) -> Snapshot:
        """For a run that goes on elsewhere."""
        arrays = packed("state", self.state) | {"times": self.times, "blocks": np.asarray(self.blocks)}
        arrays |= {f"row.{name}": column for name, column in self.rows._asdict().items()}
        return Snapshot(ROUTE, int(self.state.accepted), fraction, arrays | {"seconds": np.asarray(seconds)})

    def restore(self, snapshot: Snapshot) -> None:
        """What another run had saved. **Errors**: SnapshotError."""
        arrays = snapshot.arrays_of(ROUTE)
        state, times = unpacked("state", arrays, self.state), part(arrays, "times")
        rows = MarginRows(*(part(arrays, f"row.{name}") for name in MarginRows._fields))
        if any(len(column) != len(times) for column in rows):
            raise SnapshotError("saved times and their rows do not belong together")
        self.blocks, self.earlier = scalar(arrays, "blocks"), scalar(arrays, "seconds")
        self.state, self.times, self.rows = state, times, rows


def at_start(begin: MarginStart, settings: MarginSettings) -> Verdict:
    """What needs no integration: the loss is reached already, or no parameter moves."""
    if not (math.isfinite(begin.gamma) and np.all(np.isfinite(begin.slope))):
        return Verdict.nonfinite
    if begin.gamma >= -settings.log_train_loss:
        return Verdict.log_train_loss
    return Verdict.running if np.any(begin.slope) else Verdict.stationary


def drive(
    begin: MarginStart,
    settings: MarginSettings,
    on_progress: Callable[[FlowProgress], None],
    checkpoints: Checkpoints = NOWHERE,
) -> MarginEnd:
    """Runs to a verdict or to the end of the wall-clock time. What `on_progress` raises ends the run."""
    verdict: Verdict | None = at_start(begin, settings)
    first = _observed(begin, begin.theta)
    if verdict is not Verdict.running:
        return MarginEnd(verdict, begin.theta, 0.0, 0, np.zeros(1), first, 0.0, {})
    model, *arguments = compiled_arguments(begin, settings)
    problem, controls, state = jax.device_put(tuple(arguments))
    compiled = program(model, begin.loss, saved_rows(model.size), (problem, controls, state, np.int64(0)))
    saved = _Saved(state, np.zeros(1), first)
    resumed_from = checkpoints.restore(saved.restore)
    clock, attempts = time.perf_counter(), FIRST_BLOCK
    if resumed_from is not None:
        on_progress(_progress(saved.state, begin, settings))
    while verdict is Verdict.running:
        since = time.perf_counter()
        result = compiled.run(problem, controls, saved.state, np.int64(attempts))
        count = int(result.saved)
        saved.add(result.state, np.asarray(result.times)[:count], _cropped(result.rows, count, begin))
        state, now = result.state, time.perf_counter()
        attempts = max(1, min(int(attempts * min(BLOCK_SECONDS / max(now - since, 1e-6), 4.0)), LARGEST_BLOCK))
        progress, spent = _progress(state, begin, settings), saved.earlier + now - clock
        if float(state.next_save) > float(state.gamma):  # else saved states wait for room in another block
            verdict = Verdict(int(state.verdict))
            if verdict is Verdict.running and spent > settings.max_seconds:
                verdict = None
        if verdict is Verdict.running:
            checkpoints.save(partial(saved.snapshot, progress.fraction, spent))
        on_progress(progress)
    state = saved.state
    theta = np.asarray(begin.model.unpad(np.asarray(state.theta)))
    joined = _closed(saved.times, saved.rows, float(state.time), _observed(begin, theta))
    effort = {
        "rejected_steps": int(state.rejected),
        "newton_iterations": int(state.iterations),
        "kernels": int(state.kernels),
        "landings": int(state.landings),
        "blocks": saved.blocks,
    }
    steps, seconds = int(state.accepted), compiled.compile_seconds
    time_, earlier = float(state.time), saved.earlier
    return MarginEnd(verdict, theta, time_, steps, *joined, seconds, effort, earlier, resumed_from)


def _observed(begin: MarginStart, theta: Floats) -> MarginRows:
    return observe(begin.model, begin.loss, begin.problem, theta[None])


def _cropped(rows: MarginRows, count: int, begin: MarginStart) -> MarginRows:
    arrays = MarginRows(*(np.asarray(column)[:count] for column in rows))
    columns, targets = len(begin.problem.coordinates), len(begin.problem.targets)
    return arrays._replace(w=arrays.w[:, :columns], distances=arrays.distances[:, :targets])


def _closed(times: Floats, rows: MarginRows, time: float, end: MarginRows) -> tuple[Floats, MarginRows]:
    """All rows before the end, and the end."""
    # A state that was saved where the run ends is the end itself.
    inside = np.concatenate([[True], rows.gamma[1:] < (1.0 - 1e-9) * end.gamma[0]])
    joined = (np.concatenate([column[inside], last]) for column, last in zip(rows, end, strict=True))
    return np.append(times[inside], time), MarginRows(*joined)


def _progress(state: Any, begin: MarginStart, settings: MarginSettings) -> FlowProgress:
    """The furthest of gamma (in logarithms), tau and steps towards their limits."""
    way = math.log1p(-settings.log_train_loss - begin.gamma)
    gained = math.log1p(max(float(state.gamma) - begin.gamma, 0.0)) / way
    fraction = max(gained, float(state.time) / settings.max_time, int(state.accepted) / settings.max_steps)
    return FlowProgress(float(state.time), int(state.accepted), None, min(fraction, 1.0), float(state.gamma))
