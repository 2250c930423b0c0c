"""What happens where units reach their kinks: they cross, are held, or are released. NumPy, between compiled blocks.

Gradient flow of a piecewise smooth loss is the differential inclusion theta' in -dL(theta) with Clarke's
subdifferential, which is the limit of gradient descent with small steps. A unit whose slope jumps so that both sides
push towards the kink is held there, with the slope between s and 1 for which its input stays zero; any other unit
crosses. A unit that starts on its kink comes from the negative side, as in automatic differentiation.

The inclusion has several solutions where both sides push a unit off (a held unit whose output weight changes sign),
and slopes are not free where several units on parallel samples, or below the same ones, reach their kinks together:
such a flow ends (`StuckError`), rather than go on in one of several ways.

**Source**: Filippov 1988 (sliding); Davis, Drusvyatskiy, Kakade and Lee 2020 (the inclusion, and theta' as its element
of least norm).
"""

from __future__ import annotations

import itertools
import math
from collections import deque
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.linalg import qr
from scipy.optimize import linprog, lsq_linear

from initshape.flows.completion import Completed, complete
from initshape.flows.kinks import DEPENDENT, NOISE, Branch, Kinks, bounds, branch_of, margins, rounding
from initshape.flows.loss import AbstractLoss
from initshape.flows.shapes import bucket
from initshape.flows.state import FlowState, Verdict
from initshape.models import AbstractModel
from initshape.models.kinks import (
    at_rest,
    beyond,
    curved,
    gated,
    slope_gap,
    unit_inputs,
    unit_normals,
    unit_scales,
    unit_speeds,
)
from initshape.training.settings import Floats

Integers = npt.NDArray[np.int64]
NOBODY: Integers = np.empty(0, dtype=np.int64)
CHOICES = 64
"""At most so many ways to go on are tried where several units at their kinks feed the same ones."""
LEAVING = 1e-9
"""Speed towards or from a kink that is rounding, relative to what theta' could do to it."""
ROUNDS, SETTLED = 50, 1e-9
"""Iterations for multipliers of units in several layers, and the relative change at which they have settled."""
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
    """Events without end, or units at their kinks for which no branch, or more than one, is found."""


class Events:
    """The events of one run: switches its state from branch to branch, until a network gets stuck among its kinks.

    `times` are those of the latest events.
    """

    def __init__(self, field: Field) -> None:
        self._field = field
        self.times: deque[float] = deque(maxlen=ENDLESS)

    def begin(self, state: FlowState) -> FlowState:
        """The state at time 0 with its branch. **Errors**: StuckError."""
        return self._on(state, first_branch(self._field, state.theta))

    def switch(self, state: FlowState) -> FlowState:
        """The state after an event, ready to run on. **Errors**: StuckError."""
        time = float(state.time)
        self.times.append(time)
        if len(self.times) == ENDLESS and time - self.times[0] <= NO_TIME * time:
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
    """The branch at time 0. Units exactly on their kink (w_i = 0, say) are judged as at an event, coming from below."""
    kinks = _kinks(field, theta, unit_inputs(field.model, theta, field.X) > 0.0, NOBODY, bucket(len(field.X)))
    return _settle(field, theta, kinks, _near(field, theta), NOBODY, start=True)


def switch(field: Field, theta: Floats, kinks: Kinks) -> Switched:
    """The branch after an event at `theta`, which is past the margins of the old one by less than the tolerance.

    **Errors**: StuckError.
    """
    model, loss, X, y, samples = field
    broken = margins(model, loss, X, y, np.float64(samples), kinks, theta) < 0.0
    reached = broken[: len(kinks.sides)]
    reached[_near(field, theta)] = True  # where samples are parallel, units follow others along their kinks
    held = kinks.units[kinks.used]
    reached[held] = False
    return _settle(field, theta, kinks, np.flatnonzero(reached), held, start=False)


