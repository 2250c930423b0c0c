"""Rows of a dual trajectory, with the statistics that every flow records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from initshape.dual.parameters import parameters, two_layers
from initshape.dual.system import DualSystem
from initshape.dual.tableau import Tableau
from initshape.models import Diagonal
from initshape.regularizers.base import AbstractMirrorState, Array
from initshape.regularizers.deep import DeepState
from initshape.training.trajectory import Recorder, Rows


@dataclass(frozen=True, eq=False)
class Observer:
    """Statistics of states. The drift is that of parameters rebuilt from R: their rounding, and no drift of a flow.

    **Shape**: theta0 (P,), targets (K, d), coordinates (C,).
    """

    model: Diagonal
    system: DualSystem
    theta0: Array
    invariants: Array
    invariant_scale: Array
    targets: Array
    target_norms: Array
    coordinates: NDArray[np.int64]

    @classmethod
    def of(
        cls,
        model: Diagonal,
        system: DualSystem,
        theta0: Array,
        observers: Mapping[str, Array],
        coordinates: Sequence[int],
    ) -> Observer:
        """From targets by name."""
        targets = np.array(list(observers.values()), dtype=np.float64).reshape(len(observers), model.dimension)
        return cls(
            model=model,
            system=system,
            theta0=theta0,
            invariants=model.invariants(theta0),
            invariant_scale=model.invariant_scale(theta0),
            targets=targets,
            target_norms=np.linalg.norm(targets, axis=-1),
            coordinates=np.array(coordinates, dtype=np.int64).reshape(-1),
        )

    def along(self, anchor: AbstractMirrorState, deltas: Array) -> Rows:
        """Rows of the states at nu(anchor) + deltas (B, N)."""
        changes = deltas @ self.system.X
        if isinstance(anchor, DeepState):
            return self.of_states([anchor.advance(change)[0] for change in changes])
        R = anchor.R + changes
        layers = two_layers(self.theta0.reshape(2, 2, -1), R)
        return self._rows(self.system.potential.inverse(R), layers.reshape(len(R), -1))

    def of_states(self, states: Sequence[AbstractMirrorState]) -> Rows:
        """Rows of states."""
        thetas = [parameters(self.model, self.theta0, state) for state in states]
        return self._rows(np.stack([state.w for state in states]), np.stack(thetas))

    def _rows(self, w: Array, theta: Array) -> Rows:
        X, y = self.system.X, self.system.y
        squared = np.sum((y - w @ X.T) ** 2, axis=-1)
        scale = np.maximum(self.model.invariant_scale(theta), self.invariant_scale)
        drift = np.abs(self.model.invariants(theta) - self.invariants) / np.where(scale > 0.0, scale, 1.0)
        distances = np.linalg.norm(w[:, None, :] - self.targets, axis=-1) / self.target_norms
        return Rows(
            train_loss=squared / (2.0 * len(y)),
            relative_residual=np.sqrt(squared) / np.linalg.norm(y),
            invariant_drift=np.max(drift, axis=-1),
            w=w[:, self.coordinates],
            distances=distances,
        )


@dataclass(frozen=True, eq=False)
class Leg:
    """One accepted step: from `anchor` at `began`, over `size`, by increments Z of nu at the stages of `method`."""

    began: float
    size: float
    anchor: AbstractMirrorState
    Z: Array
    method: Tableau

    def deltas(self, times: Array) -> Array:
        """nu - nu(anchor) at times inside. **Shape**: (B,) -> (B, N)."""
        return self.method.weights(np.clip((times - self.began) / self.size, 0.0, 1.0)) @ self.Z


class History:
    """The dense output of a run, and the times that are due; rows are evaluated at the end, of the times that stay."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder, self._next = recorder, recorder.first
        self._legs: list[Leg] = []

    def add(self, leg: Leg, until: float) -> None:
        """One more step, which ends at `until`."""
        self._legs.append(leg)
        times = []
        while self._next <= until:
            times.append(self._next)
            self._next *= self._recorder.ratio
        if times:
            following = self._recorder.add(np.array(times), _standing_for(np.array(times)))
            self._next = self._next if following is None else following

    def finish(self, observer: Observer, start: Rows, end: Rows, end_time: float) -> tuple[Array, Rows]:
        """Time 0, the saved times before `end_time`, and `end_time`, with their rows."""
        edge = _standing_for(np.array([0.0]))
        times, _ = self._recorder.finish(edge, edge, end_time)
        inside, parts = times[1:-1], [start]
        legs = np.searchsorted([leg.began for leg in self._legs], inside, side="right") - 1
        for k in np.unique(legs):
            leg = self._legs[k]
            parts.append(observer.along(leg.anchor, leg.deltas(inside[legs == k])))
        parts += [end] if len(times) > 1 else []
        return times, Rows(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def _standing_for(times: Array) -> Rows:
    return Rows(times, times, times, times[:, None], times[:, None])
