"""What happens where units reach their kinks: they cross, are held, or are released. NumPy, between compiled blocks.

Gradient flow of a piecewise smooth loss is the differential inclusion theta' in -dL(theta) with Clarke's
subdifferential, which is the limit of gradient descent with small steps. A unit whose slope jumps so that both sides
push towards the kink is held there, with the slope between s and 1 for which its input stays zero; any other unit
crosses. Which slope a point on a kink itself is given does not matter.

**Source**: Filippov 1988 (sliding); Davis, Drusvyatskiy, Kakade and Lee 2020 (the inclusion, and theta' as its element
of least norm).
"""

from __future__ import annotations

from collections import deque
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.linalg import qr
from scipy.optimize import lsq_linear

from initshape.flows.completion import Completed, complete
from initshape.flows.kinks import NOISE, Branch, Kinks, branch_of, margins
from initshape.flows.loss import AbstractLoss
from initshape.flows.shapes import bucket
from initshape.flows.state import FlowState, Verdict
from initshape.models import AbstractModel
from initshape.models.kinks import gated, slope_gap, unit_forces, unit_inputs, unit_normals, unit_scales
from initshape.training.settings import Floats

Integers = npt.NDArray[np.int64]
REST = 1e-14
"""Distance of held units from their kinks, relative to the terms of their input; below `NOISE`."""
ENDLESS, NO_TIME = 1000, 1e-10
"""So many events within so short a time, relative to the time, are no progress."""


class Field(NamedTuple):
    """What a flow acts on: the padded problem in NumPy. `samples` does not count padding."""

    model: AbstractModel
    loss: AbstractLoss
    X: Floats
    y: Floats
    samples: float


class Switched(NamedTuple):
    """State after an event: theta moved by rounding onto the kinks that hold it, theta' of the new branch."""

    theta: Floats
    slope: Floats
    kinks: Kinks


class StuckError(Exception):
    """Events without end, or a network of more than two layers held at a kink, which is a curved surface there."""


class Events:
    """The events of one run: switches its state from branch to branch, until a network gets stuck among its kinks."""

    def __init__(self, field: Field) -> None:
        self._field = field
        self._times: deque[float] = deque(maxlen=ENDLESS)

    def begin(self, state: FlowState) -> FlowState:
        """The state at time 0 with its branch. **Errors**: StuckError."""
        return self._on(state, first_branch(self._field, state.theta))

    def switch(self, state: FlowState) -> FlowState:
        """The state after an event, ready to run on. **Errors**: StuckError."""
        time = float(state.time)
        self._times.append(time)
        if len(self._times) == ENDLESS and time - self._times[0] <= NO_TIME * time:
            raise StuckError("events follow each other without end")
        switched = self._on(state, switch(self._field, np.asarray(state.theta), _host(state.kinks)))
        return switched._replace(verdict=np.int64(Verdict.running), memory=state.memory._replace(rebuild=np.True_))

    def completed(self, state: FlowState, wanted: float) -> Completed | None:
        """The Gauss-Newton completion on the branch of the state; None where it leads off that branch."""
        model, loss, X, y, samples = self._field
        kinks = _host(state.kinks)
        done = complete(branch_of(model, kinks), np.asarray(state.theta), X, y, wanted)
        return None if np.any(margins(model, loss, X, y, np.float64(samples), kinks, done.theta) < 0.0) else done

    def _on(self, state: FlowState, branch: Switched) -> FlowState:
        return state._replace(theta=branch.theta, slope=branch.slope, kinks=branch.kinks)


def _host(kinks: Any) -> Kinks:
    return Kinks(*(np.asarray(part) for part in kinks))


