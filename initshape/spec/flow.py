"""How the network is trained."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from initshape.spec.base import Integer, Real, Seed, Spec


class GradientFlow(Spec):
    """theta' = -grad L(theta) in the full parameters, adaptive and stiff."""

    kind: Literal["gradient_flow"] = "gradient_flow"
    integrator: Annotated[
        Literal["auto", "radau"], Field(description="auto picks the best independent integrator: radau.")
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
