"""Which integrator of the gradient flow fits which network, and which of its settings mean something there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from initshape.spec.flow import GradientFlow
from initshape.spec.init import ScaleShape
from initshape.spec.model import Diagonal, FullyConnected
from initshape.spec.problem import ProblemError, problem
from initshape.spec.stop import Stop

if TYPE_CHECKING:
    from initshape.spec.experiment import Experiment

SIMULATES = "radau simulates any network"


def check_gradient_flow(experiment: Experiment, flow: GradientFlow) -> Iterator[ProblemError]:
    """Problems of flow.integrator with the rest; those that simulate all parameters take every network."""
    name = flow.integrator
    if name in ("auto", "radau"):
        return
    if experiment.loss.kind != "square":
        yield problem("/flow/integrator", name, "auto, radau",
                      "classification follows the margin path, which radau integrates")  # fmt: skip
    elif name == "dual" and not isinstance(experiment.model, Diagonal):
        yield problem("/flow/integrator", name, "auto, radau, tsit5",
                      f"dual needs the separable mirror map of a diagonal network; {SIMULATES}")  # fmt: skip
    elif name == "limit":
        yield from _check_limit(experiment, flow)
    if name != "tsit5" and flow.atol is not None:
        yield problem("/flow/atol", flow.atol, "left out",
                      f"atol is a tolerance of parameters, and {name} integrates none: remove it")  # fmt: skip


def _check_limit(experiment: Experiment, flow: GradientFlow) -> Iterator[ProblemError]:
    """A limit that theory knows, and no setting of a trajectory that is not computed."""
    model, init = experiment.model, experiment.init
    if isinstance(model, FullyConnected):
        if model.activation != "identity":
            yield problem("/flow/integrator", flow.integrator, "auto, radau, tsit5",
                          f"no limit is known with {model.activation} activation; {SIMULATES}")  # fmt: skip
        elif isinstance(init, ScaleShape) and not init.balanced:
            yield problem("/flow/integrator", flow.integrator, "auto, radau, tsit5",
                          "the limit of a fully connected network is known for init.balanced: true (shape 0) or "
                          f"explicit layers that are aligned; {SIMULATES}")  # fmt: skip
    plain = GradientFlow()
    for field in ("rtol", "completion"):
        value, default = getattr(flow, field), getattr(plain, field)
        if value != default:
            yield problem(f"/flow/{field}", value, f"{default}, the default",
                          f"limit integrates nothing: remove {field}")  # fmt: skip
    longest = Stop().max_time
    if experiment.stop.max_time != longest:
        yield problem("/stop/max_time", experiment.stop.max_time, f"{longest:g}, the default",
                      "a limit has no time: remove max_time, or ask for integrator dual or radau")  # fmt: skip
