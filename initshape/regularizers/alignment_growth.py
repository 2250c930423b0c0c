"""How much a flow of aligned layers amplifies what rounding adds to them."""

from __future__ import annotations

import warnings

import numpy as np
from scipy.linalg import LinAlgError, LinAlgWarning

from initshape.regularizers.base import Array
from initshape.regularizers.neuron_coordinates import NeuronCoordinates
from initshape.regularizers.reduced_flow import ReducedSystem

RTOL = 1e-4
DONE = 1e-3
MAX_STEPS = 1_000


def growth_exponent(start: NeuronCoordinates) -> float:
    """int of (the product of all layer sizes but the two smallest) ||X^T r|| dt along the flow, to convergence.

    A deviation of two neighbouring layers from rank one, where they meet, obeys delta_l' = rate delta_{l+1}, and
    the same the other way round, with a rate of at most this integrand: it grows by the exponential of the result at
    most. Layers that shrink on the way (a sign that changes, a start against y) make it large.

    `start` fits y in the end; the flow is that of the reduced coordinates, to a few digits. Infinite where these
    leave double precision.
    """
    with np.errstate(over="ignore", invalid="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", LinAlgWarning)
        try:
            return _integral(start.in_units())
        except (ValueError, LinAlgError):  # the solver's own checks: an entry that is not finite
            return np.inf


def _integral(start: NeuronCoordinates) -> float:
    system, state = ReducedSystem.of(start)
    solver = system.solver(state, RTOL)
    exponent, (rate, _) = 0.0, _rate(system, state)
    for _ in range(MAX_STEPS):
        before = solver.t
        if not np.isfinite(solver.h_abs):
            return np.inf
        if solver.step() is not None:
            break
        now, force = _rate(system, solver.y)
        exponent += 0.5 * (rate + now) * (solver.t - before)
        rate = now
        if force <= DONE * start.pull:
            break
    return float(exponent)


def _rate(system: ReducedSystem, state: Array) -> tuple[float, float]:
    """The integrand, and ||X^T r||."""
    b, c = system.split(state)
    force = float(np.linalg.norm(system.force(b, c)))
    sizes = np.sort(np.append(np.repeat(np.abs(b), system.multiplicity.astype(int)), np.linalg.norm(c)))
    return float(np.prod(sizes[2:])) * force, force