def first_branch(field: Field, theta: Floats) -> Switched:
    """The branch at time 0. Units exactly on their kink (w_i = 0, say) are judged as at an event."""
    inputs = unit_inputs(field.model, theta, field.X)
    near = np.abs(inputs) <= NOISE * unit_scales(field.model, theta, field.X)
    reach = np.tile(np.any(field.X != 0.0, axis=1), len(inputs) // len(field.X))
    kinks = _kinks(field, theta, inputs > 0.0, np.empty(0, dtype=np.int64), bucket(len(field.X)))
    return _settle(field, theta, kinks, np.flatnonzero(near & reach), np.empty(0, dtype=np.int64))


def switch(field: Field, theta: Floats, kinks: Kinks) -> Switched:
    """The branch after an event at `theta`, which is past the margins of the old one by less than the tolerance.

    **Errors**: StuckError.
    """
    model, loss, X, y, samples = field
    broken = margins(model, loss, X, y, np.float64(samples), kinks, theta) < 0.0
    crossing = np.flatnonzero(broken[: len(kinks.sides)])
    return _settle(field, theta, kinks, crossing, kinks.units[kinks.used])


def _settle(field: Field, theta: Floats, kinks: Kinks, reached: Integers, held: Integers) -> Switched:
    """New sides for the units `reached`, and which of them and of the units already held are held from now on."""
    model, loss, X, y, samples = field
    data = gated(model, X, kinks.sides)
    residual = loss.residual(model.outputs(theta, data), y)
    forces = slope_gap(model) * unit_forces(model, theta, data, residual) / samples
    sides = kinks.sides.copy()
    # Where the slope jumps upwards along theta' a kink pushes away on both sides: such units cross.
    free = np.concatenate([reached, held])
    crossing, candidates = free[forces[free] >= 0.0], free[forces[free] < 0.0]
    if len(crossing):
        speeds = _speeds(field, theta, kinks, crossing)
        sides[crossing] = np.where(speeds == 0.0, False, speeds > 0.0)
    if model_is_curved(model):
        sides[candidates] = _crossed(field, theta, kinks, candidates)
        kept = np.empty(0, dtype=np.int64)
    else:
        sides[candidates] = False
        largest = float(np.max(np.abs(forces)))
        kept = candidates[_held(field, theta, sides, candidates, forces[candidates], largest)]
    changed = np.count_nonzero(sides != kinks.sides) + len(np.setxor1d(kept, held))
    after = _kinks(field, theta, sides, kept, len(kinks.units))._replace(changes=kinks.changes + np.int64(changed))
    for at_kink in (kinks, after):  # a released unit starts from its kink, too
        theta = theta - _off_kink(field, theta, at_kink) @ at_kink.normals
    branch = Branch(model, after)
    slope = branch.vjp(theta, X, loss.residual(branch.outputs(theta, X), y)) / samples
    return Switched(theta, slope, after)


def _off_kink(field: Field, theta: Floats, kinks: Kinks) -> Floats:
    """What to take off along the normals: held units then are on the negative side of their kinks, by rounding.

    That is the side whose slope a unit at zero is said to have, and makes whoever evaluates the network see it.
    """
    scales = unit_scales(field.model, theta, field.X)[kinks.units]
    inputs = kinks.normals @ theta + np.where(kinks.used, REST * scales, 0.0)
    return np.asarray(kinks.inverse @ inputs)


def model_is_curved(model: AbstractModel) -> bool:
    """Whether the kinks of the model depend on theta."""
    return getattr(model, "depth", 2) > 2


def _speeds(field: Field, theta: Floats, kinks: Kinks, units: Integers) -> Floats:
    """dg/dt of units on the branch `kinks`, by central differences of g, which is a polynomial in theta there."""
    model, loss, X, y, samples = field
    branch = Branch(model, kinks)
    slope = branch.vjp(theta, X, loss.residual(branch.outputs(theta, X), y)) / samples
    size = float(np.linalg.norm(slope)) or 1.0
    step = 1e-4 * float(np.linalg.norm(theta)) / size
    data = gated(model, X, kinks.sides)
    ahead, behind = (unit_inputs(model, theta + sign * step * slope, data)[units] for sign in (1.0, -1.0))
    return np.asarray((ahead - behind) / (2.0 * step))


def _crossed(field: Field, theta: Floats, kinks: Kinks, units: Integers) -> npt.NDArray[np.bool_]:
    """The other side, if theta' there leads away from the kink. **Errors**: StuckError if it leads back."""
    sides = kinks.sides.copy()
    sides[units] = ~sides[units]
    speeds = _speeds(field, theta, kinks._replace(sides=sides), units)
    if np.any(np.where(sides[units], speeds, -speeds) < 0.0):
        raise StuckError
    return np.asarray(sides[units])


def _held(
    field: Field, theta: Floats, sides: npt.NDArray[np.bool_], units: Integers, forces: Floats, largest: float
) -> npt.NDArray[np.bool_]:
    """Which units at their kinks stay there; sets the sides of the others.

    With all of them off, theta' = V; slopes between s and 1 add mu_k normal_k, forces_k <= mu_k <= 0. `largest` is
    the largest force on any unit. The element of
    least norm is the only one that no unit leaves again: mu_k = 0 leads off to the negative side, mu_k = forces_k to
    the positive one, anything between holds.
    """
    if len(units) == 0:
        return np.zeros(0, dtype=np.bool_)
    model, loss, X, y, samples = field
    data = gated(model, X, sides)
    V = model.vjp(theta, data, loss.residual(model.outputs(theta, data), y)) / samples
    normals = unit_normals(model, theta, X, units)
    lengths = np.linalg.norm(normals, axis=1)
    basis, factor = qr((normals / lengths[:, None]).T, mode="economic", check_finite=False)
    size = float(np.linalg.norm(V))
    if size == 0.0:
        sides[units] = False
        return np.zeros(len(units), dtype=np.bool_)
    # A unit is kept where rounding of V, a difference of terms of the size of the forces, decides.
    room, noise = -forces * lengths / size, NOISE * largest * lengths / size
    found = lsq_linear(factor, -(basis.T @ V) / size, (-room - noise, noise), method="bvls", tol=1e-15)
    sides[units] = found.active_mask < 0
    return np.asarray(found.active_mask == 0)


def _kinks(field: Field, theta: Floats, sides: npt.NDArray[np.bool_], held: Integers, room: int) -> Kinks:
    """With `room` slots, or more if more are needed: another number of slots is another compiled program."""
    slots = max(bucket(len(held)), room)
    normals = np.zeros((slots, len(theta)))
    if len(held):
        normals[: len(held)] = unit_normals(field.model, theta, field.X, held)
    inverse = np.zeros((slots, slots))
    inside = normals[: len(held)]
    inverse[: len(held), : len(held)] = np.linalg.pinv(inside @ inside.T, hermitian=True)
    units = np.zeros(slots, dtype=np.int64)
    units[: len(held)] = held
    mask = np.zeros(len(sides), dtype=np.bool_)
    mask[held] = True
    return Kinks(
        sides=sides & ~mask,
        held=mask,
        units=units,
        used=np.arange(slots) < len(held),
        normals=normals,
        inverse=inverse,
        resume=np.float64(0.0),
        tries=np.int64(0),
        changes=np.int64(0),
    )
