"""How the network is trained."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from initshape.spec.base import Real, Spec


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


class NoFlow(Spec):
    """Fit only: nothing is simulated."""

    kind: Literal["none"]


FlowSpec = Annotated[GradientFlow | NoFlow, Field(discriminator="kind")]
