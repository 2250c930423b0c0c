"""The outer loop of a classification flow: compiled blocks, and between them progress, deadlines and saved rows."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from initshape.flows.margin.block import program
from initshape.flows.margin.observe import MarginRows, observe
from initshape.flows.margin.settings import MarginSettings
from initshape.flows.margin.start import MarginStart, compiled_arguments
from initshape.flows.margin.state import Verdict
from initshape.flows.shapes import saved_rows
from initshape.training.settings import Floats, FlowProgress

FIRST_BLOCK, LARGEST_BLOCK = 8, 4096
BLOCK_SECONDS = 0.15
"""Aimed at for one block; progress, cancellation and deadlines wait for the end of one."""


@dataclass(frozen=True)
class MarginEnd:
    """The last state, why it is the last (None: the wall clock), and the saved rows with start and end among them."""

    verdict: Verdict | None
    theta: Floats
    time: float
    steps: int
    times: Floats
    rows: MarginRows
    compile_seconds: float
    effort: dict[str, int]


def at_start(begin: MarginStart, settings: MarginSettings) -> Verdict:
    """What needs no integration: the loss is reached already, or no parameter moves."""
    if not (math.isfinite(begin.gamma) and np.all(np.isfinite(begin.slope))):
        return Verdict.nonfinite
    if begin.gamma >= -settings.log_train_loss:
        return Verdict.log_train_loss
    return Verdict.running if np.any(begin.slope) else Verdict.stationary


def drive(begin: MarginStart, settings: MarginSettings, on_progress: Callable[[FlowProgress], None]) -> MarginEnd:
    """Runs to a verdict or to the end of the wall-clock time. What `on_progress` raises ends the run."""
    verdict: Verdict | None = at_start(begin, settings)
    first = _observed(begin, begin.theta)
    if verdict is not Verdict.running:
        return MarginEnd(verdict, begin.theta, 0.0, 0, np.zeros(1), first, 0.0, {})
    model, *arguments = compiled_arguments(begin, settings)
    problem, controls, state = jax.device_put(tuple(arguments))
    compiled = program(model, begin.loss, saved_rows(model.size), (problem, controls, state, np.int64(0)))
    clock, attempts, blocks = time.perf_counter(), FIRST_BLOCK, 0
    times, rows = [np.zeros(1)], [first]
    while verdict is Verdict.running:
        since = time.perf_counter()
        result = compiled.run(problem, controls, state, np.int64(attempts))
        state, blocks, count = result.state, blocks + 1, int(result.saved)
        times.append(np.asarray(result.times)[:count])
        rows.append(_cropped(result.rows, count, begin))
        now = time.perf_counter()
        attempts = max(1, min(int(attempts * min(BLOCK_SECONDS / max(now - since, 1e-6), 4.0)), LARGEST_BLOCK))
        on_progress(_progress(state, begin, settings))
        if float(state.next_save) > float(state.gamma):  # else saved states wait for room in another block
            verdict = Verdict(int(state.verdict))
            if verdict is Verdict.running and now - clock > settings.max_seconds:
                verdict = None
    theta = np.asarray(begin.model.unpad(np.asarray(state.theta)))
    joined = _closed(times, rows, float(state.time), _observed(begin, theta))
    effort = {
        "rejected_steps": int(state.rejected),
        "newton_iterations": int(state.iterations),
        "kernels": int(state.kernels),
        "landings": int(state.landings),
        "blocks": blocks,
    }
    steps, seconds = int(state.accepted), compiled.compile_seconds
    return MarginEnd(verdict, theta, float(state.time), steps, *joined, seconds, effort)


def _observed(begin: MarginStart, theta: Floats) -> MarginRows:
    return observe(begin.model, begin.loss, begin.problem, theta[None])


def _cropped(rows: MarginRows, count: int, begin: MarginStart) -> MarginRows:
    arrays = MarginRows(*(np.asarray(column)[:count] for column in rows))
    columns, targets = len(begin.problem.coordinates), len(begin.problem.targets)
    return arrays._replace(w=arrays.w[:, :columns], distances=arrays.distances[:, :targets])


def _closed(times: list[Floats], rows: list[MarginRows], time: float, end: MarginRows) -> tuple[Floats, MarginRows]:
    """All rows before the end, and the end."""
    found = np.concatenate(times)
    columns = [np.concatenate(parts) for parts in zip(*rows, strict=True)]
    # A state that was saved where the run ends is the end itself.
    inside = np.concatenate([[True], columns[0][1:] < (1.0 - 1e-9) * end.gamma[0]])
    joined = (np.concatenate([column[inside], last]) for column, last in zip(columns, end, strict=True))
    return np.append(found[inside], time), MarginRows(*joined)


def _progress(state: Any, begin: MarginStart, settings: MarginSettings) -> FlowProgress:
    """The furthest of gamma (in logarithms), tau and steps towards their limits."""
    way = math.log1p(-settings.log_train_loss - begin.gamma)
    gained = math.log1p(max(float(state.gamma) - begin.gamma, 0.0)) / way
    fraction = max(gained, float(state.time) / settings.max_time, int(state.accepted) / settings.max_steps)
    return FlowProgress(float(state.time), int(state.accepted), None, min(fraction, 1.0), float(state.gamma))
