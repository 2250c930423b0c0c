"""What is recorded, which theories are asked, and where the job runs."""

from __future__ import annotations

import typing
from typing import Annotated, Literal

from pydantic import Field

from initshape.spec.base import Integer, Spec

RegularizerName = Literal["implicit", "summed_neurons", "summed_neurons_weighted", "l1", "l2", "kernel"]
REGULARIZER_ORDER: tuple[RegularizerName, ...] = typing.get_args(RegularizerName)
DEFAULT_REGULARIZERS: tuple[RegularizerName, ...] = ("implicit", "l1", "l2", "kernel")


class Trajectory(Spec):
    """Statistics along the flow: times on a logarithmic grid and a few coordinates of w."""

    points: Annotated[Integer, Field(ge=2, le=10_000, description="Saved times, the start and the end included.")] = 200
    coordinates: Annotated[Integer, Field(ge=0, le=4096, description="Saved coordinates of w, at most dimension.")] = 32


class Resources(Spec):
    """Where the job runs; not part of the identity."""

    device: Annotated[Literal["auto", "cpu", "gpu"], Field(description="Routes the job to a queue.")] = "auto"
