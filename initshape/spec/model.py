"""Models: how the parameters make the linear predictor."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from initshape.spec.base import Integer, Spec


class Diagonal(Spec):
    """Diagonal linear network, w = prod_l u_l^+ - prod_l u_l^- coordinate by coordinate.

    Source: Woodworth et al. 2020; Azulay et al. 2021, section 4.
    """

    kind: Literal["diagonal"]
    depth: Annotated[Integer, Field(ge=2, le=2, description="Number of layers L.")] = 2


ModelSpec = Diagonal
