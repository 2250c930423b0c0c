"""Initializations: scale and shape, or every number given."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from initshape.spec.base import (
    Matrix,
    OpenUnitRealOrVector,
    PositiveRealOrVector,
    RealOrVector,
    Seed,
    Spec,
    Vector,
)


class ScaleShape(Spec):
    """Scale alpha (product of the factors) and shape s (their normalised difference), r = (1 + s)/(1 - s).

    Diagonal, depth L: layers 1..L-1 have magnitude p, the last r p, p = (alpha/r)^(1/L); both branches equal.
    Single neuron: ||w|| = p, every scalar q = r p, alpha the product of all. Fully connected, depth 2: the same for
    each neuron. Fully connected with `balanced: true` (shape 0): rank-one layers of equal norm alpha^(1/L).
    Source: Azulay et al. 2021, section 3.
    """

    kind: Literal["scale_shape"]
    scale: Annotated[PositiveRealOrVector, Field(description="alpha > 0: one number, or one per coordinate.")]
    shape: Annotated[OpenUnitRealOrVector, Field(description="s in (-1, 1): one number, or one per coordinate.")]
    seed: Annotated[Seed | None, Field(description="Seed of directions and signs (neurons only); default 0.")] = None
    direction: Annotated[
        Vector | None,
        Field(min_length=1, description="Direction of w instead of a drawn one (single neuron, balanced)."),
    ] = None
    signs: Annotated[
        Literal["positive", "random", "paired"] | None,
        Field(description="Output weights of a two-layer network; paired: (a, w), (-a, w). Default random."),
    ] = None
    balanced: Annotated[
        Literal[True] | None, Field(description="Strictly balanced rank-one layers (fully connected; needs shape 0).")
    ] = None


class ExplicitInit(Spec):
    """Every parameter given.

    Diagonal: `u_plus, v_plus, u_minus, v_minus` (depth 2) or `plus, minus` (depth x dimension). Single neuron: `a, w`.
    Fully connected: `layers`, the first width x dimension, the last 1 x width.
    """

    kind: Literal["explicit"]
    u_plus: Annotated[Vector | None, Field(description="First layer of the + branch, one number a feature.")] = None
    v_plus: Annotated[Vector | None, Field(description="Second layer of the + branch.")] = None
    u_minus: Annotated[Vector | None, Field(description="First layer of the - branch.")] = None
    v_minus: Annotated[Vector | None, Field(description="Second layer of the - branch.")] = None
    plus: Annotated[Matrix | None, Field(description="Layers of the + branch, depth x dimension.")] = None
    minus: Annotated[Matrix | None, Field(description="Layers of the - branch, depth x dimension.")] = None
    a: Annotated[RealOrVector | None, Field(description="The scalar, or the list of scalars (single neuron).")] = None
    w: Annotated[Vector | None, Field(description="Weights of the neuron, one number a feature.")] = None
    layers: Annotated[tuple[Matrix, ...] | None, Field(description="Weight matrices, first to last.")] = None


InitSpec = Annotated[ScaleShape | ExplicitInit, Field(discriminator="kind")]
