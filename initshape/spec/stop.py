"""When the simulation ends."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from initshape.spec.base import Integer, Real, Spec


class Stop(Spec):
    """The first of these to hold ends the run, and the result says which."""

    relative_residual: Annotated[Real, Field(ge=1e-15, lt=1.0, description="||y - X w|| / ||y|| to reach.")] = 1e-10
    max_time: Annotated[Real, Field(gt=0.0, le=1e30, description="Flow time t at which to stop.")] = 1e9
    max_steps: Annotated[Integer, Field(ge=1, le=1_000_000_000, description="Accepted steps at most.")] = 200_000
    max_seconds: Annotated[
        Real, Field(gt=0.0, le=604_800.0, description="Wall-clock seconds at most; not part of the identity.")
    ] = 3600.0
