"""Rows of a dual trajectory, with the statistics that every flow records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from initshape.dual.drift import TwoLayerDrift
from initshape.dual.parameters import parameters
from initshape.dual.snapshot import packed, unpacked
from initshape.dual.system import DualSystem
from initshape.dual.tableau import Tableau
from initshape.models import Diagonal
from initshape.regularizers.base import AbstractMirrorState, Array
from initshape.regularizers.deep import DeepState
from initshape.training.checkpoint import Arrays, SnapshotError, part, scalar
from initshape.training.trajectory import Recorder, Rows, joined

NUMBERS_AT_ONCE = 2**15
"""In one array of R or w: what is made of them then stays in the cache."""


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

    def along(self, anchors: Sequence[AbstractMirrorState], place: NDArray[np.int64], deltas: Array) -> Rows:
        """Rows of the states at nu(anchors[place]) + deltas. **Shape**: place (B,), deltas (B, N)."""
        if any(isinstance(anchor, DeepState) for anchor in anchors):
            changes = deltas @ self.system.X
            return self.of_states([anchors[k].advance(change)[0] for k, change in zip(place, changes, strict=True)])
        drift = TwoLayerDrift.of(self.theta0, self.invariants, self.invariant_scale)
        parts, size = [], max(1, NUMBERS_AT_ONCE // self.model.dimension)
        for first in range(0, len(place), size):
            R = deltas[first : first + size] @ self.system.X
            for row, k in zip(R, place[first : first + size], strict=True):
                row += anchors[k].R
            parts.append(self._rows(self.system.potential.inverse(R), drift(R)))
        return joined(*parts)

    def of_states(self, states: Sequence[AbstractMirrorState]) -> Rows:
        """Rows of states."""
        theta = np.stack([parameters(self.model, self.theta0, state) for state in states])
        scale = np.maximum(self.model.invariant_scale(theta), self.invariant_scale)
        drift = np.abs(self.model.invariants(theta) - self.invariants) / np.where(scale > 0.0, scale, 1.0)
        return self._rows(np.stack([state.w for state in states]), np.max(drift, axis=-1))

    def _rows(self, w: Array, drift: Array) -> Rows:
        X, y = self.system.X, self.system.y
        squared = _squared(y - w @ X.T)
        distances = [np.sqrt(_squared(w - target)) for target in self.targets]
        return Rows(
            train_loss=squared / (2.0 * len(y)),
            relative_residual=np.sqrt(squared) / np.linalg.norm(y),
            invariant_drift=drift,
            w=w[:, self.coordinates],
            distances=np.stack(distances, axis=-1) / self.target_norms if distances else np.empty((len(w), 0)),
        )


def _squared(gaps: Array) -> Array:
    """||row||^2. **Shape**: (B, n) -> (B,)."""
    return np.asarray(np.einsum("bi,bi->b", gaps, gaps))


@dataclass(frozen=True, eq=False)
class Leg:
    """One accepted step: from `anchor` at `began`, over `size`, by increments Z of nu at the stages of `method`."""

    began: float
    size: float
    anchor: AbstractMirrorState
    Z: Array
    method: Tableau


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

    def snapshot(self, start: AbstractMirrorState) -> Arrays:
        """All steps, for a run that goes on elsewhere; `start` is the state at time 0."""
        arrays = self._recorder.snapshot() | {"next_save": np.asarray(self._next)}
        arrays["legs"] = np.array([(leg.began, leg.size) for leg in self._legs]).reshape(-1, 2)
        for k, leg in enumerate(self._legs):
            arrays |= {f"leg.{k}.Z": leg.Z} | packed(f"leg.{k}.anchor", leg.anchor, start)
        return arrays

    def restore(self, arrays: Mapping[str, Any], start: AbstractMirrorState, method: Tableau, samples: int) -> None:
        """Goes on from there. **Errors**: SnapshotError."""
        legs = part(arrays, "legs")
        if legs.ndim != 2 or legs.shape[1] != 2:
            raise SnapshotError("steps without begin and size")
        like = np.empty((method.stages, samples))
        found = [
            Leg(
                float(began),
                float(size),
                unpacked(f"leg.{k}.anchor", arrays, start),
                part(arrays, f"leg.{k}.Z", like),
                method,
            )
            for k, (began, size) in enumerate(legs)
        ]
        following = float(scalar(arrays, "next_save"))
        self._recorder.restore(arrays)
        self._legs, self._next = found, following

    def finish(self, observer: Observer, start: Rows, end: Rows, end_time: float) -> tuple[Array, Rows]:
        """Time 0, the saved times before `end_time`, and `end_time`, with their rows."""
        edge = _standing_for(np.array([0.0]))
        times, _ = self._recorder.finish(edge, edge, end_time)
        inside, parts = times[1:-1], [start]
        if len(inside) > 0:
            place = np.searchsorted([leg.began for leg in self._legs], inside, side="right") - 1
            parts.append(observer.along([leg.anchor for leg in self._legs], place, self._deltas(inside, place)))
        parts += [end] if len(times) > 1 else []
        return times, joined(*parts)

    def _deltas(self, times: Array, place: NDArray[np.int64]) -> Array:
        """nu - nu(anchor) at times inside the legs `place`. **Shape**: (B,) -> (B, N)."""
        began, sizes = np.array([(leg.began, leg.size) for leg in self._legs])[place].T
        weights = self._legs[0].method.weights(np.clip((times - began) / sizes, 0.0, 1.0))
        return np.stack([row @ self._legs[k].Z for row, k in zip(weights, place, strict=True)])


def _standing_for(times: Array) -> Rows:
    return Rows(times, times, times, times[:, None], times[:, None])
