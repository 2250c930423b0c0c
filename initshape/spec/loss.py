"""Training losses."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from initshape.spec.base import Spec


class Square(Spec):
    """L = ||y - X w||^2 / (2N)."""

    kind: Literal["square"] = "square"


class Exponential(Spec):
    """L = (1/N) sum exp(-y_n f(x_n)), labels -1 and 1."""

    kind: Literal["exponential"]


class Logistic(Spec):
    """L = (1/N) sum log(1 + exp(-y_n f(x_n))), labels -1 and 1."""

    kind: Literal["logistic"]


LossSpec = Annotated[Square | Exponential | Logistic, Field(discriminator="kind")]
