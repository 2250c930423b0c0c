"""The sign that a neuron's product of scalars ends with: by a rule where there is one, else by the reduced flow.

At phi = 0 the loss is ||y||^2/(2N) exactly, and off critical points it falls. So phi passes through zero at most once,
and its sign is final as soon as ||r|| < ||y||.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from initshape.regularizers.neuron_coordinates import NeuronCoordinates, loss_gap
from initshape.regularizers.reduced_flow import final_sign
from initshape.spec.outcome import Outcome

_ROUNDING = 1e-14
_REDUCED = {
    Outcome.converged: "reduced flow of the scalars and of w along the data",
    Outcome.saddle: "the reduced flow of the scalars and of w along the data tends to a saddle",
    Outcome.stalled: "the reduced flow of the scalars and of w along the data takes too many steps",
    Outcome.nonfinite: "the reduced flow of the scalars and of w along the data leaves double precision",
}


@dataclass(frozen=True)
class Branch:
    """`sign` of phi at the end, None unless the outcome is converged; `rule` says why; `steps` integrated."""

    sign: float | None
    rule: str
    outcome: Outcome = Outcome.converged
    steps: int = 0


def branch(start: NeuronCoordinates) -> Branch:
    """The sign of phi at the end of the flow.

    **Errors**: none; outcome `saddle` from a start from which the flow tends to one, to rounding, else what kept the
    reduced flow from an answer.
    """
    zeros = int(np.sum(start.scalars == 0.0))
    if start.pull == 0.0:
        return Branch(float(np.prod(np.sign(start.scalars))), "y = 0")
    if zeros > 1:
        return Branch(None, "two scalars are zero, and stay so", Outcome.saddle)
    if zeros == 1:
        return _from_zero(start)
    return _from_nonzero(start.in_units())


def _from_zero(start: NeuronCoordinates) -> Branch:
    """The scalar at zero starts with slope p u(0).X^T y, p the product of the others, phi with that of p^2."""
    whole = np.hypot(np.linalg.norm(start.along), np.linalg.norm(start.across))
    if abs(start.along[0]) <= _ROUNDING * whole:
        rule = "a scalar is zero and w(0) is orthogonal to X^T y: the start is a saddle"
        return Branch(None, rule, Outcome.saddle)
    return Branch(float(np.sign(start.along[0])), "a(0) = 0, so that of w(0).X^T y")


def _from_nonzero(start: NeuronCoordinates) -> Branch:
    sign = float(np.prod(np.sign(start.scalars)))
    phi, c = start.product, start.along
    terms = phi * phi * float(c @ start.gram @ c) + 2.0 * abs(phi * start.pull * c[0])
    if loss_gap(phi, c, start.gram, start.pull) < -_ROUNDING * terms:
        return Branch(sign, "the loss starts below that of phi = 0")
    if np.all(start.margins > _ROUNDING * _size(start) ** 2):
        return Branch(sign, "every |a_j| stays above the norm of w along the data")
    if len(c) == 1:
        return _one_sample(start, sign)
    decided = final_sign(start)
    return Branch(decided.sign, _REDUCED[decided.outcome], decided.outcome, decided.steps)


def _one_sample(start: NeuronCoordinates, sign: float) -> Branch:
    """One direction of data: w.x keeps its sign, because it stays larger than the smallest scalar."""
    wanted = float(np.sign(start.along[0]))
    if wanted == sign:
        return Branch(sign, "one sample, and phi w.x has the sign of y already")
    a = np.abs(start.scalars)
    below = np.min(start.margins) < -_ROUNDING * _size(start) ** 2
    if below and np.sum(a == np.min(a)) == 1:
        return Branch(wanted, "one sample, so that of y x.w(0)")
    rule = "one sample, and the layers that would have to pass through zero hold each other above it"
    return Branch(None, rule, Outcome.saddle)


def _size(start: NeuronCoordinates) -> float:
    return float(max(np.linalg.norm(start.along), np.max(np.abs(start.scalars))))