def _near(field: Field, theta: Floats) -> Integers:
    """Units at their kinks up to rounding, on samples that are not zero."""
    inputs, scales = unit_inputs(field.model, theta, field.X), unit_scales(field.model, theta, field.X)
    some = np.any(field.X != 0.0, axis=1)
    return np.flatnonzero((np.abs(inputs) <= NOISE * scales) & np.tile(some, len(inputs) // len(some)))


def _settle(field: Field, theta: Floats, kinks: Kinks, reached: Integers, held: Integers, *, start: bool) -> Switched:
    """New sides for the units `reached`, and which of them and of the units already held are held from now on.

    The new branch is the one that its own theta' does not leave again. Where several units could be the first to feed
    the ones above, each is tried; the others then have to leave for their negative sides.

    **Errors**: StuckError where no branch, or more than one, is left.
    """
    if not curved(field.model):
        return _branch(field, theta, kinks, reached, held, NOBODY, start=start)
    at_kink = np.zeros(len(kinks.sides), dtype=np.bool_)
    at_kink[reached] = at_kink[held] = True
    below = beyond(field.model, theta, field.X, kinks.sides, at_kink)
    if below.sources and slope_gap(field.model) < 1.0:
        raise StuckError("a unit that alone feeds others reaches its kink, where a leaky activation turns them all")
    groups = [group for group in below.sources if len(group) > 1]
    if not start and math.prod(len(group) + 1 for group in groups) > CHOICES:
        raise StuckError("many units at their kinks feed the same ones")
    lost, reached = held[below.starved[held]], reached[~below.starved[reached]]
    if len(lost):  # held at zero by weights that now get no signal at all
        changes = kinks.changes + np.int64(len(lost))
        held = held[~below.starved[held]]
        kinks = _kinks(field, theta, kinks.sides, held, len(kinks.units))._replace(changes=changes)
    found, reason = [], ""
    for leaders in itertools.islice(itertools.product(*([-1, *group] for group in groups)), CHOICES):
        sides = beyond(field.model, theta, field.X, kinks.sides, at_kink, leaders).sides & ~kinks.held
        followers = np.concatenate([NOBODY, *(group[group != a] for group, a in zip(groups, leaders, strict=True))])
        try:
            found.append(_branch(field, theta, kinks._replace(sides=sides), reached, held, followers, start=start))
        except StuckError as error:
            reason = str(error)
        if start and found:  # from below: nothing comes in unless it has to
            break
    if len(found) != 1:
        raise StuckError("units that feed the same ones may go on in more than one way" if found else reason)
    return found[0]


def _branch(
    field: Field,
    theta: Floats,
    kinks: Kinks,
    reached: Integers,
    held: Integers,
    followers: Integers,
    *,
    start: bool,
) -> Switched:
    """The branch for given sides of all units that are not at their kinks. **Errors**: StuckError if it does not last.

    `followers` have to leave for the negative side.
    """
    model, loss, X, y, samples = field
    old, sides = Branch(model, kinks), kinks.sides.copy()
    outputs = old.outputs(theta, X)
    residual = loss.residual(outputs, y)
    V = model.vjp(theta, old.gated(X), residual) / samples
    mu = old.multipliers(theta, X, V)
    forces = bounds(old, theta, X, residual, np.float64(samples), mu)
    noise = float(rounding(loss, outputs, y, forces))
    if np.any(forces[held] > noise):
        # Its output weight changed sign, say: both sides lead away now, and either is a flow.
        raise StuckError("a held unit is pushed off its kink to both sides at once")
    at_kink = np.concatenate([reached, held])
    # Where the slope jumps upwards along theta' a kink pushes away on both sides: such units cross.
    apart = forces >= np.where(kinks.held, noise, 0.0)
    crossing, candidates = at_kink[apart[at_kink]], at_kink[~apart[at_kink]]
    sides[crossing] = unit_speeds(model, theta, old.gated(X), old.vjp(theta, X, residual))[crossing] > 0.0
    sides[candidates] = False
    guess = np.zeros(len(sides))
    guess[kinks.units[kinks.used]] = mu[kinks.used]
    kept = candidates[_held(field, theta, sides, candidates, guess[candidates], kinks.held)]
    after = _kinks(field, theta, sides, kept, len(kinks.units))
    changed = np.count_nonzero((after.sides != kinks.sides) | (after.held != kinks.held))
    after = after._replace(changes=kinks.changes + np.int64(changed))
    branch = Branch(model, after)
    for at in (old, branch):  # a released unit starts from its kink, too
        theta = at.onto(theta, X)
    slope = branch.vjp(theta, X, loss.residual(branch.outputs(theta, X), y)) / samples
    _check(field, theta, branch, slope, at_kink, followers, float(np.linalg.norm(V)), start=start)
    return Switched(theta, slope, after)


def _check(
    field: Field,
    theta: Floats,
    branch: Branch,
    slope: Floats,
    at_kink: Integers,
    followers: Integers,
    size: float,
    *,
    start: bool,
) -> None:
    """**Errors**: StuckError where theta' leads a unit back to the kink that it leaves, or where units that are held
    share their motion with others: then only one sign pattern of several is possible, and slopes are not free.
    """
    data, kinks = branch.gated(field.X), branch.kinks
    free = at_kink[~kinks.held[at_kink]]
    speeds = unit_speeds(field.model, theta, data, slope) * np.where(kinks.sides, 1.0, -1.0)
    widths = np.tile(np.linalg.norm(field.X, axis=1), len(speeds) // len(field.X))
    allowed = LEAVING * widths * size * max(1.0, float(np.max(np.abs(theta))) ** (field.model.degree - 2))
    if np.any(speeds[free] < -allowed[free]):
        raise StuckError("units at their kinks find no branch that lasts")
    if not start and np.any(kinks.sides[followers] | kinks.held[followers] | (speeds[followers] <= allowed[followers])):
        raise StuckError("several units at their kinks feed the same ones")
    if start:
        return
    staying = free[(np.abs(speeds[free]) <= allowed[free]) & (unit_scales(field.model, theta, data)[free] > 0.0)]
    held = kinks.units[kinks.used]
    if len(staying) and not _side_by_side(
        unit_normals(field.model, theta, data, staying) * np.where(kinks.sides, 1.0, -1.0)[staying, None],
        unit_normals(field.model, theta, data, held),
    ):
        raise StuckError("units on parallel samples stay at one kink together")


def _side_by_side(towards: Floats, held: Floats) -> bool:
    """Whether some small change of theta along held kinks takes all other units off their kinks at once.

    `towards` are their normals, each to its own side. **Shape**: (K, P), (Q, P).
    """
    both = np.concatenate([towards, held])
    lengths = np.linalg.norm(both, axis=1, keepdims=True)
    both = both / np.where(lengths > 0.0, lengths, 1.0)
    basis = qr(both.T, mode="economic", check_finite=False, pivoting=True)[0]
    inside, count = both @ basis, len(towards)
    inside, count = inside[lengths[:, 0] > 0.0], int(np.count_nonzero(lengths[:count]))
    found = linprog(
        np.zeros(basis.shape[1]), -inside[:count], -np.ones(count), inside[count:], np.zeros(len(inside) - count),
        bounds=(-1.0 / DEPENDENT**0.5, 1.0 / DEPENDENT**0.5),
    )  # fmt: skip
    return bool(found.status == 0)


def _held(
    field: Field,
    theta: Floats,
    sides: npt.NDArray[np.bool_],
    units: Integers,
    guess: Floats,
    was_held: npt.NDArray[np.bool_],
) -> npt.NDArray[np.bool_]:
    """Which units at their kinks stay there; sets the sides of the others.

    With all of them off, theta' = V; slopes between s and 1 add mu_k normal_k, c_k <= mu_k <= 0. The element of least
    norm is the only one that no unit leaves again: mu_k = 0 leads off to the negative side, mu_k = c_k to the positive
    one, anything between holds. In deeper networks c_k depends on mu of the units above, which iteration settles from
    a `guess` of mu. A unit that was held is kept where rounding decides.

    **Errors**: StuckError if it does not.
    """
    kept = np.zeros(len(units), dtype=np.bool_)
    if len(units) == 0:
        return kept
    model, loss, X, y, samples = field
    data = gated(model, X, sides)
    outputs = model.outputs(theta, data)
    residual = loss.residual(outputs, y)
    V = model.vjp(theta, data, residual) / samples
    idle = at_rest(model, V, units, len(X))
    if np.any(idle):
        kept[~idle] = _held(field, theta, sides, units[~idle], guess[~idle], was_held)
        return kept
    branch = Branch(model, _kinks(field, theta, sides, units, len(units)))
    normals = unit_normals(model, theta, branch.gated(X), units)
    lengths, size = np.linalg.norm(normals, axis=1), float(np.linalg.norm(V))
    fed = lengths > 0.0
    if not np.all(fed):  # nothing comes in: the input is zero and stays so, off
        kept[fed] = _held(field, theta, sides, units[fed], guess[fed], was_held)
        return kept
    if size == 0.0:
        return kept
    basis, factor = qr((normals / lengths[:, None]).T, mode="economic", check_finite=False)
    mu, used = np.zeros(len(branch.kinks.units)), np.flatnonzero(branch.kinks.used)
    mu[used] = guess
    for _ in range(ROUNDS if curved(model) else 1):
        forces = bounds(branch, theta, X, residual, np.float64(samples), mu)
        # A unit is kept where rounding of V, a difference of terms of the size of the forces, decides.
        room, noise = np.maximum(-forces[units], 0.0), float(rounding(loss, outputs, y, forces))
        scale = lengths / size
        found = lsq_linear(factor, -(basis.T @ V) / size, (-(room + noise) * scale, noise * scale), "bvls", 1e-15)
        before, mu = mu, mu.copy()
        mu[used] = found.x / scale
        if not curved(model) or np.max(np.abs(mu - before)) <= SETTLED * np.max(np.abs(forces)):
            repelled = forces[units] >= np.where(was_held[units], noise, 0.0)
            speeds = normals @ (V + mu[used] @ normals)
            sides[units] = np.where(repelled, speeds > 0.0, found.active_mask < 0)
            return np.asarray((found.active_mask == 0) & ~repelled)
    raise StuckError("units of several layers at their kinks find no slopes that hold")


def _kinks(field: Field, theta: Floats, sides: npt.NDArray[np.bool_], held: Integers, room: int) -> Kinks:
    """With `room` slots, or more if more are needed: another number of slots is another compiled program."""
    slots = max(bucket(len(held)), room)
    normals = np.zeros((slots, len(theta)))
    normals[: len(held)] = unit_normals(field.model, theta, gated(field.model, field.X, sides), held)
    inverse = np.linalg.pinv(normals @ normals.T, rtol=DEPENDENT, hermitian=True)
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
