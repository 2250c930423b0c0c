"""When a run ends, judged after every accepted step; and what that means for the reader."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jax import lax

from initshape.flows.start import Start
from initshape.flows.state import Attempt, Controls, FlowState, Problem, Verdict
from initshape.spec.outcome import Outcome
from initshape.training.settings import Floats

PROGRESS, RISEN = 0.9, 10.0
STALLED_AFTER = 4
QUIET_AFTER = 5
STATIONARY = 1e-12
LONG_STEP = 10.0
LONG_FOR_EXPLICIT = 0.5

OUTCOMES: dict[Verdict, Outcome] = {
    Verdict.relative_residual: Outcome.converged,
    Verdict.max_time: Outcome.reached_max_time,
    Verdict.max_steps: Outcome.reached_max_steps,
    Verdict.rounding_floor: Outcome.stalled,
    Verdict.stationary: Outcome.saddle,
    Verdict.step_size: Outcome.stalled,
    Verdict.nonfinite: Outcome.nonfinite,
    Verdict.kinks: Outcome.stalled,
}


AT_REST_IN_W = 1e-6
SMALLEST_STEP = 4e-16


def verdict_at_start(begin: Start, threshold: float) -> Verdict:
    """What is known before the first step."""
    if not (np.isfinite(begin.relative_residual) and np.all(np.isfinite(begin.slope))):
        return Verdict.nonfinite
    if begin.relative_residual <= threshold:
        return Verdict.relative_residual
    return Verdict.running if np.any(begin.slope) else Verdict.stationary


def stop_rule(verdict: Verdict | None) -> str:
    """The public name of the rule that ended a run; None is the wall clock."""
    return "max_seconds" if verdict is None else verdict.name


def outcome_of(verdict: Verdict | None, begin: Start, theta: Floats) -> Outcome:
    """The outcome of a run that ended at `theta`.

    A stationary point of the parameters is a saddle, unless the loss is stationary in w as well: then it is a least
    squares solution, and nothing fits the data.
    """
    if verdict is None:
        return Outcome.out_of_time
    if verdict is Verdict.stationary and begin.model.linear:
        X, y = begin.problem.X, begin.problem.y
        residual = begin.loss.residual(begin.model.outputs(theta, X), y)
        force = np.linalg.norm(residual @ X)
        if force <= AT_REST_IN_W * np.linalg.norm(X) * np.linalg.norm(residual):
            return Outcome.infeasible
    return OUTCOMES[verdict]


def settle(problem: Problem, controls: Controls, state: FlowState, attempt: Attempt) -> FlowState:
    """The state after an attempt, with its verdict.

    **Rounding floor**: several steps without a new best residual in which the gradient promised more than the whole
    remaining loss (h |theta'|^2 > L), or the residual was ten times the best, though a flow never raises its loss. On
    a plateau the promise is small, so slowness is never taken for a floor.

    **Stationary**: several steps, long against the fastest relaxation time (h tr K/N >= 10, or as long as stability
    lets an explicit method go), that moved no parameter by
    its tolerance, with J^T r zero to rounding relative to ||J|| ||r||.
    """
    settled: FlowState = lax.cond(
        attempt.accepted, _after_acceptance, _after_rejection, problem, controls, state, attempt
    )
    return settled


def _after_rejection(problem: Problem, controls: Controls, state: FlowState, attempt: Attempt) -> FlowState:
    """Everything stays but the step; where it has shrunk to the spacing of numbers the run ends."""
    stuck = attempt.next_step <= SMALLEST_STEP * state.time + 1e-300
    why = jnp.where(attempt.finite, Verdict.step_size, Verdict.nonfinite)
    return state._replace(
        step=attempt.next_step,
        rejected=state.rejected + 1,
        iterations=state.iterations + attempt.iterations,
        kernels=state.kernels + attempt.kernels,
        verdict=jnp.where(stuck, why, Verdict.running).astype(np.int64),
        memory=attempt.memory_if_rejected,
        kinks=attempt.kinks,
    )


def _after_acceptance(problem: Problem, controls: Controls, state: FlowState, attempt: Attempt) -> FlowState:
    """The new point, the evidence it adds, and the verdict."""
    residual = attempt.relative_residual * problem.y_norm
    squared_slope = (attempt.slope * attempt.slope).sum()

    progress = attempt.relative_residual < PROGRESS * state.best_residual
    promised = attempt.step * squared_slope > residual * residual / (2 * problem.samples)
    risen = attempt.relative_residual > RISEN * state.best_residual
    stalls = jnp.where(progress, 0, state.stalls + (promised | risen))

    scale = controls.atol + controls.rtol * abs(attempt.theta)
    no_force = jnp.sqrt(squared_slope) * problem.samples <= STATIONARY * jnp.sqrt(attempt.stiffness) * residual
    # The motion itself: a slope that is rounding, times a step that grows without bound, would be large again.
    no_motion = (abs(attempt.theta - state.theta) / scale).max() <= 1.0
    long_step = attempt.step * attempt.stiffness >= LONG_STEP * problem.samples
    long_step = long_step | (attempt.step >= LONG_FOR_EXPLICIT * attempt.longest)
    quiet = jnp.where(no_force & no_motion & long_step, state.quiet + 1, 0)

    steps = state.accepted + 1
    verdict = jnp.select(
        [
            attempt.relative_residual <= controls.relative_residual,
            stalls >= STALLED_AFTER,
            quiet >= QUIET_AFTER,
            attempt.last,
            steps >= controls.max_steps,
            attempt.event,
        ],
        [
            Verdict.relative_residual,
            Verdict.rounding_floor,
            Verdict.stationary,
            Verdict.max_time,
            Verdict.max_steps,
            Verdict.event,
        ],
        Verdict.running,
    )
    return FlowState(
        time=attempt.time,
        theta=attempt.theta,
        slope=attempt.slope,
        relative_residual=attempt.relative_residual,
        step=attempt.next_step,
        next_save=state.next_save,
        accepted=steps,
        rejected=state.rejected,
        iterations=state.iterations + attempt.iterations,
        kernels=state.kernels + attempt.kernels,
        best_residual=jnp.where(progress, attempt.relative_residual, state.best_residual),
        stalls=stalls,
        quiet=quiet,
        verdict=verdict.astype(np.int64),
        memory=attempt.memory,
        kinks=attempt.kinks,
    )
