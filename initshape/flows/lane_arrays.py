"""The arrays of all lanes on the device: filled, refilled one lane at a time, and copied back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from initshape.flows.design import Design
from initshape.flows.driver import Arguments
from initshape.flows.state import Controls, FlowState, Problem, Verdict
from initshape.training.settings import Floats


class Lane(NamedTuple):
    """What differs from lane to lane; `problem.X` is empty where all lanes share one design."""

    problem: Problem
    controls: Controls
    state: FlowState


class Scalars(NamedTuple):
    """The state of all lanes but its vectors, on the host. **Shape**: (B,) each."""

    time: Floats
    relative_residual: Floats
    step: Floats
    next_save: Floats
    accepted: Any
    rejected: Any
    iterations: Any
    kernels: Any
    best_residual: Floats
    stalls: Any
    quiet: Any
    verdict: Any


class LaneArrays:
    """B lanes on the device. Idle ones hold a run that has ended: they take no part in a block and save nothing."""

    def __init__(self, lanes: Sequence[Lane | None], design: Design | None) -> None:
        """As many lanes as entries; None is an idle one."""
        filler = next(lane for lane in lanes if lane is not None)
        full = [_ended(filler) if lane is None else lane for lane in lanes]
        self._lanes: Lane = jax.device_put(jax.tree.map(lambda *leaves: np.stack(leaves), *full))
        self._design = None if design is None else jax.device_put(design)
        self.scalars = _scalars(self._lanes.state)

    @property
    def shared(self) -> bool:
        """Whether all lanes have the same design."""
        return self._design is not None

    @property
    def arguments(self) -> tuple[Problem, Controls, FlowState]:
        """What the compiled block takes."""
        problem, controls, state = self._lanes
        return (problem if self._design is None else problem._replace(X=self._design)), controls, state

    def advance(self, state: FlowState) -> None:
        """The state after a block."""
        self._lanes = self._lanes._replace(state=state)
        self.scalars = _scalars(state)

    def fill(self, k: int, lane: Lane) -> None:
        """Another run in lane `k`."""
        self._lanes = _put(self._lanes, np.int64(k), jax.device_put(lane))

    def state_of(self, k: int) -> FlowState:
        """The scalars of lane `k`; its vectors stay on the device until asked for."""
        blank: Any = None
        mine = {name: column[k] for name, column in zip(Scalars._fields, self.scalars, strict=True)}
        return FlowState(theta=blank, slope=blank, memory=blank, **mine)

    def theta_of(self, k: int) -> Floats:
        """The parameters of lane `k`."""
        return np.asarray(self._lanes.state.theta[k])

    def whole_states(self) -> list[FlowState]:
        """All lanes' states on the host."""
        state = jax.device_get(self._lanes.state)
        return [jax.tree.map(lambda leaf, k=k: leaf[k], state) for k in range(len(self.scalars.time))]

    def control(self, runs: Sequence[Arguments | None]) -> None:
        """Takes over what the host decided between two blocks; lanes without a run become idle."""
        _, controls, state = self._lanes
        verdicts, stalls, saves = (np.array(column) for column in (state.verdict, state.stalls, state.next_save))
        ratios, residuals = (np.array(column) for column in (controls.save_ratio, controls.relative_residual))
        for k, run in enumerate(runs):
            if run is None:
                verdicts[k], saves[k] = Verdict.max_time, np.inf
                continue
            verdicts[k], stalls[k], saves[k] = run.state.verdict, run.state.stalls, run.state.next_save
            ratios[k], residuals[k] = run.controls.save_ratio, run.controls.relative_residual
        self._lanes = self._lanes._replace(
            controls=controls._replace(save_ratio=ratios, relative_residual=residuals),
            state=state._replace(verdict=verdicts, stalls=stalls, next_save=saves),
        )

    def keep(self, lanes: Sequence[int]) -> None:
        """Only these lanes, in this order."""
        self._lanes = _taken(self._lanes, np.array(lanes, dtype=np.int64))
        self.scalars = _scalars(self._lanes.state)


def _ended(lane: Lane) -> Lane:
    state = lane.state._replace(verdict=np.int64(Verdict.max_time), next_save=np.float64(np.inf))
    return lane._replace(state=state)


def _scalars(state: FlowState) -> Scalars:
    scalars: Scalars = jax.device_get(Scalars(*(getattr(state, name) for name in Scalars._fields)))
    return scalars


@jax.jit  # without donation: where memory runs out, the lanes are still there
def _put(lanes: Lane, k: Any, lane: Lane) -> Lane:
    filled: Lane = jax.tree.map(lambda all_, one: all_.at[k].set(one), lanes, lane)
    return filled


@jax.jit
def _taken(lanes: Lane, indices: Any) -> Lane:
    taken: Lane = jax.tree.map(lambda leaf: leaf[indices], lanes)
    return taken
