"""One regularizer's answer to one experiment, and how a potential gets it."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np

from initshape.datasets import Dataset
from initshape.regularizers.base import AbstractMirrorState, AbstractPotential, AbstractRegularizer, Array
from initshape.regularizers.constraints import Constraints
from initshape.regularizers.kkt import evaluate_kkt
from initshape.regularizers.neighbours import Neighbours
from initshape.regularizers.newton import minimise
from initshape.regularizers.per_dataset import constraints_of
from initshape.regularizers.reachable import reachable
from initshape.spec.outcome import Exactness, Outcome
from initshape.spec.result import Condition


@dataclass(frozen=True)
class Claim:
    """What is claimed about an answer: how far to trust it, by which theorem, and the conditions that were checked."""

    exactness: Exactness
    theorem: str | None
    conditions: tuple[Condition, ...] = ()
    citations: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Fit:
    """The minimiser w of Q among all interpolating weights, with its checks; None where the outcome allows none.

    `predictions` are given instead of w for a network that is not linear in x: its outputs on the test inputs. `state`
    is the point of the mirror map where dual Newton ended: it says more than w.

    **Shape**: w (d,), predictions (number of test inputs,). **Units/scale**: `relative_residual` = ||X w - y||/||y||;
    `kkt_residual` = dist(grad Q(w), span of the rows of X)/||grad Q(w)|| (for l1 see `L1Norm`); `seconds` of
    wall-clock time.
    """

    regularizer: str
    outcome: Outcome
    exactness: Exactness
    theorem: str | None = None
    conditions: tuple[Condition, ...] = ()
    citations: tuple[str, ...] = ()
    reason: str | None = None
    w: Array | None = None
    predictions: Array | None = None
    potential: AbstractRegularizer | None = None
    state: AbstractMirrorState | None = None
    relative_residual: float | None = None
    kkt_residual: float | None = None
    value: float | None = None
    iterations: int | None = None
    seconds: float | None = None


def fit_potential(
    regularizer: str,
    potential: AbstractPotential,
    dataset: Dataset,
    claim: Claim,
    neighbours: Neighbours | None = None,
) -> Fit:
    """argmin Q(w) s.t. X w = y by dual Newton, from where `neighbours` point, if any are given; they learn the answer.

    **Errors**: none raised. Outcomes `converged`; `infeasible` (y outside the range of X restricted to coordinates
    that can move, or of the signs that they keep); `stalled`; `nonfinite`.
    """
    started = time.perf_counter()
    lower, upper = potential.domain()
    free = lower < upper
    whole = bool(np.all(free))
    constraints = constraints_of(dataset) if whole else Constraints.of(np.where(free, dataset.X, 0.0), dataset.y)
    if not constraints.consistent:
        why = inconsistent(constraints, frozen=int(np.sum(~free)))
        return without_answer(regularizer, claim, Outcome.infeasible, why, started, potential)
    guess = None if neighbours is None else neighbours.guess(dataset, potential)
    with np.errstate(over="ignore", invalid="ignore"):  # an outcome below, not a warning
        solution = minimise(potential.start(), constraints, guess=guess)
    if neighbours is not None and solution.outcome is Outcome.converged:
        neighbours.learn(dataset, potential, solution.multipliers)
    if solution.outcome is not Outcome.converged and not reachable(constraints, lower, upper):
        why = "no weights of the signs that the one-signed coordinates keep fit the data"
        return without_answer(regularizer, claim, Outcome.infeasible, why, started, potential)
    found = with_answer(
        regularizer,
        claim,
        solution.outcome,
        solution.state.w,
        potential,
        dataset,
        iterations=solution.iterations,
        started=started,
    )
    if found.w is None:
        return found
    reason = _why_stalled(found, dataset) if found.outcome is Outcome.stalled else found.reason
    return replace(found, state=solution.state, reason=reason)


def _why_stalled(found: Fit, dataset: Dataset) -> str | None:
    """Whether any double-precision w could do better: w itself rounded already moves X w by this much."""
    if found.w is None or found.relative_residual is None:
        return None
    rounding = float(np.finfo(np.float64).eps * np.linalg.norm(np.abs(dataset.X) @ np.abs(found.w)))
    floor = rounding / (float(np.linalg.norm(dataset.y)) or 1.0)
    if found.relative_residual > floor:
        return None
    return f"w is so large against y that rounding it moves X w by {floor:.1e} of y: no closer fit has digits"


def with_answer(
    regularizer: str,
    claim: Claim,
    outcome: Outcome,
    w: Array,
    potential: AbstractRegularizer,
    dataset: Dataset,
    *,
    iterations: int | None,
    started: float,
) -> Fit:
    """A fit with its value and residuals; `started` is the `time.perf_counter` of its beginning."""
    if outcome is Outcome.nonfinite or not np.all(np.isfinite(w)):
        reason = "the initialization or the data leave double precision"
        return without_answer(regularizer, claim, Outcome.nonfinite, reason, started, potential)
    with np.errstate(over="ignore", invalid="ignore"):
        value = potential.value(w)
        kkt = evaluate_kkt(potential, w, dataset.X)
    return Fit(
        regularizer=regularizer,
        outcome=outcome,
        exactness=claim.exactness,
        theorem=claim.theorem,
        conditions=claim.conditions,
        citations=claim.citations,
        w=w,
        potential=potential,
        relative_residual=relative_residual(dataset, w),
        kkt_residual=kkt,
        value=value,
        iterations=iterations,
        seconds=time.perf_counter() - started,
    )


def without_answer(
    regularizer: str,
    claim: Claim,
    outcome: Outcome,
    reason: str,
    started: float,
    potential: AbstractRegularizer | None = None,
) -> Fit:
    """A fit that has no w, and why."""
    return Fit(
        regularizer=regularizer,
        outcome=outcome,
        exactness=claim.exactness,
        theorem=claim.theorem,
        conditions=claim.conditions,
        citations=claim.citations,
        reason=reason,
        potential=potential,
        seconds=time.perf_counter() - started,
    )


def relative_residual(dataset: Dataset, w: Array) -> float:
    """||X w - y||/||y||, or ||X w|| where y = 0."""
    norm = float(np.linalg.norm(dataset.y))
    return float(np.linalg.norm(dataset.X @ w - dataset.y)) / (norm or 1.0)


def inconsistent(constraints: Constraints, frozen: int = 0) -> str:
    """Why no weights fit, for people."""
    which = f" with {frozen} frozen coordinates" if frozen else ""
    return f"no weights{which} fit y: the relative least-squares residual is {constraints.inconsistency:.1e}"
