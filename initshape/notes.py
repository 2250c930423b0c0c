"""What a reader of one result should know about its numbers, in sentences."""

from __future__ import annotations

from collections.abc import Collection

from initshape.models import AbstractModel
from initshape.spec.result import FlowReport


def notes(model: AbstractModel, flow: FlowReport | None, regularizers: Collection[str]) -> tuple[str, ...]:
    """Caveats that no single field carries; empty where there are none."""
    found = []
    if flow is not None and flow.integrator in _SHORT_CUTS:
        found.append(_SHORT_CUTS[flow.integrator])
    if flow is not None and flow.sign_flips:
        found.append(_flips(flow.sign_flips, regularizers))
    if not model.linear:
        found.append(
            "The network is not linear in x: there is no predictor w, hence no regularizer of w and no regime. "
            "Comparisons are of the outputs on the test inputs."
        )
        if flow is not None and flow.kinks is not None:
            found.append(CONVENTION.format(kinks=flow.kinks))
    return tuple(found)


CONVENTION = (
    "At a kink of the activation the flow is the differential inclusion of Clarke's subdifferential: a unit (neuron "
    "and sample) that both sides push towards its kink is held there, with the slope in between that keeps its input "
    "at zero; any other unit crosses. A unit that starts exactly on its kink has the slope of the negative side, as "
    "in automatic differentiation, unless that leads it off or holds it. kinks = {kinks} counts the units that "
    "crossed, were held or were let go."
)
AT_KINKS = (
    "At a kink of the activation the flow has no single continuation, or none that this method follows: the numbers "
    "are those of the state there. flow.kind: gradient_descent with a small step_size goes on; other seeds or scales "
    "avoid the point."
)
"""Advice for a flow that was stopped by `kinks`."""
_SHORT_CUTS = {
    "dual": "The trajectory was integrated through theory's mirror map (flow.independent: false): that it ends at the "
    "implicit regularizer's answer is built in, and no evidence. integrator: radau simulates all parameters.",
    "limit": "Nothing was simulated: w_flow is theory's limit itself (flow.independent: false). Its distance to the "
    "implicit regularizer's answer is zero by construction, and no evidence. integrator: radau simulates all "
    "parameters.",
}


def _flips(count: int, regularizers: Collection[str]) -> str:
    what = "1 output weight" if count == 1 else f"{count} output weights"
    text = f"{what} changed sign during training (array flipped_neurons)."
    summed = [name for name in regularizers if name.startswith("summed_neurons")]
    if summed:
        text += f" {' and '.join(summed)}: the signs are those at the start, do not trust the prediction here."
    return text
