"""How the network is trained."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from initshape.spec.base import Integer, Real, Seed, Spec


class GradientFlow(Spec):
    """theta' = -grad L(theta), by adaptive steps from the initialization to a stop rule.

    `radau` and `tsit5` simulate all parameters and know no theory: their agreement with a regularizer is evidence.
    radau is implicit, for stiff flows; tsit5 is explicit, for those that are not (large initializations, few steps).
    `dual` and `limit` use theory itself, are faster, and say `independent: false`. dual follows the trajectory of a
    diagonal network through its mirror map, in as many variables as there are samples. limit computes only where the
    flow ends: diagonal networks of any depth, single neurons, fully connected networks with balanced or aligned layers.
    """

    kind: Literal["gradient_flow"] = "gradient_flow"
    integrator: Annotated[
        Literal["auto", "radau", "tsit5", "dual", "limit"],
        Field(
            description="auto picks the best independent integrator: radau. tsit5 is explicit. dual and limit use "
            "theory: the trajectory of a diagonal network by its mirror map, or its limit alone."
        ),
    ] = "auto"
    rtol: Annotated[Real, Field(ge=1e-13, le=0.1, description="Relative tolerance of one step.")] = 1e-8
    atol: Annotated[
        Real | None,
        Field(gt=0, le=1e6, description="Absolute tolerance; default rtol times each parameter's initial scale."),
    ] = None
    completion: Annotated[
        Literal["auto", "off"],
        Field(
            description="auto: Gauss-Newton from a residual of 1e-6 to the requested one; off: integrate all the way."
        ),
    ] = "auto"


class GradientDescent(Spec):
    """theta <- theta - step_size grad L, full batch or mini-batch, with heavy-ball momentum: what papers run."""

    kind: Literal["gradient_descent"]
    step_size: Annotated[Real, Field(gt=0.0, le=1e6, description="Step size eta; time is eta times the steps.")]
    batch_size: Annotated[
        Integer | None, Field(ge=1, description="Samples a step, without replacement; all if absent.")
    ] = None
    momentum: Annotated[Real, Field(ge=0.0, lt=1.0, description="Heavy-ball momentum.")] = 0.0
    seed: Annotated[Seed | None, Field(description="Seed of the mini-batches; default 0, with batch_size only.")] = None


class NoFlow(Spec):
    """Fit only: nothing is simulated."""

    kind: Literal["none"]


FlowSpec = Annotated[GradientFlow | GradientDescent | NoFlow, Field(discriminator="kind")]
