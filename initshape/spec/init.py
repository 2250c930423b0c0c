"""Initializations: scale and shape, or every number given."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from initshape.spec.base import Matrix, OpenUnitRealOrVector, PositiveRealOrVector, Spec, Vector


class ScaleShape(Spec):
    """Scale alpha (product of the factors) and shape s (their normalised difference), r = (1 + s)/(1 - s).

    Diagonal, depth L: layers 1..L-1 have magnitude p, the last r p, p = (alpha/r)^(1/L); both branches equal.
    Source: Azulay et al. 2021, section 3.
    """

    kind: Literal["scale_shape"]
    scale: Annotated[PositiveRealOrVector, Field(description="alpha > 0: one number, or one per coordinate.")]
    shape: Annotated[OpenUnitRealOrVector, Field(description="s in (-1, 1): one number, or one per coordinate.")]


class ExplicitInit(Spec):
    """Every parameter given: `u_plus, v_plus, u_minus, v_minus` (depth 2) or `plus, minus` (depth x dimension)."""

    kind: Literal["explicit"]
    u_plus: Annotated[Vector | None, Field(description="First layer of the + branch, one number a feature.")] = None
    v_plus: Annotated[Vector | None, Field(description="Second layer of the + branch.")] = None
    u_minus: Annotated[Vector | None, Field(description="First layer of the - branch.")] = None
    v_minus: Annotated[Vector | None, Field(description="Second layer of the - branch.")] = None
    plus: Annotated[Matrix | None, Field(description="Layers of the + branch, depth x dimension.")] = None
    minus: Annotated[Matrix | None, Field(description="Layers of the - branch, depth x dimension.")] = None


InitSpec = Annotated[ScaleShape | ExplicitInit, Field(discriminator="kind")]
