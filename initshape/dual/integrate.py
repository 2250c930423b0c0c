"""The dual flow of a diagonal network, from nu = 0 to a stop rule; NumPy and SciPy, nothing is compiled."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from scipy.linalg import orth

from initshape.dual.history import History, Observer
from initshape.dual.parameters import parameters
from initshape.dual.run import DualRun
from initshape.dual.system import DualSystem
from initshape.models import Diagonal
from initshape.regularizers.base import AbstractMirrorState, AbstractPotential, Array
from initshape.regularizers.constraints import Constraints
from initshape.regularizers.newton import minimise
from initshape.regularizers.registry import entry_for
from initshape.spec.outcome import Outcome
from initshape.training.checkpoint import NOWHERE, Checkpoints
from initshape.training.settings import Completion, FlowProgress, FlowSettings, FlowSolution
from initshape.training.trajectory import Recorder, named


def integrate_dual(
    model: Diagonal,
    theta0: Array,
    X: Array,
    y: Array,
    settings: FlowSettings,
    *,
    observers: Mapping[str, Array] | None = None,
    coordinates: Sequence[int] = (),
    on_progress: Callable[[FlowProgress], None] | None = None,
    constraints: Constraints | None = None,
    limit: AbstractMirrorState | None = None,
    checkpoints: Checkpoints = NOWHERE,
) -> FlowSolution:
    """Integrates nu' = (y - X w(X^T nu))/N, and finishes it by dual Newton where settings allow.

    The flow of all parameters, by the mirror map that theory gives it: a check of nothing, but N equations instead of
    2 L d, and a limit in which errors of the integration do not accumulate. Stop rules, saved times and statistics
    are those of `flows.integrate`; `settings.rtol` is about the relative error of w along the way.

    `constraints` of X and y, and the `limit` of the flow as dual Newton finds it, are made here where they are not at
    hand already.

    **Shape**: theta0 (P,), X (N, d), y (N,), observers (d,).
    **Errors**: ValueError for y = 0 or arrays that do not fit; numerical trouble is an outcome of the solution.
    """
    clock = time.perf_counter()
    theta0, X, y = (np.asarray(array, dtype=np.float64) for array in (theta0, X, y))
    if theta0.shape != (model.size,) or X.shape != (len(y), model.dimension):
        raise ValueError(f"theta {theta0.shape}, X {X.shape} and y {y.shape} do not fit the model")
    if not np.any(y):
        raise ValueError("y is zero: there is no residual to measure against")
    targets = dict(observers or {})
    with np.errstate(over="ignore", under="ignore", invalid="ignore", divide="ignore"):
        potential = potential_of(model, theta0)
        free = _free(potential, X)
        if constraints is None or free is not X:
            constraints = Constraints.of(free, y)
        dependent = len(constraints.target) < len(y)
        system = DualSystem(potential, X, y, orth(free) if dependent else None)
        observer = Observer.of(model, system, theta0, targets, coordinates)
        known = limit
        if known is None and constraints.consistent:
            found = minimise(potential.start(), constraints)
            known = found.state if found.outcome is Outcome.converged else None
        recorder = Recorder(settings.points, _rate(model, theta0, system), settings.max_time)
        history = History(recorder)
        run = DualRun(system, settings, history, known, on_progress or _unwatched, checkpoints)
        end = run.go(constraints)
        states = [potential.start(), end.integrated, end.state]
        rows = [observer.of_states([state]) for state in states]
        times, along = history.finish(observer, rows[0], rows[1], end.time)
    return FlowSolution(
        outcome=end.outcome,
        stopped_by=end.stopped_by,
        theta=parameters(model, theta0, end.state),
        time=end.time,
        steps=end.steps,
        completion=None if end.iterations is None else Completion(end.from_residual, end.iterations),
        train_loss=float(rows[2].train_loss[0]),
        relative_residual=float(rows[2].relative_residual[0]),
        invariant_drift=float(rows[2].invariant_drift[0]),
        seconds=run.earlier + time.perf_counter() - clock,
        compile_seconds=0.0,
        integrator="dual",
        trajectory=named(times, along, tuple(targets), observer.coordinates),
        effort=end.effort,
        independent=False,
        w=end.state.w,
        notes=_notes(end.held, settings.rtol),
        resumed_from=run.resumed_from,
    )


def potential_of(model: Diagonal, theta0: Array) -> AbstractPotential:
    """The exact Q of this initialization. **Errors**: ValueError where it is not separable."""
    entry = entry_for("implicit", model)
    found = entry.closed_form(model, theta0).regularizer if entry is not None and entry.closed_form else None
    if not isinstance(found, AbstractPotential):
        raise ValueError("the dual flow needs a separable potential, which diagonal networks have")
    return found


def _free(potential: AbstractPotential, X: Array) -> Array:
    """X, zero for the coordinates that cannot move."""
    lower, upper = potential.domain()
    free = lower < upper
    return X if np.all(free) else np.where(free, X, 0.0)


def _rate(model: Diagonal, theta0: Array, system: DualSystem) -> float:
    """Fastest relative rate of change at time 0, of a parameter or of the residual: it sets the first saved time."""
    samples, start = len(system.y), system.potential.start()
    slope = model.vjp(theta0, system.X, system.residual(start)) / samples
    drift = float(np.linalg.norm(slope / model.magnitude(theta0)) / np.sqrt(model.size))
    return max(system.relaxation(start) / samples**2, drift)


def _notes(held: float, rtol: float) -> tuple[str, ...]:
    if held <= 2.0 * rtol:
        return ()
    return (
        f"Along the trajectory w is held to about {held:.0e}, not to flow.rtol: with layers this small it depends on "
        "digits of the time that double precision does not have. The limit is not affected.",
    )


def _unwatched(_: FlowProgress) -> None:
    """Nobody asked for progress."""
