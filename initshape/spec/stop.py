"""When the simulation ends."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from initshape.spec.base import Integer, Real, Spec


class Stop(Spec):
    """The first of these to hold ends the run, and the result says which."""

    relative_residual: Annotated[
        Real | None, Field(ge=1e-15, lt=1.0, description="||y - f(X)|| / ||y|| to reach (square loss); default 1e-10.")
    ] = None
    log_train_loss: Annotated[
        Real | None,
        Field(
            ge=-1e6, lt=0.0, description="Natural logarithm of the loss to reach (classification); default ln 1e-100."
        ),
    ] = None
    max_time: Annotated[
        Real, Field(gt=0.0, le=1e30, description="Flow time t (tau in classification) at which to stop.")
    ] = 1e9
    max_steps: Annotated[
        Integer | None,
        Field(ge=1, le=1_000_000_000, description="Accepted steps at most; default 200000, gradient descent 2e7."),
    ] = None
    max_seconds: Annotated[
        Real, Field(gt=0.0, le=604_800.0, description="Wall-clock seconds at most; not part of the identity.")
    ] = 3600.0
